// Ranges of domains whose standing, or whose records at others, may be another one now: they are walked in slices.
//
// In      rows of dns_spread, written by what has changed
// Out     the domains of a range, a page at a time; how far the walk has come

import { TENANT } from '../base/tenant.ts';
import type { Reader, Transaction } from '../database/operation.ts';
import { nameOfPath } from './path.ts';

export interface Spread {
  readonly id: number;
  readonly after: string;
  readonly to: string;
  readonly revision: number;
  /** Only those that are published or watched already. */
  readonly isKnown: boolean;
}

/** What others have of a domain, or are to have. */
export interface SpreadDomain {
  readonly path: string;
  readonly name: string;
  /** It waits for its primary, or has records there. */
  readonly isPublished: boolean;
  readonly isWatched: boolean;
}

export function firstSpread(reader: Reader): Spread | undefined {
  const sql = 'SELECT id, after, to_path, revision, is_known FROM dns_spread ORDER BY id LIMIT 1';
  const [row] = reader.arrays(sql);
  if (row === undefined) return undefined;
  const [id, after, to, revision, isKnown] = row as [number, string, string, number, number];
  return { id, after, to, revision, isKnown: isKnown === 1 };
}

const KNOWN = ['dns_outbox', 'dns_published', 'dns_watch'];

/** Behind `after`, in order: at most `limit`, those without an entry too where something of them is left. */
export function spreadPage(
  reader: Reader,
  { to, isKnown }: Spread,
  after: string,
  limit: number,
): readonly SpreadDomain[] {
  const tables = KNOWN.map((table) => `SELECT path FROM ${table} WHERE tenant = ? AND path > ? AND path < ?`);
  if (!isKnown)
    tables.push('SELECT path FROM zone_name WHERE tenant = ? AND path > ? AND path < ? AND row IS NOT NULL');
  const range = tables.flatMap(() => [TENANT, after, to]);
  const paths = reader.arrays(`${tables.join(' UNION ')} ORDER BY path LIMIT +?`, ...range, limit);
  return paths.map(([path]) => {
    const [known] = reader.arrays(
      `SELECT EXISTS (SELECT 1 FROM dns_outbox WHERE tenant = ? AND path = ?)
         OR EXISTS (SELECT 1 FROM dns_published WHERE tenant = ? AND path = ?),
         EXISTS (SELECT 1 FROM dns_watch WHERE tenant = ? AND path = ?)`,
      ...[TENANT, path!, TENANT, path!, TENANT, path!],
    ) as [[number, number]];
    return {
      path: path as string,
      name: nameOfPath(path as string),
      isPublished: known[0] === 1,
      isWatched: known[1] === 1,
    };
  });
}

/** The walk has come so far; undefined: to the end. */
export async function moveSpread(tx: Transaction, id: number, after: string | undefined): Promise<void> {
  if (after === undefined) await tx.run('DELETE FROM dns_spread WHERE id = ?', id);
  else await tx.run('UPDATE dns_spread SET after = ? WHERE id = ?', after, id);
}
