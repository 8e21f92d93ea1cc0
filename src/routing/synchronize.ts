// Synchronization: what a directory change means for the tables, in the transaction of that change.
//
// In      one entry before and after a change
// Out     its rows in the generation that answers and in the one being built; what was made, changed, removed
// A domain whose base changes, comes or goes recompiles the entries below that base and below no deeper one whose rows it can
// alter: those that name an address as a problem, or may lose one. Whose addresses route depends on the deepest base alone.
// Whom such a change, or a move, leaves without any address is noted: the operation fails at its end (losses.ts).
// A change that touches no row writes none. A list's members are found by DN when mail comes, so a member's change
// does not touch the list's row.
// A user who is here has an account, as has a group with a shared mailbox; the row of one who is at another host says 0, and keeps what account it has.
// Limits  RECOMPILE_MAX entries below a base in one transaction

import type { Failure } from '../base/failure.ts';
import { type AccountId, idOf } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import type { Transaction } from '../database/operation.ts';
import { entryByIdIn, findEntryIn } from '../directory/entries.ts';
import type { ChangedEntry, Entry } from '../directory/entry.ts';
import { directoryFailure } from '../directory/failure.ts';
import { unusableMembersIn } from '../directory/member-values.ts';
import { ensureAccount } from '../store/accounts.ts';
import { checkAssociatedDomains, domainsMovedBy, routeOfDirectory } from './associated-domains.ts';
import { compileDomain, compileRecipient, hasAccountHere, recipientKindOf } from './compile.ts';
import {
  type CompiledRow,
  claimantsOf,
  contest,
  contestedOf,
  contestedText,
  isContested,
  withoutContested,
} from './contested.ts';
import { type Generation, generationsOf, type RoutingState, stateIn } from './generation.ts';
import type { Losses } from './losses.ts';
import { countOwnedIn, moveOwnedIn, type Owned, type OwnedRow, ownedIn } from './owned.ts';
import type { Problem, RecipientRow, RouteRow } from './rows.ts';
import { settingIn, writeSetting } from './setting-rows.ts';
import { compileSetting, type SettingRow } from './settings.ts';
import {
  aliasDnIn,
  aliasIn,
  deleteAlias,
  domainsWithBase,
  makeRecipient,
  mendAlias,
  ownerIn,
  type PlacedRow,
  placedIn,
  recipientIn,
  routeIn,
  writePlace,
  writeRecipient,
  writeRoute,
} from './tables.ts';

/** One row of the routing or the alias table, by domain or address. */
export interface TableChange {
  readonly table: 'routing table' | 'alias table' | 'settings';
  readonly key: string;
  readonly change: 'made' | 'changed' | 'removed';
}

/** A base with more entries below it is not moved in one transaction. */
const RECOMPILE_MAX = 100_000;
const PAGE = 500;
/** Members that are named as problems of a list. */
export const UNUSABLE_MAX = 100;
/** How the problem begins that names the holder of an address. */
const HELD = 'is an address of ';

/**
 * The changes of the answering generation. Throws `exists` (constraintViolation) for an address that another entry holds,
 * constraintViolation for an associatedDomain that another domain has. `losses` notes who has no address any more.
 */
export async function synchronizeEntry(
  tx: Transaction,
  changed: ChangedEntry,
  { losses }: { readonly losses?: Losses | undefined } = {},
): Promise<TableChange[]> {
  const state = await stateIn(tx);
  const changes: TableChange[] = [];
  await checkAssociatedDomains(tx, changed.before, changed.after);
  for (const generation of generationsOf(state)) {
    const isAnswering = generation.role === 'answering';
    const made = await synchronizeIn(tx, state, generation, { ...changed, losses: isAnswering ? losses : undefined });
    if (isAnswering) changes.push(...made);
  }
  if (movesList(changed)) await tx.routingChanged();
  return changes;
}

/** As synchronizeEntry, of a user that has just been made. `isNew`: nobody has had its UUID before. */
export async function synchronizeNewUser(tx: Transaction, changed: ChangedEntry, isNew: boolean): Promise<void> {
  const state = await stateIn(tx);
  const [answering, ...others] = generationsOf(state);
  const { normalizedDn } = changed.after!;
  if (others.length === 0) {
    const placed = await compiled(tx, state, answering!.number, changed.after!, isNew);
    if (placed === undefined || (await makeRecipient(tx, answering!, normalizedDn, placed))) return;
  }
  await synchronizeEntry(tx, changed);
}

/** No row says who is a member; what was resolved before may be another answer now. */
function movesList({ before, after, movesMembers }: ChangedEntry): boolean {
  return movesMembers && [before, after].some((entry) => entry !== undefined && recipientKindOf(entry) === 'group');
}

async function synchronizeIn(
  tx: Transaction,
  state: RoutingState,
  generation: Generation,
  { kind, before, after, losses }: ChangedEntry & { readonly losses: Losses | undefined },
) {
  const oldRow = before && (await recipientIn(tx, generation.number, before.normalizedDn));
  const oldRoute = before && compileDomain(before);
  const newRoute = after && compileDomain(after);
  const changes: TableChange[] = [];
  if (before !== undefined && before.normalizedDn !== after?.normalizedDn)
    changes.push(...(await replaceRecipient(tx, generation, before.normalizedDn, undefined)));
  for (const domain of domainsMovedBy(before, after)) {
    const route = domain === newRoute?.domain ? newRoute : await routeOfDirectory(tx, domain);
    changes.push(...(await replaceRoute(tx, generation, domain, route)));
  }
  changes.push(...(await replaceSettings(tx, generation, before, after)));
  if (after !== undefined) {
    const placed = await compiled(tx, state, generation.number, after);
    const written = placed && {
      ...placed,
      row: await withoutHeld(tx, state, placed, knownProblems(generation, oldRow)),
    };
    changes.push(...(await replaceRecipient(tx, generation, after.normalizedDn, written)));
    if (kind === 'rename') losses?.note(oldRow, written?.row, kind);
  }
  if (oldRoute?.domain !== newRoute?.domain || oldRoute?.base !== newRoute?.base)
    changes.push(
      ...(await recompileMoved(tx, state, generation, {
        moved: await movedBy(tx, generation, { was: oldRoute, is: newRoute }),
        kind,
        losses,
      })),
    );
  return changes;
}

/** The row of this domain becomes `after`. Writes nothing when it is that already. */
export async function replaceRoute(
  tx: Transaction,
  generation: Generation,
  domain: string,
  after: RouteRow | undefined,
): Promise<TableChange[]> {
  const before = await routeIn(tx, generation.number, domain);
  if (JSON.stringify(before ?? undefined) === JSON.stringify(after)) return [];
  await writeRoute(tx, generation, domain, { before, after });
  const change = after === undefined ? 'removed' : before === null ? 'made' : 'changed';
  return [{ table: 'routing table', key: domain, change }];
}

/**
 * The row of the entry at this DN becomes `compiled`, but for addresses that others of its source have too. Writes nothing when
 * it is that already.
 */
export async function replaceRecipient(
  tx: Transaction,
  generation: Generation,
  dn: string,
  compiled: CompiledRow | undefined,
): Promise<TableChange[]> {
  const found = await placedIn(tx, generation.number, dn);
  const before = found === null ? null : found.row;
  const row = compiled && (await withoutContested(tx, generation, dn, { compiled, before }));
  const isSame = before === null ? row === undefined : JSON.stringify(before) === JSON.stringify(row);
  if (isSame) {
    if (compiled !== undefined && compiled.base !== found?.base) await writePlace(tx, generation, dn, compiled.base);
    return [];
  }
  const after: PlacedRow | undefined = row && { row, base: compiled!.base };
  await writeRecipient(tx, generation, dn, { before, after });
  const changes = await replaceContested(tx, generation, dn, { before, after: row });
  const was = new Set(before?.addresses);
  const is = new Set(row?.addresses);
  for (const key of was.union(is))
    changes.push({ table: 'alias table', key, change: !is.has(key) ? 'removed' : was.has(key) ? 'changed' : 'made' });
  return changes;
}

/** What of the addresses that the row names as problems has another answer now. */
async function replaceContested(
  tx: Transaction,
  generation: Generation,
  dn: string,
  { before, after }: { readonly before: RecipientRow | null; readonly after: RecipientRow | undefined },
): Promise<TableChange[]> {
  const was = new Set(contestedOf(before));
  const is = new Set(contestedOf(after));
  const changes: TableChange[] = [];
  for (const key of is.difference(was)) {
    await contest(tx, generation, key, dn);
    changes.push({ table: 'alias table', key, change: 'removed' });
  }
  for (const key of was.difference(is)) changes.push(...(await giveUp(tx, generation, key, dn)));
  return changes;
}

/** The entry has the address no more. Who alone is left has it from here on. */
async function giveUp(tx: Transaction, generation: Generation, key: string, dn: string): Promise<TableChange[]> {
  const leadsTo = await aliasDnIn(tx, generation.number, key);
  if (!isContested(leadsTo)) return [];
  const left = claimantsOf(leadsTo).filter((each) => each !== dn);
  if (left.length > 1) {
    await mendAlias(tx, generation, key, { before: leadsTo, after: contestedText(left) });
    return [];
  }
  await deleteAlias(tx, generation, key, leadsTo);
  const row = left[0] === undefined ? null : await recipientIn(tx, generation.number, left[0]);
  const entry = row === null ? undefined : await entryByIdIn(tx, row.entry);
  // One that has another name by now is synchronized behind this.
  if (row === null || entry === undefined || entry.normalizedDn !== left[0]) return [];
  const state = await stateIn(tx);
  const placed = await compiled(tx, state, generation.number, entry);
  if (placed === undefined) return [];
  const free = { ...placed, row: await withoutHeld(tx, state, placed, knownProblems(generation, row)) };
  return replaceRecipient(tx, generation, left[0], free);
}

/** Entries that are written behind this in the same transaction give up their addresses: they may have swapped them. */
export async function freeAddresses(tx: Transaction, dns: readonly string[]): Promise<void> {
  for (const generation of generationsOf(await stateIn(tx)))
    for (const dn of dns) await replaceRecipient(tx, generation, dn, undefined);
}

async function replaceSettings(
  tx: Transaction,
  generation: Generation,
  before: Entry | undefined,
  after: Entry | undefined,
): Promise<TableChange[]> {
  const was = before && compileSetting(before);
  const is = after && compileSetting(after);
  const changes: TableChange[] = [];
  if (was !== undefined && (was.kind !== is?.kind || was.key !== is.key))
    changes.push(...(await replaceSetting(tx, generation, was, undefined)));
  if (is !== undefined) changes.push(...(await replaceSetting(tx, generation, is, is)));
  return changes;
}

/** The setting of this kind and key becomes `after`. Writes nothing when it is that already. */
export async function replaceSetting(
  tx: Transaction,
  generation: Generation,
  named: Pick<SettingRow, 'kind' | 'key'>,
  after: SettingRow | undefined,
): Promise<TableChange[]> {
  const before = await settingIn(tx, generation.number, named.kind, named.key);
  if (JSON.stringify(before ?? undefined) === JSON.stringify(after)) return [];
  await writeSetting(tx, generation, named, { before, after });
  const change = after === undefined ? 'removed' : before === null ? 'made' : 'changed';
  return [{ table: 'settings', key: `${named.kind} ${named.key}`, change }];
}

/** Undefined when mail cannot reach this entry. A user who is here gets an account. `isNew`: nobody has had the UUID before. */
export async function compiled(
  tx: Transaction,
  state: RoutingState,
  generation: number,
  entry: Entry,
  isNew = false,
): Promise<CompiledRow | undefined> {
  const kind = recipientKindOf(entry);
  if (kind === undefined) return undefined;
  const isHere = hasAccountHere(entry, state);
  const account = isHere ? await ensureAccount(tx, { uuid: entry.uuid, tenant: TENANT, isNew }) : idOf<AccountId>(0);
  const unusable = kind === 'group' ? await unusableMembersIn(tx, entry.id, UNUSABLE_MAX) : [];
  const { base, domains } = await ownerIn(tx, generation, entry.normalizedDn);
  const row = compileRecipient(entry, { unusable, domains, account });
  return row && { row, base, source: entry.source };
}

/**
 * What an older compiler could not read as an address of this entry may be another entry's by now. It stays with the one
 * that it routes to, and the other row names the problem: a start must not end because of an entry, nor may the entry be
 * beyond any change from then on. `known` are the problems of its row so far: an address that is not among them as held is
 * claimed by the change at hand, and refused where it is written. Undefined: rows are
 * compiled anew, and all are asked for.
 */
export async function withoutHeld(
  tx: Transaction,
  state: RoutingState,
  { row, source }: CompiledRow,
  known: readonly Problem[] | undefined,
): Promise<RecipientRow> {
  const asked = known && new Set(known.filter(({ reason }) => reason.startsWith(HELD)).map(({ value }) => value));
  if (asked?.size === 0) return row;
  const holders = new Map<string, string>();
  for (const key of row.addresses) {
    const holder =
      asked?.has(key) === false
        ? undefined
        : await holderOf(tx, state, key, { row, source, isMending: known === undefined });
    if (holder !== undefined) holders.set(key, holder.dn);
  }
  return heldApart(row, holders);
}

/** A generation that is being built may not have this entry's row yet: nothing is known of it, and no address is refused. */
function knownProblems({ role }: Generation, before: RecipientRow | null | undefined): readonly Problem[] | undefined {
  if (role === 'following' && before == null) return undefined;
  return before?.problems ?? [];
}

/** The row without the addresses that other entries hold, whose DNs `holders` has by address: they are its problems. */
export function heldApart(row: RecipientRow, holders: ReadonlyMap<string, string>): RecipientRow {
  if (holders.size === 0) return row;
  const problems = [...holders].map(([value, dn]) => ({ attribute: 'mail', value, reason: `${HELD}${dn}` }));
  const addresses = row.addresses.filter((key) => !holders.has(key));
  return { ...row, addresses, problems: [...(row.problems ?? []), ...problems] };
}

/** Another entry that has this address, in the generation that answers or in the one being built. */
async function holderOf(
  tx: Transaction,
  state: RoutingState,
  key: string,
  { row, source, isMending }: Pick<CompiledRow, 'row' | 'source'> & { readonly isMending: boolean },
) {
  for (const { number, role } of generationsOf(state)) {
    const holder = await aliasIn(tx, number, key);
    if (holder === null || holder.entry === row.entry) continue;
    // They share it: contested.ts.
    if (source !== undefined && (await entryByIdIn(tx, holder.entry))?.source === source) continue;
    // Who compiles anew is there to find rows that no entry stands behind.
    if (isMending && role === 'answering' && !(await claims(tx, state, holder, key))) continue;
    return holder;
  }
  return undefined;
}

async function claims(tx: Transaction, state: RoutingState, holder: RecipientRow, key: string): Promise<boolean> {
  const entry = await findEntryIn(tx, holder.dn);
  const placed = entry && (await compiled(tx, state, state.generation, entry));
  return placed?.row.addresses.includes(key) === true;
}

/** Rows that have another deepest base now, or whose base has a domain more or less. */
interface Moved {
  readonly owned: Owned;
  /** Text that stands in the addresses that may be lost. */
  readonly having: string;
  /** Their deepest base now; undefined: the same. */
  readonly to?: string;
}

/** After the domain's row has been written. What lies below a base of its own has neither won nor lost anything. */
async function movedBy(
  tx: Transaction,
  { number }: Generation,
  { was, is }: { readonly was: RouteRow | undefined; readonly is: RouteRow | undefined },
): Promise<Moved[]> {
  const moved: Moved[] = [];
  const ofWas = `@${was?.domain}"`;
  if (was !== undefined && was.base !== '') {
    const { base: to } = await ownerIn(tx, number, was.base);
    moved.push({ owned: { base: was.base }, ...(to === was.base ? { having: ofWas } : { having: '@', to }) });
  }
  if (is === undefined || is.base === '' || is.base === was?.base) return moved;
  const others = (await domainsWithBase(tx, number, is.base)).filter((domain) => domain !== is.domain);
  if (others.length > 0) return [...moved, { owned: { base: is.base }, having: ofWas }];
  const above = is.base.indexOf(',') + 1;
  const { base } = above === 0 ? { base: '' } : await ownerIn(tx, number, is.base.slice(above));
  return [...moved, { owned: { base, below: is.base }, having: '@', to: is.base }];
}

/**
 * All rows go before the first comes back: entries may have swapped addresses. `kind` is the domain entry's change. An entry
 * that moves along itself has another name by now, and its rows follow it.
 */
async function recompileMoved(
  tx: Transaction,
  state: RoutingState,
  generation: Generation,
  {
    moved,
    kind,
    losses,
  }: { readonly moved: readonly Moved[]; readonly kind: ChangedEntry['kind']; readonly losses: Losses | undefined },
): Promise<TableChange[]> {
  const rows = new Map<string, CompiledRow>();
  let seen = 0;
  for (const each of moved)
    for await (const { dn, row: old } of pagesOf(tx, generation, each)) {
      if (++seen > RECOMPILE_MAX) throw tooManyBelow();
      const entry = await findEntryIn(tx, dn);
      const today = entry && (await compiled(tx, state, generation.number, entry));
      if (today === undefined) continue;
      const free = { ...today, row: await withoutHeld(tx, state, today, knownProblems(generation, old)) };
      const row = await withoutContested(tx, generation, dn, { compiled: free, before: old });
      losses?.note(old, row, kind);
      if (JSON.stringify(row) !== JSON.stringify(old)) rows.set(dn, free);
    }
  const removed = new Set<string>();
  for (const dn of rows.keys())
    for (const { key } of await replaceRecipient(tx, generation, dn, undefined)) removed.add(key);
  const changes: TableChange[] = [];
  for (const [dn, row] of rows)
    for (const { key } of await replaceRecipient(tx, generation, dn, row))
      changes.push({ table: 'alias table', key, change: removed.delete(key) ? 'changed' : 'made' });
  for (const key of removed) changes.push({ table: 'alias table', key, change: 'removed' });
  for (const { owned, to } of moved) {
    if (to === undefined) continue;
    if ((await countOwnedIn(tx, generation.number, owned, RECOMPILE_MAX + 1)) > RECOMPILE_MAX) throw tooManyBelow();
    await moveOwnedIn(tx, generation.number, owned, to);
  }
  return changes;
}

async function* pagesOf(tx: Transaction, { number }: Generation, { owned, having }: Moved): AsyncGenerator<OwnedRow> {
  for (let after = ''; ; ) {
    const page = await ownedIn(tx, number, owned, { having, after, limit: PAGE });
    yield* page;
    if (page.length < PAGE) return;
    after = page.at(-1)!.path;
  }
}

function tooManyBelow(): Failure {
  return directoryFailure(
    'adminLimitExceeded',
    `more than ${RECOMPILE_MAX} entries lie below the base DN of the domain`,
  );
}
