// Values that name an entry follow it: a rename or move writes the new name into them, a deletion takes them away.
//
// In      the entries that a change has renamed or removed, in its transaction
// Out     the entries that named them, each changed once: an ordinary change with a row in the log
// Which   NAMING attributes and members of lists. What is in the name of the entry that holds it stays, and so does what
//         another directory is the source of
// Limits  REFERRING_MAX entries and VALUES_MAX values in one transaction: adminLimitExceeded, and nothing is done
// Errors  notAllowedOnNonLeaf where an entry that is gone is the base of a domain
// A deletion may take away what a class asks for (the target of an alias): `waypost directory check` names that entry then.

import { TENANT } from '../base/tenant.ts';
import type { Transaction } from '../database/operation.ts';
import { type ApplyOptions, applyChange } from './apply-change.ts';
import { parseDn } from './dn.ts';
import { entryByIdIn } from './entries.ts';
import type { AttributeValue, ChangedEntry, Entry, Modification } from './entry.ts';
import { directoryFailure } from './failure.ts';
import { cutIndexValue } from './indexes.ts';
import { equalityKey } from './matching.ts';
import { bitsOf, membersNamingIn, namedMembersIn } from './member-values.ts';
import { type AttributeType, schema } from './schema.ts';

const BASE = 'inetdomainbasedn';
/** Each is indexed. */
const NAMING = [
  'owner',
  'manager',
  'secretary',
  'seealso',
  'roleoccupant',
  'waypostadministrator',
  BASE,
  'aliasedobjectname',
];

const MEMBERS = ['member', 'uniquemember'];

/** Whether values of this type follow the entries that they name. */
export function followsNames({ key }: AttributeType): boolean {
  return NAMING.includes(key) || MEMBERS.includes(key);
}

const REFERRING_MAX = 10_000;
const VALUES_MAX = 100_000;
/** Names that one statement looks for. */
const SLICE = 500;

const HOLDERS = `SELECT DISTINCT entry FROM dit_index WHERE tenant = ? AND attribute IN
  (${NAMING.map((key) => `'${key}'`).join(', ')}) AND value IN (SELECT value FROM json_each(?)) LIMIT +?`;

/** New names by old normalized ones; undefined for what is gone. */
type Moves = ReadonlyMap<string, string | undefined>;

/** Members of one list that name what has moved. */
type NamedMembers = readonly { readonly attribute: string; readonly value: string; readonly dn: string }[];

/** `changed`: entries that have been renamed or removed, and others, which name nothing new. */
export async function followReferences(
  tx: Transaction,
  changed: readonly ChangedEntry[],
  options: ApplyOptions,
): Promise<ChangedEntry[]> {
  const moves = new Map<string, string | undefined>();
  for (const { before, after } of changed)
    if (before !== undefined && before.normalizedDn !== after?.normalizedDn) moves.set(before.normalizedDn, after?.dn);
  const holders = await holdersOf(tx, [...moves.keys()]);
  const followed: ChangedEntry[] = [];
  const { refers: _, takesOver: __, isRoot: ___, generated: ____, ...rest } = options;
  for (const [id, members] of [...holders].sort(([a], [b]) => a - b)) {
    const entry = await entryByIdIn(tx, id);
    if (entry === undefined || entry.source !== undefined) continue;
    const modifications = [...renamedValues(entry, moves), ...(await renamedMembers(tx, entry, members, moves))];
    if (modifications.length === 0) continue;
    const change = { kind: 'modify' as const, dn: entry.dn, modifications };
    followed.push(await applyChange(tx, change, { ...rest, ofServer: true, isOfReference: true }));
  }
  return followed;
}

/** By id the entries that name one of these, with their members that do. */
async function holdersOf(tx: Transaction, dns: readonly string[]): Promise<Map<number, NamedMembers>> {
  const holders = new Map<number, NamedMembers[number][]>();
  let values = 0;
  for (let from = 0; from < dns.length; from += SLICE) {
    const slice = dns.slice(from, from + SLICE);
    const cut = JSON.stringify([...new Set(slice.map(cutIndexValue))]);
    for (const [id] of await tx.arrays(HOLDERS, TENANT, cut, REFERRING_MAX + 1))
      if (!holders.has(id as number)) holders.set(id as number, []);
    for (const { entry, ...member } of await membersNamingIn(tx, slice, VALUES_MAX + 1 - values)) {
      values++;
      const of = holders.get(entry);
      if (of === undefined) holders.set(entry, [member]);
      else of.push(member);
    }
    if (holders.size > REFERRING_MAX || values > VALUES_MAX)
      throw directoryFailure('adminLimitExceeded', 'Too many entries name what this change moves or removes');
  }
  return holders;
}

function renamedValues(entry: Entry, moves: Moves): Modification[] {
  const modifications: Modification[] = [];
  for (const key of NAMING) {
    const attribute = entry.attributes.get(key);
    if (attribute === undefined) continue;
    const type = schema().attributeType(key)!;
    const named = inName(entry, type);
    const isMoved = (dn: string): boolean => moves.has(dn) && !named.has(dn);
    const keys = attribute.values.map((value) => equalityKey(type, value));
    if (!keys.some(isMoved)) continue;
    const staying = new Set(keys.filter((dn) => !isMoved(dn)));
    const values: AttributeValue[] = [];
    for (const [index, dn] of keys.entries()) {
      const is = isMoved(dn) ? moves.get(dn) : attribute.values[index];
      if (is === undefined && key === BASE) throw isBase(entry);
      // It may be named already under its new name.
      const isThere = isMoved(dn) && is !== undefined && staying.has(equalityKey(type, is));
      if (is !== undefined && !isThere) values.push(is);
    }
    modifications.push({ operation: 'replace', attribute: attribute.name, values });
  }
  return modifications;
}

function inName({ dn }: Entry, type: AttributeType): ReadonlySet<string> {
  const own = parseDn(dn).rdns[0]?.avas ?? [];
  return new Set(own.filter((ava) => ava.type?.key === type.key).map(({ value }) => equalityKey(type, value)));
}

function isBase({ dn }: Entry): Error {
  return directoryFailure('notAllowedOnNonLeaf', `The entry is the base of ${dn}`);
}

/** Those that go, then those that come: names may have changed places. */
async function renamedMembers(
  tx: Transaction,
  entry: Entry,
  members: NamedMembers,
  moves: Moves,
): Promise<Modification[]> {
  const modifications: Modification[] = [];
  for (const attribute of new Set(members.map((member) => member.attribute))) {
    const type = schema().attributeType(attribute)!;
    const of = members.filter((member) => member.attribute === attribute);
    modifications.push({ operation: 'delete', attribute, values: of.map(({ value }) => value) });
    const gone = new Set(of.map(({ value }) => equalityKey(type, value)));
    const come = new Map<string, string>();
    for (const { value, dn } of of) {
      const to = moves.get(dn);
      if (to === undefined) continue;
      const is = `${to}${bitsOf(type, value)}`;
      come.set(equalityKey(type, is), is);
    }
    const there = await namedMembersIn(tx, entry, [{ attribute, values: [...come.values()] }]);
    for (const key of there.values.get(type.key)?.keys() ?? []) if (!gone.has(key)) come.delete(key);
    if (come.size > 0) modifications.push({ operation: 'add', attribute, values: [...come.values()] });
  }
  return modifications;
}
