// Whose addresses a base owns: rows of entries by their deepest base and, below that, in the order of the tree.
//
// In      a base, and where below it is asked for
// Out     what a change of the base's domains may alter, found by one range of an index: domains of others that lie below the
//         same DN are not looked at, however many there are
// Limits  each call gives at most `limit` rows

import { TENANT } from '../base/tenant.ts';
import type { Transaction, Value } from '../database/operation.ts';
import { pathOfNormalized } from '../directory/dn.ts';
import type { RecipientRow } from './rows.ts';

/** Rows of entries at and below a DN whose deepest base is `base`. */
export interface Owned {
  readonly base: string;
  /** Normalized; absent: wherever they stand. */
  readonly below?: string | undefined;
}

export interface OwnedRow {
  readonly path: string;
  readonly dn: string;
  readonly row: RecipientRow;
}

const OWNED = 'tenant = ? AND generation = ? AND base = ? AND path >= ? AND path < ?';
const DEEPEST = '\u{10ffff}';

function ownedKey(generation: number, { base, below }: Owned): Value[] {
  const path = below === undefined ? '' : pathOfNormalized(below);
  // From the entry itself to what follows its last comma.
  return [TENANT, generation, base, path, below === undefined ? DEEPEST : `${path.slice(0, -1)}-`];
}

/** Those that name a problem, or in whose addresses there is this text; the path of the last one begins the next page. */
export async function ownedIn(
  tx: Transaction,
  generation: number,
  owned: Owned,
  { having, after, limit }: { readonly having: string; readonly after: string; readonly limit: number },
): Promise<OwnedRow[]> {
  const rows = await tx.arrays(
    `SELECT path, dn, row FROM alias_entry INDEXED BY alias_entry_base
     WHERE ${OWNED} AND path > ? AND (problems > 0 OR instr(row ->> '$.addresses', ?) > 0) ORDER BY path LIMIT +?`,
    ...ownedKey(generation, owned),
    after,
    having,
    limit,
  );
  return rows.map(([path, dn, row]) => ({
    path: path as string,
    dn: dn as string,
    row: JSON.parse(row as string) as RecipientRow,
  }));
}

/** As far as `max`. */
export async function countOwnedIn(tx: Transaction, generation: number, owned: Owned, max: number): Promise<number> {
  const sql = `SELECT count(*) FROM (SELECT 1 FROM alias_entry INDEXED BY alias_entry_base WHERE ${OWNED} LIMIT +?)`;
  return Number((await tx.arrays(sql, ...ownedKey(generation, owned), max))[0]![0]);
}

/** Their deepest base is another one now. What the rows say stays. */
export async function moveOwnedIn(tx: Transaction, generation: number, owned: Owned, base: string): Promise<void> {
  await tx.run(
    `UPDATE alias_entry INDEXED BY alias_entry_base SET base = ? WHERE ${OWNED}`,
    base,
    ...ownedKey(generation, owned),
  );
}
