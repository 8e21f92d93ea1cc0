// Members: the values of those attributes whose types say that each value is a row of its own (schema-data.ts, `rows`).
//
// In      an entry, by its id; differences of a change; a DN or an address
// Out     pages of members in the order in which they were given; who is a member of what, by one look at an index
// Rows    dit_value. `key` is the value prepared for the type's equality rule, so a value stands once in an entry. `target` is
//         what mail reads in the value (a normalized DN, the key of an address) where that is not the key: '' where it can
//         read nothing. So a DN or an address is a member by `target`, or by `key` where there is no target
// Limits  see base/limits.ts; an entry knows how many it has (Entry.memberCounts), so that no change counts them
// An entry that is read has none of them: a list of a hundred thousand costs what a list of ten costs, unless someone asks

import { TENANT } from '../base/tenant.ts';
import type { Reader, Transaction, Value } from '../database/operation.ts';
import { addressKey, tryParseAddress } from '../message/address.ts';
import { normalizedOfPath } from './dn.ts';
import type { AttributeDifference } from './draft.ts';
import type { AttributeValue, Entry, MemberCounts } from './entry.ts';
import { equalityKey, nameEnd, prepareFor } from './matching.ts';
import { type AttributeType, schema } from './schema.ts';

export interface MemberValue {
  /** Where the next page begins. */
  readonly id: number;
  readonly attribute: 'uniquemember' | 'member' | 'mgrprfc822mailmember';
  readonly value: string;
}

/** As a target. */
const UNUSABLE = '';

const GROUPS_MAX = 10_000;
/** Values that one read takes. */
const PAGE = 10_000;

/** The index has an attribute's values in order, so three of them are merged: nothing is sorted, whatever the length. */
const AFTER = `${(['uniquemember', 'member', 'mgrprfc822mailmember'] satisfies MemberValue['attribute'][])
  .map((of) => `SELECT id, attribute, value FROM dit_value WHERE entry = ?1 AND attribute = '${of}' AND id > ?2`)
  .join(' UNION ALL ')} ORDER BY id LIMIT +?3`;
const NAMING = `SELECT path FROM dit WHERE id IN (
  SELECT entry FROM dit_value WHERE tenant = ?1 AND key = ?2 AND target IS NULL
    AND attribute IN ('uniquemember', 'member', 'mgrprfc822mailmember')
  UNION SELECT entry FROM dit_value WHERE tenant = ?1 AND target = ?2) ORDER BY id LIMIT +?3`;
const UNIQUELY_NAMING = `SELECT path FROM dit WHERE id IN (
  SELECT entry FROM dit_value WHERE tenant = ?1 AND attribute = 'uniquemember' AND key = ?2 AND target IS NULL
  UNION SELECT entry FROM dit_value WHERE tenant = ?1 AND target = ?2 AND attribute = 'uniquemember') ORDER BY id LIMIT +?3`;
/** In which order makes no matter, but it is the same each time. */
const GROUPS = `SELECT dn FROM dit WHERE id IN (
  SELECT entry FROM dit_value WHERE tenant = ?1 AND key = ?2 AND target IS NULL AND attribute IN ('uniquemember', 'member')
  UNION SELECT entry FROM dit_value WHERE tenant = ?1 AND target = ?2 AND attribute IN ('uniquemember', 'member'))
  ORDER BY id LIMIT +?3`;
const OF_ATTRIBUTE =
  'SELECT id, key, value FROM dit_value WHERE entry = ? AND attribute = ? AND id > ? ORDER BY id LIMIT +?';
const NAMES = 'SELECT coalesce(target, key) FROM dit_value WHERE entry = ? AND attribute = ? ORDER BY id LIMIT +?';
const BY_KEY = 'SELECT value FROM dit_value WHERE tenant = ? AND attribute = ? AND key = ? AND entry = ?';
const NAMING_SOME = `SELECT entry, attribute, value, key AS dn FROM dit_value WHERE tenant = ?1 AND target IS NULL
    AND attribute IN ('uniquemember', 'member') AND key IN (SELECT value FROM json_each(?2))
  UNION ALL SELECT entry, attribute, value, target FROM dit_value WHERE tenant = ?1
    AND target IN (SELECT value FROM json_each(?2)) AND attribute IN ('uniquemember', 'member') LIMIT +?3`;
const UNUSABLE_OF =
  'SELECT id, attribute, value FROM dit_value WHERE tenant = ? AND target = ? AND entry = ? ORDER BY id LIMIT +?';
const INSERT = 'INSERT INTO dit_value (tenant, entry, attribute, key, value, target) VALUES (?, ?, ?, ?, ?, ?)';
const RENEWED = 'SELECT id, attribute, key, value, target FROM dit_value WHERE id > ? ORDER BY id LIMIT +?';
const RENEW = 'UPDATE OR IGNORE dit_value SET key = ?, target = ? WHERE id = ?';
const DELETE = 'DELETE FROM dit_value WHERE tenant = ? AND attribute = ? AND key = ? AND entry = ? RETURNING id';
const DELETE_ALL = 'DELETE FROM dit_value WHERE entry = ?';

/** At most `limit` members of an entry with ids above `after`, in the order in which they were given. */
export function readMemberValues(reader: Reader, entry: number, after: number, limit: number): MemberValue[] {
  return reader.arrays(AFTER, entry, after, limit).map(memberOf);
}

export async function memberValuesIn(
  tx: Transaction,
  entry: number,
  after: number,
  limit: number,
): Promise<MemberValue[]> {
  return (await tx.arrays(AFTER, entry, after, limit)).map(memberOf);
}

function memberOf([id, attribute, value]: Value[]): MemberValue {
  return { id: id as number, attribute: attribute as MemberValue['attribute'], value: value as string };
}

/**
 * Normalized DNs of the entries that name this normalized DN, or this address by its key (message/address.ts), as a member;
 * at most `limit`.
 */
export function entriesNaming(reader: Reader, member: string, limit: number): string[] {
  return reader.arrays(NAMING, TENANT, member, limit).map(([path]) => normalizedOfPath(path as string));
}

/** By uniqueMember alone. */
export function entriesWithUniqueMember(reader: Reader, dn: string, limit: number): string[] {
  return reader.arrays(UNIQUELY_NAMING, TENANT, dn, limit).map(([path]) => normalizedOfPath(path as string));
}

export async function entriesNamingIn(tx: Transaction, member: string, limit: number): Promise<string[]> {
  return (await tx.arrays(NAMING, TENANT, member, limit)).map(([path]) => normalizedOfPath(path as string));
}

/** DNs of the groups that name this normalized DN as a member, GROUPS_MAX at most. */
export function groupNamesOf(reader: Reader, member: string): readonly string[] {
  return reader.arrays(GROUPS, TENANT, member, GROUPS_MAX).map(([dn]) => dn as string);
}

export async function groupNamesIn(tx: Transaction, member: string): Promise<readonly string[]> {
  return (await tx.arrays(GROUPS, TENANT, member, GROUPS_MAX)).map(([dn]) => dn as string);
}

/** Members that name one of these normalized DNs, in the entries that have them; at most `limit`. */
export async function membersNamingIn(
  tx: Transaction,
  dns: readonly string[],
  limit: number,
): Promise<{ readonly entry: number; readonly attribute: string; readonly value: string; readonly dn: string }[]> {
  const rows = await tx.arrays(NAMING_SOME, TENANT, JSON.stringify(dns), limit);
  return rows.map(([entry, attribute, value, dn]) => ({
    entry: entry as number,
    attribute: attribute as string,
    value: value as string,
    dn: dn as string,
  }));
}

/** The bit string that may stand behind a member's name. */
export function bitsOf({ syntax }: AttributeType, value: string): string {
  return syntax === 'DN' ? '' : value.slice(nameEnd(value));
}

/** Normalized DNs that an entry names as its members; undefined for more than `limit`. */
export function membersNamed(reader: Reader, entry: number, limit: number): readonly string[] | undefined {
  const names: string[] = [];
  for (const attribute of ['uniquemember', 'member']) {
    const rows = reader.arrays(NAMES, entry, attribute, limit + 1 - names.length);
    for (const [name] of rows) names.push(name as string);
    if (names.length > limit) return undefined;
  }
  return names;
}

/** Members in whose values mail can read nothing, at most `limit`. */
export function unusableMembers(reader: Reader, entry: number, limit: number): MemberValue[] {
  return reader.arrays(UNUSABLE_OF, TENANT, UNUSABLE, entry, limit).map(memberOf);
}

export async function unusableMembersIn(tx: Transaction, entry: number, limit: number): Promise<MemberValue[]> {
  return (await tx.arrays(UNUSABLE_OF, TENANT, UNUSABLE, entry, limit)).map(memberOf);
}

/** The entry with all its members, for a filter that is asked in a transaction. */
export async function withAllMembersIn(tx: Transaction, entry: Entry): Promise<Entry> {
  const members: MemberValue[] = [];
  for (let page: MemberValue[] = []; entry.memberCounts !== undefined; ) {
    page = await memberValuesIn(tx, entry.id, page.at(-1)?.id ?? 0, PAGE);
    for (const member of page) members.push(member);
    if (page.length < PAGE) break;
  }
  return withMembers(entry, members);
}

/** What filters ask: whether one of the attribute's values is prepared to this text. */
export function hasPrepared(reader: Reader, entry: number, attribute: string, prepared: string): boolean {
  return reader.arrays(BY_KEY, TENANT, attribute, prepared, entry).length > 0;
}

/** All values of one attribute, a page at a time, so that who reads on may let others have their turn between two. */
export function* memberPages(reader: Reader, entry: number, attribute: string): Generator<string[]> {
  for (let after = 0; ; ) {
    const rows = reader.arrays(OF_ATTRIBUTE, entry, attribute, after, PAGE);
    if (rows.length > 0) yield rows.map(([, , value]) => value as string);
    if (rows.length < PAGE) return;
    after = rows.at(-1)![0] as number;
  }
}

/** The entry with members beside what it has. */
export function withMembers(entry: Entry, members: Iterable<Pick<MemberValue, 'attribute' | 'value'>>): Entry {
  const values = new Map<string, string[]>();
  for (const { attribute, value } of members) {
    const of = values.get(attribute);
    if (of === undefined) values.set(attribute, [value]);
    else of.push(value);
  }
  const attributes = new Map(entry.attributes);
  for (const [key, of] of values) attributes.set(key, { name: schema().attributeType(key)!.name, values: of });
  return { ...entry, attributes };
}

// Changing them, in the transaction of the entry.

/** Ids of rows that a change has taken away. */
export type RemovedPlaces = ReadonlyMap<AttributeDifference, readonly number[]>;

/** By equality key. */
export type Values = Map<string, AttributeValue>;

/** Of an entry that is to be changed: how many members it has, and those that the change names. */
export interface NamedMembers {
  readonly counts: MemberCounts;
  /** By attribute. */
  readonly values: ReadonlyMap<string, Values>;
}

/** What a change names of an attribute. */
export interface Naming {
  readonly attribute: string;
  readonly values: readonly AttributeValue[] | 'all';
}

const NO_COUNTS: MemberCounts = new Map();

/** Reads what the change names and nothing else. */
export async function namedMembersIn(tx: Transaction, entry: Entry, named: readonly Naming[]): Promise<NamedMembers> {
  const counts = entry.memberCounts ?? NO_COUNTS;
  const found = new Map<string, Values>();
  for (const { attribute, values } of counts.size === 0 ? [] : named) {
    const type = schema().attributeType(attribute);
    if (type?.isKeptInRows !== true || !counts.has(type.key)) continue;
    const of: Values = found.get(type.key) ?? new Map();
    found.set(type.key, of);
    // Those that were found before stand where they stood: the order is that of the rows.
    if (values === 'all') found.set(type.key, await allIn(tx, entry.id, type));
    else if (of.size < counts.get(type.key)!.count)
      for (const value of values) {
        const key = equalityKey(type, value);
        const [row] = await tx.arrays(BY_KEY, TENANT, type.key, key, entry.id);
        if (row !== undefined) of.set(key, row[0] as string);
      }
  }
  return { counts, values: found };
}

async function allIn(tx: Transaction, entry: number, type: AttributeType): Promise<Values> {
  const all: Values = new Map();
  for (let after = 0; ; ) {
    const rows = await tx.arrays(OF_ATTRIBUTE, entry, type.key, after, PAGE);
    for (const [, key, value] of rows) all.set(key as string, value as string);
    if (rows.length < PAGE) return all;
    after = rows.at(-1)![0] as number;
  }
}

/**
 * The rows that a change takes away and adds. A value in another spelling goes and comes back at the end. Gives the places of
 * those that are gone, in the order of `removed`: who asks for the past wants the order of then.
 */
export async function writeMembersIn(
  tx: Transaction,
  entry: number,
  differences: readonly AttributeDifference[],
): Promise<RemovedPlaces> {
  const places = new Map<AttributeDifference, number[]>();
  for (const difference of differences) {
    const { description, removed, added } = difference;
    const { type } = description;
    if (!type.isKeptInRows) continue;
    const own: number[] = [];
    for (const value of removed)
      own.push(Number((await tx.arrays(DELETE, TENANT, type.key, equalityKey(type, value), entry))[0]?.[0] ?? 0));
    if (own.length > 0) places.set(difference, own);
    for (const value of added) await tx.run(INSERT, ...memberRow(entry, type, value as string));
  }
  return places;
}

/** All members go, of an entry whose `differences` name them in order. */
export async function deleteMembersIn(
  tx: Transaction,
  entry: number,
  differences: readonly AttributeDifference[],
): Promise<RemovedPlaces> {
  const places = new Map<AttributeDifference, number[]>();
  for (const difference of differences) {
    const { type } = difference.description;
    if (!type.isKeptInRows) continue;
    const own: number[] = [];
    for (let after = 0; ; ) {
      const rows = await tx.arrays(OF_ATTRIBUTE, entry, type.key, after, PAGE);
      for (const [id] of rows) own.push(id as number);
      if (rows.length < PAGE) break;
      after = rows.at(-1)![0] as number;
    }
    places.set(difference, own);
  }
  await tx.run(DELETE_ALL, entry);
  return places;
}

/** Keys and targets as this version of the code makes them, of some rows above `after`. Gives the last one's id. */
export async function renewMembersIn(tx: Transaction, after: number, limit: number): Promise<number | undefined> {
  const rows = await tx.arrays(RENEWED, after, limit);
  for (const [id, attribute, key, value, target] of rows) {
    const type = schema().attributeType(attribute as string);
    if (type === undefined) continue;
    const [, , , newKey, , newTarget] = memberRow(0, type, value as string);
    // Two values that have become equal stay: the second is found by its old key only.
    if (newKey !== key || newTarget !== target) await tx.run(RENEW, newKey!, newTarget!, id!);
  }
  return rows.at(-1)?.[0] as number | undefined;
}

/** The columns of INSERT. */
export function memberRow(entry: number, type: AttributeType, value: string): Value[] {
  const key = equalityKey(type, value);
  return [TENANT, entry, type.key, key, value, targetOf(type, value, key)];
}

/** What mail reads in the value; null where that is the key, as it nearly always is. */
function targetOf(type: AttributeType, value: string, key: string): string | null {
  const target = isName(type) ? nameIn(type, value, key) : addressIn(value);
  return target === key && target !== UNUSABLE ? null : target;
}

function isName({ syntax }: AttributeType): boolean {
  return syntax === 'DN' || syntax === 'NameAndOptionalUID';
}

/** The normalized DN without the bit string that may stand behind it. */
function nameIn(type: AttributeType, value: string, key: string): string {
  const end = type.syntax === 'DN' ? value.length : nameEnd(value);
  if (end === value.length) return prepareFor(type.equality!, value) === undefined ? UNUSABLE : key;
  return prepareFor('distinguishedNameMatch', value.slice(0, end)) ?? UNUSABLE;
}

function addressIn(value: string): string {
  const address = tryParseAddress(value.trim());
  return address === undefined ? UNUSABLE : addressKey(address);
}
