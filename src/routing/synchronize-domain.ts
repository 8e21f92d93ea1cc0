// One domain anew: its row, then the rows of its entries, in the tables that answer. The seed's Fig. 7, 704 and 706.
//
// In      a domain
// Out     what differed is written, a slice a transaction, each at a revision of its own; how much that was
// Limits  SLICE entries in one transaction

import { Failure } from '../base/failure.ts';
import { operation, type Transaction, type Writer } from '../database/operation.ts';
import { parseDn } from '../directory/dn.ts';
import { entriesBelowIn, findEntryIn } from '../directory/entries.ts';
import type { Entry } from '../directory/entry.ts';
import { routeOfDirectory } from './associated-domains.ts';
import { recipientKindOf } from './compile.ts';
import { type CompiledRow, claimantsOf, contest, contestedOf, withoutContested } from './contested.ts';
import { type Generation, generationsOf, type RoutingState, stateIn } from './generation.ts';
import type { RouteRow } from './rows.ts';
import { compiled, replaceRecipient, withoutHeld } from './synchronize.ts';
import { aliasDnIn, mendAlias, placedIn, recipientIn, recipientsBelowIn, routeIn, writeRoute } from './tables.ts';

const SLICE = 200;

export interface DomainSynchronization {
  readonly generation: number;
  readonly domains: number;
  readonly addresses: number;
  readonly rows: number;
  readonly differences: number;
}

/** A slice a step. Throws `not-found` for what is no mail domain, by its entry and by the table. */
export async function* synchronizeDomain(
  writer: Writer,
  domain: string,
): AsyncGenerator<undefined, DomainSynchronization, void> {
  const { generation, base, differences: ofDomain } = await writer.execute(syncDomain, domain);
  let addresses = 0;
  let differences = ofDomain;
  const suffix = `@${domain}`;
  const count = (slice: Slice): void => {
    addresses += slice.addresses;
    differences += slice.differences;
  };
  for (let after: string | null = null; base !== undefined; yield undefined) {
    const slice: Slice = await writer.execute(syncEntries, { base, suffix, after });
    count(slice);
    after = slice.last;
    if (after === null) break;
  }
  for (let after: string | null = ''; base !== undefined; yield undefined) {
    const slice: Slice = await writer.execute(syncLeftovers, { base, suffix, after });
    count(slice);
    after = slice.last;
    if (after === null) break;
  }
  return { generation, domains: 1, addresses, rows: 1 + addresses, differences };
}

interface DomainSlice {
  readonly generation: number;
  /** Undefined: the domain is gone, and its row with it, or it is an alias. */
  readonly base: string | undefined;
  readonly differences: number;
}

const syncDomain = operation('routing.sync-domain', async (tx, domain: string): Promise<DomainSlice> => {
  const state = await stateIn(tx);
  const row = await routeOfDirectory(tx, domain);
  const known = await routeIn(tx, state.generation, domain);
  if (row === undefined && known === null) throw new Failure('not-found', `${domain} is not a mail domain here`);
  const differences = await writing(tx, state, (into) => mendRoute(tx, into, domain, row));
  // An alias has no people of its own.
  const base = row === undefined || row.base === '' ? undefined : row.base;
  return { generation: state.generation, base, differences };
});

interface EntriesArguments {
  readonly base: string;
  /** `@acme.example` */
  readonly suffix: string;
  /** Where the slice before has ended; null: the first one. */
  readonly after: string | null;
}

interface Slice {
  /** Of the domain, that were compared. */
  readonly addresses: number;
  readonly differences: number;
  /** null: this was the last one. */
  readonly last: string | null;
}

const syncEntries = operation(
  'routing.sync-entries',
  async (tx, { base, suffix, after }: EntriesArguments): Promise<Slice> => {
    const state = await stateIn(tx);
    const { entries, last } = await entriesBelowIn(tx, parseDn(base), after ?? undefined, SLICE);
    let addresses = 0;
    const rows = new Map<string, CompiledRow>();
    for (const entry of entries) {
      const placed = await rowOf(tx, state, entry);
      if (placed === undefined) continue;
      rows.set(entry.normalizedDn, placed);
      addresses += placed.row.addresses.filter((address) => address.endsWith(suffix)).length;
    }
    const differences = await writing(tx, state, async (into) => {
      const writes: Write[] = [];
      for (const [dn, row] of rows) writes.push(...(await mendRecipient(tx, into, dn, row)));
      return writes;
    });
    return { addresses, differences, last: last ?? null };
  },
);

/** Rows of people who are no more. */
const syncLeftovers = operation(
  'routing.sync-leftovers',
  async (tx, { base, after }: EntriesArguments): Promise<Slice> => {
    const state = await stateIn(tx);
    const { rows, last } = await recipientsBelowIn(tx, state.generation, { base, after: after ?? '', limit: SLICE });
    const gone: string[] = [];
    for (const dn of rows) {
      const entry = await findEntryIn(tx, dn);
      if (entry === undefined || recipientKindOf(entry) === undefined) gone.push(dn);
    }
    const differences = await writing(tx, state, async (into) => {
      const writes: Write[] = [];
      for (const dn of gone) {
        const before = await recipientIn(tx, into.number, dn);
        if (before !== null) writes.push(() => replaceRecipient(tx, into, dn, undefined));
      }
      return writes;
    });
    return { addresses: 0, differences, last: last ?? null };
  },
);

async function rowOf(tx: Transaction, state: RoutingState, entry: Entry): Promise<CompiledRow | undefined> {
  const placed = await compiled(tx, state, state.generation, entry);
  return placed && { ...placed, row: await withoutHeld(tx, state, placed, undefined) };
}

type Write = () => Promise<unknown>;

/** What differs is written at a new revision. Gives how much differed in the tables that answer. */
async function writing(
  tx: Transaction,
  state: RoutingState,
  differing: (into: Generation) => Promise<readonly Write[]>,
): Promise<number> {
  const writes: (readonly Write[])[] = [];
  for (const into of generationsOf(state)) writes.push(await differing(into));
  if (writes.every((list) => list.length === 0)) return 0;
  await tx.nextRevision();
  for (const write of writes.flat()) await write();
  return writes[0]!.length;
}

async function mendRoute(
  tx: Transaction,
  into: Generation,
  domain: string,
  after: RouteRow | undefined,
): Promise<Write[]> {
  const before = await routeIn(tx, into.number, domain);
  if (JSON.stringify(before ?? undefined) === JSON.stringify(after)) return [];
  return [() => writeRoute(tx, into, domain, { before, after })];
}

/** The row of the entry, and that each of its addresses leads to it. */
async function mendRecipient(tx: Transaction, into: Generation, dn: string, compiled: CompiledRow): Promise<Write[]> {
  const writes: Write[] = [];
  const found = await placedIn(tx, into.number, dn);
  const before = found === null ? null : found.row;
  const row = await withoutContested(tx, into, dn, { compiled, before });
  const differs = JSON.stringify(found) !== JSON.stringify({ row, base: compiled.base });
  for (const address of row.addresses) {
    const leadsTo = await aliasDnIn(tx, into.number, address);
    if (leadsTo === dn || (differs && leadsTo === null && before?.addresses.includes(address) !== true)) continue;
    writes.push(() => mendAlias(tx, into, address, { before: leadsTo, after: dn }));
  }
  for (const key of contestedOf(row)) writes.push(...(await mendContested(tx, into, dn, key)));
  if (differs) writes.push(() => replaceRecipient(tx, into, dn, compiled));
  return writes;
}

/** Where the row names the problem, and the alias table does not name the entry. */
async function mendContested(tx: Transaction, into: Generation, dn: string, key: string): Promise<Write[]> {
  const claimants = claimantsOf(await aliasDnIn(tx, into.number, key));
  return claimants.includes(dn) ? [] : [() => contest(tx, into, key, dn)];
}

export const syncOperations = [syncDomain, syncEntries, syncLeftovers];
