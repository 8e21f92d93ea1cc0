// Who somebody is, as lists of rights name people: the own entry, and the directory lists that it is in, nested and dynamic.
//
// In      a reader with the generation that answers, or a transaction; an account, an address, or the UUID of an entry
// Out     UUIDs; the account and the primary address behind one
// Limits  SENDER_LISTS_MAX lists that one entry is in, GROUP_DEPTH_MAX lists in lists: beyond the first it cannot be found out
// Never   looks at a member list from above: the lists that an entry is in are walked upward, so that one of 100,000 members costs
//         no more than a small one. Knows nothing of the past: members have no history

import { Failure } from '../base/failure.ts';
import { type AccountId, idOf } from '../base/ids.ts';
import { GROUP_DEPTH_MAX } from '../base/limits.ts';
import type { Reader, Transaction } from '../database/operation.ts';
import { normalizeDn } from '../directory/dn.ts';
import { entryByUuid, entryByUuidIn, findEntry, findEntryIn } from '../directory/entries.ts';
import { textValues } from '../directory/entry.ts';
import { liesIn } from '../directory/ldap-url.ts';
import { addressKey, formatAddress, tryParseAddress } from '../message/address.ts';
import { entryOfAccount, entryOfAccountIn } from '../store/accounts.ts';
import type { Quota } from '../store/quota.ts';
import { readState, stateIn } from './generation.ts';
import { SENDER_LISTS_MAX } from './list-access.ts';
import { type ListQuestion, type ListTables, LoadedLists, listTables } from './list-tables.ts';
import { limitsOf } from './quota.ts';
import { addressOfKey, type GroupRow, type RecipientRow } from './rows.ts';
import { sharedAccountOf } from './shared-mailbox.ts';
import { readAlias, readRecipient, readRoute, recipientIn } from './tables.ts';

/** How parties are found: here in the directory's tables. */
export interface Parties {
  /** Undefined: there is no entry behind the account that mail can reach. */
  identities(account: AccountId): Identities | undefined;
  /** By any of its addresses. */
  byAddress(address: string): Party | undefined;
  byAccount(account: AccountId): Party | undefined;
  byUuid(uuid: string): Party | undefined;
}

type ListsOfWhom = Pick<ListTables, 'listsWith' | 'dynamicListsOver' | 'matches'>;

/** What rights are worked out from. */
export interface Identities {
  /** The own one first, then those of the lists. */
  readonly uuids: readonly string[];
  /** Of the primary address; undefined where there is none. */
  readonly domain: string | undefined;
}

/** A user or a list, as the names of mailboxes and of rights have it. */
export interface Party {
  readonly uuid: string;
  /** Primary; undefined where it has none that a name can hold. */
  readonly address: string | undefined;
  readonly domain: string | undefined;
  readonly isList: boolean;
  /** Undefined: it has no mailboxes here. */
  readonly account: AccountId | undefined;
  /** What its mailboxes may hold. */
  readonly quota: Quota | undefined;
  /** Of a list: UUIDs of the entries that its attribute `owner` names. */
  readonly owners: readonly string[];
}

/** Of a party, what the rights in its mailboxes begin with. */
export type Owning = Pick<Party, 'uuid' | 'domain' | 'isList' | 'owners'>;

export function partiesOf(reader: Reader): Parties {
  return {
    identities: (account) => identitiesOf(reader, account),
    byAddress: (address) => partyOfAddress(reader, address),
    byAccount: (account) => partyOfAccount(reader, account),
    byUuid: (uuid) => partyOfUuid(reader, uuid),
  };
}

function identitiesOf(reader: Reader, account: AccountId): Identities | undefined {
  return reader.snapshot(() => {
    const { generation } = readState(reader);
    const row = rowOfAccount(reader, generation, account);
    return (
      row &&
      identitiesOfRow(
        row,
        listTables(reader, generation, () => {}),
      )
    );
  });
}

function identitiesOfRow(row: RecipientRow, tables: ListsOfWhom): Identities {
  const lists = [...listsAbove(row, tables).values()].map(({ uuid }) => uuid);
  return { uuids: [row.uuid, ...lists], domain: domainOf(row) };
}

/** Of the entry with this UUID, whether or not it has an account here. Undefined: mail cannot reach it. */
export function identitiesOfEntry(reader: Reader, uuid: string): Identities | undefined {
  return reader.snapshot(() => {
    const { generation } = readState(reader);
    const row = rowOfUuid(reader, generation, uuid);
    return (
      row &&
      identitiesOfRow(
        row,
        listTables(reader, generation, () => {}),
      )
    );
  });
}

/** The same in a transaction. */
export async function identitiesOfEntryIn(tx: Transaction, uuid: string): Promise<Identities | undefined> {
  const { generation } = await stateIn(tx);
  const row = await rowOfUuidIn(tx, generation, uuid);
  if (row === undefined) return undefined;
  const loaded = new LoadedLists();
  for (;;) {
    const missing: ListQuestion[] = [];
    const found = identitiesOfRow(row, asking(loaded, missing));
    if (missing.length === 0) return found;
    for (const question of missing) await loaded.load(tx, generation, question);
  }
}

/** What is not loaded is noted. */
function asking(loaded: LoadedLists, missing: ListQuestion[]): ListsOfWhom {
  const noted = <T>(answer: T | undefined, question: ListQuestion): T | undefined => {
    if (answer === undefined) missing.push(question);
    return answer;
  };
  return {
    listsWith: (member) => noted(loaded.listsWith(member), { ask: 'listsWith', member }),
    dynamicListsOver: (dn) => noted(loaded.dynamicListsOver(dn), { ask: 'dynamicListsOver', dn }),
    matches: (dn, url) => noted(loaded.matches(dn, url), { ask: 'matches', dn, url }),
  };
}

function partyOfAddress(reader: Reader, text: string): Party | undefined {
  const address = tryParseAddress(text);
  if (address === undefined || address.domain === '') return undefined;
  return reader.snapshot(() => {
    const { generation } = readState(reader);
    const route = readRoute(reader, generation, address.domain);
    const domain = route?.aliasOf === undefined || route.aliasOf === '' ? address.domain : route.aliasOf;
    const alias =
      readAlias(reader, generation, addressKey(address)) ??
      readAlias(reader, generation, addressKey({ ...address, domain }));
    return alias === null ? undefined : partyOf(reader, generation, alias.row);
  });
}

function partyOfAccount(reader: Reader, account: AccountId): Party | undefined {
  return reader.snapshot(() => {
    const { generation } = readState(reader);
    const row = rowOfAccount(reader, generation, account);
    return row === undefined ? undefined : partyOf(reader, generation, row);
  });
}

function partyOfUuid(reader: Reader, uuid: string): Party | undefined {
  return reader.snapshot(() => {
    const { generation } = readState(reader);
    const row = rowOfUuid(reader, generation, uuid);
    return row === undefined ? undefined : partyOf(reader, generation, row);
  });
}

function rowOfAccount(reader: Reader, generation: number, account: AccountId): RecipientRow | undefined {
  const uuid = entryOfAccount(reader, account);
  return uuid === undefined ? undefined : rowOfUuid(reader, generation, uuid);
}

function rowOfUuid(reader: Reader, generation: number, uuid: string): RecipientRow | undefined {
  const entry = entryByUuid(reader, uuid);
  return (entry && readRecipient(reader, generation, entry.normalizedDn)) ?? undefined;
}

async function rowOfUuidIn(tx: Transaction, generation: number, uuid: string): Promise<RecipientRow | undefined> {
  const entry = await entryByUuidIn(tx, uuid);
  return (entry && (await recipientIn(tx, generation, entry.normalizedDn))) ?? undefined;
}

/** Whose mailboxes an account's are, as far as rights in them begin with it; in a transaction. */
export async function owningIn(tx: Transaction, account: AccountId): Promise<Owning | undefined> {
  const uuid = await entryOfAccountIn(tx, account);
  const row = uuid === undefined ? undefined : await rowOfUuidIn(tx, (await stateIn(tx)).generation, uuid);
  if (row === undefined) return undefined;
  const owning = { uuid: row.uuid, domain: domainOf(row), isList: row.kind === 'group' };
  if (!owning.isList) return { ...owning, owners: [] };
  const entry = await entryByUuidIn(tx, row.uuid);
  const owners: string[] = [];
  for (const dn of entry === undefined ? [] : textValues(entry, 'owner')) {
    const owner = await findEntryIn(tx, dn);
    if (owner !== undefined) owners.push(owner.uuid);
  }
  return { ...owning, owners };
}

function partyOf(reader: Reader, generation: number, row: RecipientRow): Party {
  const domain = domainOf(row);
  const route = domain === undefined ? null : readRoute(reader, generation, domain);
  const account = row.kind === 'user' ? row.account : (sharedAccountOf(row) ?? 0);
  return {
    uuid: row.uuid,
    address: domain === undefined ? undefined : formatAddress(addressOfKey(row.addresses[0]!)),
    domain,
    isList: row.kind === 'group',
    account: account === 0 ? undefined : idOf(account),
    quota: row.kind === 'user' && route !== null ? limitsOf(row, route) : undefined,
    owners: row.kind === 'group' ? ownersOf(reader, row) : [],
  };
}

function ownersOf(reader: Reader, { uuid }: GroupRow): readonly string[] {
  const entry = entryByUuid(reader, uuid);
  if (entry === undefined) return [];
  return textValues(entry, 'owner').flatMap((dn) => {
    const owner = findEntry(reader, dn);
    return owner === undefined ? [] : [owner.uuid];
  });
}

function domainOf({ addresses: [primary] }: RecipientRow): string | undefined {
  const domain = primary === undefined ? '' : addressOfKey(primary).domain;
  return domain === '' ? undefined : domain;
}

/**
 * The lists that an entry is a member of, by entry: what names its DN or one of its addresses, what has a URL that finds it, and
 * what has such a list as a member, in the same ways.
 */
function listsAbove(row: RecipientRow, tables: ListsOfWhom) {
  const found = new Map<number, GroupRow>();
  let level: readonly RecipientRow[] = [row];
  for (let depth = 0; depth < GROUP_DEPTH_MAX && level.length > 0; depth++) {
    const next: GroupRow[] = [];
    for (const member of level)
      for (const list of listsOf(member, tables)) {
        if (found.has(list.entry)) continue;
        found.set(list.entry, list);
        next.push(list);
        if (found.size > SENDER_LISTS_MAX) throw tooMany();
      }
    level = next;
  }
  return found;
}

function listsOf(member: RecipientRow, tables: ListsOfWhom): readonly GroupRow[] {
  const dn = normalizeDn(member.dn);
  const naming = [dn, ...member.addresses].flatMap((key) => bounded(tables.listsWith(key)));
  const over = bounded(tables.dynamicListsOver(dn));
  return [
    ...naming,
    ...over.filter(({ urls }) => urls?.some((url) => liesIn(url, dn) && tables.matches(dn, url) === true)),
  ];
}

function bounded(lists: readonly GroupRow[] = []): readonly GroupRow[] {
  if (lists.length > SENDER_LISTS_MAX) throw tooMany();
  return lists;
}

function tooMany(): Failure {
  return new Failure('unavailable', `More than ${SENDER_LISTS_MAX} lists have this user as a member`);
}
