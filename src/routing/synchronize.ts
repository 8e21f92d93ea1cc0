// Synchronization: what a directory change means for the tables, in the transaction of that change.
//
// In      one entry before and after a change
// Out     its rows in the generation that answers and in the one being built; what was made, changed, removed
// A domain whose base changes, comes or goes recompiles the entries below that base: whose addresses route depends on it.
// Such a change takes no address away from those entries: a domain loses none of its people by it, it is refused.
// A change that touches no row writes none. A list's members are found by DN when mail comes, so a member's change
// does not touch the list's row.
// Limits  RECOMPILE_MAX entries below a base in one transaction

import type { Failure } from '../base/failure.ts';
import { type AccountId, idOf } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import type { Transaction } from '../database/operation.ts';
import { childrenIn, findEntryIn } from '../directory/entries.ts';
import type { ChangedEntry, Entry } from '../directory/entry.ts';
import { directoryFailure } from '../directory/failure.ts';
import { type MemberValue, memberValuesIn, withMembers } from '../directory/member-values.ts';
import { formatAddress } from '../message/address.ts';
import { ensureAccount } from '../store/accounts.ts';
import { compileDomain, compileRecipient, recipientKindOf } from './compile.ts';
import { addressOfKey, type Problem, type RecipientRow, type RouteRow } from './rows.ts';
import {
  aliasIn,
  basesAbove,
  deleteRecipient,
  deleteRoute,
  domainsWithBase,
  generationsOf,
  putRecipient,
  putRoute,
  type RoutingState,
  recipientIn,
  setRevision,
  stateIn,
} from './tables.ts';

/** One row of the routing or the alias table, by domain or address. */
export interface TableChange {
  readonly table: 'routing table' | 'alias table';
  readonly key: string;
  readonly change: 'made' | 'changed' | 'removed';
}

/** A base with more entries below it is not moved in one transaction. */
const RECOMPILE_MAX = 100_000;
const PAGE = 500;
const MEMBERS_PAGE = 10_000;
/** How the problem begins that names the holder of an address. */
const HELD = 'is an address of ';

/**
 * The changes of the answering generation. Throws `exists` (constraintViolation) for an address that another entry holds;
 * notAllowedOnNonLeaf for the deletion of a domain entry by which an address routes, unwillingToPerform for any other
 * change of one after which it would route no more.
 */
export async function synchronizeEntry(tx: Transaction, changed: ChangedEntry): Promise<TableChange[]> {
  const state = await stateIn(tx);
  const changes: TableChange[] = [];
  for (const generation of generationsOf(state)) {
    const made = await synchronizeIn(tx, state, generation, changed);
    if (generation === state.generation) changes.push(...made);
  }
  await setRevision(tx, changed.revision);
  return changes;
}

async function synchronizeIn(
  tx: Transaction,
  state: RoutingState,
  generation: number,
  { kind, before, after }: ChangedEntry,
) {
  const oldRow = before && (await recipientIn(tx, generation, before.normalizedDn));
  const oldRoute = before && compileDomain(before);
  const newRoute = after && compileDomain(after);
  const changes: TableChange[] = [];
  if (before !== undefined && before.normalizedDn !== after?.normalizedDn)
    changes.push(...(await replaceRecipient(tx, generation, before.normalizedDn, undefined)));
  changes.push(...(await replaceRoute(tx, generation, oldRoute, newRoute)));
  if (after !== undefined) {
    const row = await compiled(tx, generation, after);
    const written = row && (await withoutHeld(tx, state, row, oldRow?.problems ?? []));
    changes.push(...(await replaceRecipient(tx, generation, after.normalizedDn, written)));
  }
  if (oldRoute?.domain !== newRoute?.domain || oldRoute?.base !== newRoute?.base)
    changes.push(...(await recompileBelow(tx, state, generation, { bases: basesOf(oldRoute, newRoute), kind })));
  return changes;
}

export async function replaceRoute(
  tx: Transaction,
  generation: number,
  before: RouteRow | undefined,
  after: RouteRow | undefined,
): Promise<TableChange[]> {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  const changes: TableChange[] = [];
  if (before !== undefined && before.domain !== after?.domain) {
    await deleteRoute(tx, generation, before.domain);
    changes.push({ table: 'routing table', key: before.domain, change: 'removed' });
  }
  if (after !== undefined) {
    await putRoute(tx, generation, after);
    const change = before?.domain === after.domain ? 'changed' : 'made';
    changes.push({ table: 'routing table', key: after.domain, change });
  }
  return changes;
}

/** The row of the entry at this DN becomes `after`. Writes nothing when it is that already. */
export async function replaceRecipient(
  tx: Transaction,
  generation: number,
  dn: string,
  after: RecipientRow | undefined,
): Promise<TableChange[]> {
  const before = (await recipientIn(tx, generation, dn)) ?? undefined;
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  if (before !== undefined) await deleteRecipient(tx, generation, dn, before);
  if (after !== undefined) await putRecipient(tx, generation, dn, after);
  const was = new Set(before?.addresses);
  const is = new Set(after?.addresses);
  return [...was.union(is)].map((key) => ({
    table: 'alias table',
    key,
    change: !is.has(key) ? 'removed' : was.has(key) ? 'changed' : 'made',
  }));
}

/** Undefined when mail cannot reach this entry. A user entry gets its account. */
export async function compiled(tx: Transaction, generation: number, entry: Entry): Promise<RecipientRow | undefined> {
  const kind = recipientKindOf(entry);
  if (kind === undefined) return undefined;
  const account = kind === 'user' ? await ensureAccount(tx, { uuid: entry.uuid, tenant: TENANT }) : idOf<AccountId>(0);
  const whole = kind === 'group' ? await withAllMembersIn(tx, entry) : entry;
  return compileRecipient(whole, { domains: await owningDomains(tx, generation, entry.normalizedDn), account });
}

async function withAllMembersIn(tx: Transaction, entry: Entry): Promise<Entry> {
  const members: MemberValue[] = [];
  for (let page: MemberValue[] = []; entry.memberCounts !== undefined; ) {
    page = await memberValuesIn(tx, entry.id, page.at(-1)?.id ?? 0, MEMBERS_PAGE);
    for (const member of page) members.push(member);
    if (page.length < MEMBERS_PAGE) break;
  }
  return withMembers(entry, members);
}

/**
 * What an older compiler could not read as an address of this entry may be another entry's by now. It stays with the one
 * that it routes to, and the other row names the problem: a start must not end because of an entry, nor may the entry be
 * beyond any change from then on. `known` are the problems of its row so far: an address that is not among them as held is
 * claimed by the change at hand, and refused where it is written. Undefined: all are asked for.
 */
export async function withoutHeld(
  tx: Transaction,
  state: RoutingState,
  row: RecipientRow,
  known: readonly Problem[] | undefined,
): Promise<RecipientRow> {
  const asked = known && new Set(known.filter(({ reason }) => reason.startsWith(HELD)).map(({ value }) => value));
  if (asked?.size === 0) return row;
  const problems: Problem[] = [];
  const addresses: string[] = [];
  for (const key of row.addresses) {
    const holder = asked?.has(key) === false ? undefined : await holderOf(tx, state, key, row);
    if (holder === undefined) addresses.push(key);
    else problems.push({ attribute: 'mail', value: key, reason: `${HELD}${holder.dn}` });
  }
  return problems.length === 0 ? row : { ...row, addresses, problems: [...(row.problems ?? []), ...problems] };
}

/** Another entry that has this address, in the generation that answers or in the one being built. */
async function holderOf(tx: Transaction, state: RoutingState, key: string, row: RecipientRow) {
  for (const generation of generationsOf(state)) {
    const holder = await aliasIn(tx, generation, key);
    if (holder !== null && holder.entry !== row.entry) return holder;
  }
  return undefined;
}

/** The domains of the deepest base at or above this DN. */
async function owningDomains(tx: Transaction, generation: number, dn: string): Promise<readonly string[]> {
  for (const base of basesAbove(dn)) {
    const domains = await domainsWithBase(tx, generation, base);
    if (domains.length > 0) return domains;
  }
  return [];
}

function basesOf(...routes: readonly (RouteRow | undefined)[]): string[] {
  const bases = routes.flatMap((route) => (route === undefined || route.base === '' ? [] : [route.base]));
  // One that lies below another is covered by it.
  return [...new Set(bases)].filter((base) => !bases.some((other) => base.endsWith(`,${other}`)));
}

/** All rows go before the first comes back: entries may have swapped addresses. `kind` is the domain entry's change. */
async function recompileBelow(
  tx: Transaction,
  state: RoutingState,
  generation: number,
  { bases, kind }: { readonly bases: readonly string[]; readonly kind: ChangedEntry['kind'] },
): Promise<TableChange[]> {
  const rows = new Map<string, RecipientRow | undefined>();
  let seen = 0;
  for (const base of bases) {
    const top = await findEntryIn(tx, base);
    for await (const entry of top === undefined ? [] : atAndBelow(tx, top)) {
      if (recipientKindOf(entry) === undefined) continue;
      if (++seen > RECOMPILE_MAX) throw tooManyBelow();
      const old = await recipientIn(tx, generation, entry.normalizedDn);
      const today = await compiled(tx, generation, entry);
      const row = today && (await withoutHeld(tx, state, today, old?.problems ?? []));
      // The first one is enough, and nothing has been written yet.
      const lost = old === null ? undefined : lostAddress(old, row);
      if (lost !== undefined) throw losesPeople(kind, lost);
      if (JSON.stringify(row) !== JSON.stringify(old ?? undefined)) rows.set(entry.normalizedDn, row);
    }
  }
  const removed = new Set<string>();
  for (const dn of rows.keys())
    for (const { key } of await replaceRecipient(tx, generation, dn, undefined)) removed.add(key);
  const changes: TableChange[] = [];
  for (const [dn, row] of rows)
    for (const { key } of await replaceRecipient(tx, generation, dn, row))
      changes.push({ table: 'alias table', key, change: removed.delete(key) ? 'changed' : 'made' });
  for (const key of removed) changes.push({ table: 'alias table', key, change: 'removed' });
  return changes;
}

function lostAddress(before: RecipientRow, after: RecipientRow | undefined): string | undefined {
  const kept = after?.addresses ?? [];
  return before.addresses.find((key) => !kept.includes(key));
}

function losesPeople(kind: ChangedEntry['kind'], address: string): Failure {
  const text = `${formatAddress(addressOfKey(address))} would route no more`;
  return directoryFailure(kind === 'delete' ? 'notAllowedOnNonLeaf' : 'unwillingToPerform', text);
}

function tooManyBelow(): Failure {
  return directoryFailure(
    'adminLimitExceeded',
    `more than ${RECOMPILE_MAX} entries lie below the base DN of the domain`,
  );
}

/** In pages, one a level in memory. */
async function* atAndBelow(tx: Transaction, entry: Entry): AsyncGenerator<Entry> {
  yield entry;
  let page: Entry[] = [];
  do {
    page = await childrenIn(tx, entry.id, PAGE, page.at(-1)?.id ?? 0);
    for (const child of page) yield* atAndBelow(tx, child);
  } while (page.length === PAGE);
}
