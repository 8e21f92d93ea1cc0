// Entries as the tables hold them, and the look-ups: on any thread with a Reader, in an operation with its transaction.
//
// Each look-up is one statement. `find` may return undefined; `get` returns what must be there, or throws `noSuchObject`.

import { asciiLower } from '../base/characters.ts';
import { idOf } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import type { Reader, RowsOf, Transaction, Value } from '../database/operation.ts';
import { type Dn, normalizedOfPath, parentOf, parseDn } from './dn.ts';
import type { Attribute, Attributes, AttributeValue, Entry, MemberCounts } from './entry.ts';
import { directoryFailure } from './failure.ts';
import { indexKeyFor } from './indexes.ts';
import { schema } from './schema.ts';
import { TOKEN_KEY } from './token.ts';

type Query = readonly [sql: string, ...parameters: Value[]];

export const ENTRY_COLUMNS =
  'dit.id, dit.parent, dit.path, dit.dn, dit.uuid, dit.revision, dit.generated, dit.created_at, dit.created_by, ' +
  'dit.modified_at, dit.modified_by, dit.attributes, dit.member_counts, dit.source, dit.csn, ' +
  'dit.mail_as';

const BY_PATH = `SELECT ${ENTRY_COLUMNS} FROM dit WHERE tenant = ? AND path = ?`;
const BY_ID = `SELECT ${ENTRY_COLUMNS} FROM dit WHERE id = ?`;
const BY_UUID = `SELECT ${ENTRY_COLUMNS} FROM dit WHERE tenant = ? AND uuid = ?`;
const CHILDREN = `SELECT ${ENTRY_COLUMNS} FROM dit WHERE parent = ? AND id > ? ORDER BY id LIMIT +?`;
const AFTER = `SELECT ${ENTRY_COLUMNS} FROM dit WHERE id > ? ORDER BY id LIMIT +?`;
const BELOW = `SELECT ${ENTRY_COLUMNS} FROM dit WHERE tenant = ? AND path > ? AND path < ? ORDER BY path LIMIT +?`;
const COUNT_BELOW = 'SELECT count(*) FROM (SELECT 1 FROM dit WHERE tenant = ? AND path > ? AND path < ? LIMIT +?)';
const IN_TREE = `SELECT ${ENTRY_COLUMNS} FROM dit WHERE tenant = ? AND path > ? ORDER BY path LIMIT +?`;
const ROOTS = 'SELECT dn FROM dit WHERE parent IS NULL AND tenant = ? ORDER BY id LIMIT 100';
const ANY_CHILD = 'SELECT 1 FROM dit WHERE parent = ? LIMIT 1';
const WITH_VALUE =
  `SELECT ${ENTRY_COLUMNS} FROM dit_index JOIN dit ON dit.id = dit_index.entry ` +
  'WHERE dit_index.tenant = ? AND attribute = ? AND value = ? AND entry > ? ORDER BY entry LIMIT +?';
const WITH_TOKENS =
  `SELECT ${ENTRY_COLUMNS} FROM dit WHERE id > ? AND id IN ` +
  '(SELECT entry FROM dit_index WHERE tenant = ? AND attribute = ?) ORDER BY id LIMIT +?';
const IN_INDEX =
  'SELECT value, entry FROM dit_index WHERE tenant = ? AND attribute = ? AND (value, entry) > (?, ?) ' +
  'ORDER BY value, entry LIMIT +?';
const INDEXED_VALUES =
  'SELECT DISTINCT value FROM dit_index WHERE tenant = ? AND attribute = ? ORDER BY value LIMIT +?';
const COUNT_WITH_VALUE = 'SELECT count(*) FROM dit_index WHERE tenant = ? AND attribute = ? AND value = ?';
const WITH_VALUE_BELOW =
  `SELECT ${ENTRY_COLUMNS} FROM dit_index JOIN dit ON dit.id = dit_index.entry ` +
  'WHERE dit_index.tenant = ? AND attribute = ? AND value = ? AND path > ? AND path < ? LIMIT +?';
const MIRRORED =
  "SELECT id, uuid, csn, modified_at FROM dit WHERE source = ? AND source <> '' AND id > ? ORDER BY id LIMIT +?";
const MIRRORED_ONE = 'SELECT csn, modified_at FROM dit WHERE tenant = ? AND uuid = ? AND source = ?';
const COUNT_MIRRORED = "SELECT count(*) FROM dit WHERE source = ? AND source <> ''";
const NEAREST_ENTRY =
  `SELECT ${ENTRY_COLUMNS} FROM dit WHERE tenant = ? AND path IN (SELECT value FROM json_each(?)) ` +
  'ORDER BY length(path) DESC LIMIT 1';
const NEAREST =
  'SELECT dn FROM dit WHERE tenant = ? AND path IN (SELECT value FROM json_each(?)) ORDER BY length(path) DESC LIMIT 1';

// What is asked, once for both: a Reader's answers are there at once, a transaction's are awaited.

const named = (dn: string | Dn): Dn => (typeof dn === 'string' ? parseDn(dn) : dn);
const byPath = (dn: Dn): Query => [BY_PATH, TENANT, dn.path];
const anyChild = (parent: number): Query => [ANY_CHILD, parent];

/** None for a value that is not indexed: the entries that hold it cannot be found this way. */
const withValue = (attribute: string, value: AttributeValue, limit: number, after: number): Query | undefined => {
  const key = indexKeyFor(attribute, value);
  return key === undefined ? undefined : [WITH_VALUE, TENANT, ...key, after, limit];
};

const nearest = (dn: Dn): Query => [NEAREST, TENANT, JSON.stringify(pathsAbove(dn))];

const nearestEntryQuery = (dn: Dn): Query => [NEAREST_ENTRY, TENANT, JSON.stringify([dn.path, ...pathsAbove(dn)])];

/** Characters of all values. */
const REMEMBERED_LENGTH = 16_384;

const ENTRIES_BY_PATH: RowsOf<Entry> = {
  table: 'dit',
  isUnique: true,
  isSmall({ attributes }) {
    let length = 0;
    for (const { values } of attributes.values()) for (const value of values) length += value.length;
    return length <= REMEMBERED_LENGTH;
  },
};

function pathsAbove(dn: Dn): string[] {
  const paths: string[] = [];
  for (let above = parentOf(dn); above !== undefined; above = parentOf(above)) paths.push(above.path);
  return paths;
}

/** Throws `invalidDnSyntax` for a text that is no DN. */
export function findEntry(reader: Reader, dn: string | Dn): Entry | undefined {
  return one(reader.arrays(...byPath(named(dn))));
}

/** As findEntry; a change asks for its superior, and the domain's entry, again and again. */
export async function findEntryIn(tx: Transaction, dn: string | Dn): Promise<Entry | undefined> {
  const name = named(dn);
  return tx.remembered(ENTRIES_BY_PATH, name.path, async () => one(await tx.arrays(...byPath(name))));
}

/** Names of the entries without a superior, the oldest first: the first suffix, which the directory began with. */
export function rootNames(reader: Reader): string[] {
  return reader.arrays(ROOTS, TENANT).map(([dn]) => dn as string);
}

export function getEntry(reader: Reader, dn: string | Dn): Entry {
  const name = named(dn);
  return findEntry(reader, name) ?? absent(reader.arrays(...nearest(name)));
}

export async function getEntryIn(tx: Transaction, dn: string | Dn): Promise<Entry> {
  const name = named(dn);
  return (await findEntryIn(tx, name)) ?? absent(await tx.arrays(...nearest(name)));
}

/** The entry of this name, else the nearest one above it. */
export function nearestEntry(reader: Reader, dn: Dn): Entry | undefined {
  return one(reader.arrays(...nearestEntryQuery(dn)));
}

export async function nearestEntryIn(tx: Transaction, dn: Dn): Promise<Entry | undefined> {
  // Nearly always it is there, and the operation asks for it again.
  return (await findEntryIn(tx, dn)) ?? one(await tx.arrays(...nearestEntryQuery(dn)));
}

export function entryById(reader: Reader, id: number): Entry | undefined {
  return one(reader.arrays(BY_ID, id));
}

export async function entryByIdIn(tx: Transaction, id: number): Promise<Entry | undefined> {
  return one(await tx.arrays(BY_ID, id));
}

export function entryByUuid(reader: Reader, uuid: string): Entry | undefined {
  return one(reader.arrays(BY_UUID, TENANT, asciiLower(uuid)));
}

export async function entryByUuidIn(tx: Transaction, uuid: string): Promise<Entry | undefined> {
  return one(await tx.arrays(BY_UUID, TENANT, asciiLower(uuid)));
}

/** At most `limit` entries right below `parent` with ids above `after`, oldest first. */
export function children(reader: Reader, parent: number, limit: number, after = 0): Entry[] {
  return reader.arrays(CHILDREN, parent, after, limit).map(decodeEntry);
}

export async function childrenIn(tx: Transaction, parent: number, limit: number, after = 0): Promise<Entry[]> {
  return (await tx.arrays(CHILDREN, parent, after, limit)).map(decodeEntry);
}

/**
 * At most `limit` entries behind the one of `after`, in the order of the tree: each after its superior. With them the place for the
 * next page.
 */
export function entriesInTree(
  reader: Reader,
  after: string,
  limit: number,
): { readonly entries: Entry[]; readonly last: string | undefined } {
  const rows = reader.arrays(IN_TREE, TENANT, after, limit);
  return { entries: rows.map(decodeEntry), last: rows.length < limit ? undefined : (rows.at(-1)![2] as string) };
}

/** At most `limit` entries with ids above `after`, oldest first: a walk over the whole directory in pages. */
export function entriesAfter(reader: Reader, after: number, limit: number): Entry[] {
  return reader.arrays(AFTER, after, limit).map(decodeEntry);
}

export async function entriesAfterIn(tx: Transaction, after: number, limit: number): Promise<Entry[]> {
  return (await tx.arrays(AFTER, after, limit)).map(decodeEntry);
}

/**
 * At most `limit` entries at or below this DN, behind the one of `after`, in the order of the tree. With each its place for
 * the next page.
 */
export async function entriesBelowIn(
  tx: Transaction,
  base: Dn,
  after: string | undefined,
  limit: number,
): Promise<{ readonly entries: Entry[]; readonly last: string | undefined }> {
  const path = base.path.slice(0, -1);
  // Just before the entry itself: names that go on with a blank or a plus come before the comma, and are not below.
  const rows = await tx.arrays(BELOW, TENANT, after ?? `${path}+\u{10ffff}`, `${path}-`, limit);
  return { entries: rows.map(decodeEntry), last: rows.length < limit ? undefined : (rows.at(-1)![2] as string) };
}

/** As far as `max`. */
export function countBelow(reader: Reader, { path }: Dn, max: number): number {
  return Number(reader.arrays(COUNT_BELOW, TENANT, path, `${path.slice(0, -1)}-`, max)[0]![0]);
}

export async function countEntriesIn(tx: Transaction): Promise<number> {
  return Number((await tx.get('SELECT count(*) AS n FROM dit'))?.['n']);
}

export async function countChildrenIn(tx: Transaction, parent: number): Promise<number> {
  return Number((await tx.arrays('SELECT count(*) FROM dit WHERE parent = ?', parent))[0]![0]);
}

export function hasChildren(reader: Reader, parent: number): boolean {
  return reader.arrays(...anyChild(parent)).length > 0;
}

export async function hasChildrenIn(tx: Transaction, parent: number): Promise<boolean> {
  return (await tx.arrays(...anyChild(parent))).length > 0;
}

/** Entries of a source, by UUID, with ids above `after`. */
export function mirroredEntries(
  reader: Reader,
  source: string,
  after: number,
  limit: number,
): { readonly id: number; readonly uuid: string; readonly csn: string; readonly modifiedAt: number }[] {
  return reader.arrays(MIRRORED, source, after, limit).map(([id, uuid, csn, modifiedAt]) => ({
    id: id as number,
    uuid: uuid as string,
    csn: csn as string,
    modifiedAt: modifiedAt as number,
  }));
}

/** Of one of them, the mark of its last change there; undefined: the source has none of this UUID here. */
export function mirroredMark(
  reader: Reader,
  source: string,
  uuid: string,
): { readonly csn: string; readonly modifiedAt: number } | undefined {
  const [row] = reader.arrays(MIRRORED_ONE, TENANT, asciiLower(uuid), source);
  return row && { csn: row[0] as string, modifiedAt: row[1] as number };
}

export function countMirrored(reader: Reader, source: string): number {
  return Number(reader.arrays(COUNT_MIRRORED, source)[0]![0]);
}

/** Entries that hold this value, anywhere in the tree. `attribute` is one of indexes.ts, by any of its names. */
export function entriesWith(
  reader: Reader,
  attribute: string,
  value: AttributeValue,
  limit: number,
  after = 0,
): Entry[] {
  const query = withValue(attribute, value, limit, after);
  return query === undefined ? [] : reader.arrays(...query).map(decodeEntry);
}

export async function entriesWithIn(
  tx: Transaction,
  attribute: string,
  value: AttributeValue,
  limit: number,
  after = 0,
): Promise<Entry[]> {
  const query = withValue(attribute, value, limit, after);
  return query === undefined ? [] : (await tx.arrays(...query)).map(decodeEntry);
}

/** The entry that holds the token with this hash. */
export function entryWithToken(reader: Reader, hash: string): Entry | undefined {
  return one(reader.arrays(WITH_VALUE, TENANT, TOKEN_KEY, hash, 0, 1));
}

/** At most `limit` entries that hold tokens, with ids above `after`, oldest first. */
export function entriesWithTokens(reader: Reader, limit: number, after = 0): Entry[] {
  return reader.arrays(WITH_TOKENS, after, TENANT, TOKEN_KEY, limit).map(decodeEntry);
}

export interface IndexPlace {
  readonly value: string;
  readonly entry: number;
}

/**
 * Which entries have a value of this attribute, at most `limit` behind a place: in the order of the values, so that one with several
 * comes several times. `key` is one of indexes.ts.
 */
export function entriesIndexed(reader: Reader, key: string, limit: number, after?: IndexPlace): IndexPlace[] {
  const { value, entry } = after ?? { value: '', entry: 0 };
  return reader
    .arrays(IN_INDEX, TENANT, key, value, entry, limit)
    .map((row) => ({ value: row[0] as string, entry: row[1] as number }));
}

/** How many entries stand under this value in the index: values that are cut there are counted together. */
export function countWith(reader: Reader, attribute: string, value: AttributeValue): number {
  const key = indexKeyFor(attribute, value);
  return key === undefined ? 0 : Number(reader.arrays(COUNT_WITH_VALUE, TENANT, ...key)[0]![0]);
}

/** The values under which entries stand in the index, prepared and cut as it has them; `key` is one of indexes.ts. */
export function indexedValues(reader: Reader, key: string, limit: number): string[] {
  return reader.arrays(INDEXED_VALUES, TENANT, key, limit).map(([value]) => value as string);
}

/** As entriesWith, below an entry. */
export function entriesWithBelow(
  reader: Reader,
  base: Dn,
  [attribute, value]: readonly [attribute: string, value: AttributeValue],
  limit: number,
): Entry[] {
  const key = indexKeyFor(attribute, value);
  if (key === undefined) return [];
  // From `base,` up to what follows its last comma.
  const above = `${base.path.slice(0, -1)}-`;
  return reader.arrays(WITH_VALUE_BELOW, TENANT, ...key, base.path, above, limit).map(decodeEntry);
}

/** `matchedDn` is the nearest superior that exists. */
export function noSuchObject(matchedDn: string | undefined): Error {
  return directoryFailure('noSuchObject', 'There is no such entry', matchedDn === undefined ? {} : { matchedDn });
}

export function notALeaf(): Error {
  return directoryFailure('notAllowedOnNonLeaf', 'The entry has entries below it');
}

/** `rows` of NEAREST. */
function absent(rows: Value[][]): never {
  throw noSuchObject(rows[0]?.[0] as string | undefined);
}

function one(rows: Value[][]): Entry | undefined {
  return rows[0] === undefined ? undefined : decodeEntry(rows[0]);
}

/** A row of ENTRY_COLUMNS. */
export function decodeEntry(row: readonly Value[]): Entry {
  const [id, parent, path, dn, uuid, revision, generated, createdAt, createdBy, modifiedAt, modifiedBy, ...contents] =
    row;
  const [json, counts, source, csn, mailAs] = contents;
  return {
    id: id as number,
    parent: parent === null ? undefined : (parent as number),
    dn: dn as string,
    normalizedDn: normalizedOfPath(path as string),
    uuid: uuid as string,
    revision: idOf(revision),
    attributes: attributesOfJson(json as string),
    createdAt: createdAt as number,
    modifiedAt: modifiedAt as number,
    ...(createdBy === '' ? {} : { createdBy: createdBy as string }),
    ...(modifiedBy === '' ? {} : { modifiedBy: modifiedBy as string }),
    ...(generated === 1 ? { generated: true } : {}),
    ...(counts === '' ? {} : { memberCounts: memberCountsOf(counts as string) }),
    ...(source === '' ? {} : { source: source as string }),
    ...(csn === '' ? {} : { csn: csn as string }),
    ...(mailAs === '' ? {} : { mailAs: mailAs as string }),
  };
}

/** In the table: '' for none, else `[[attribute, count, length], ...]`. */
export function memberCountsToText(counts: MemberCounts): string {
  if (counts.size === 0) return '';
  return JSON.stringify([...counts].map(([attribute, { count, length }]) => [attribute, count, length]));
}

function memberCountsOf(text: string): MemberCounts {
  const rows = JSON.parse(text) as [attribute: string, count: number, length: number][];
  return new Map(rows.map(([attribute, count, length]) => [attribute, { count, length }]));
}

/** In the table: `[[name, [value, ...]], ...]`, an octet value as `{"b": base64}`. */
type JsonValue = string | { readonly b: string };

export function attributesToJson(attributes: Attributes): string {
  return JSON.stringify([...attributes.values()].map(({ name, values }) => [name, encodeValues(values)]));
}

export function encodeValues(values: readonly AttributeValue[]): JsonValue[] {
  return values.map((value) => (typeof value === 'string' ? value : { b: Buffer.from(value).toString('base64') }));
}

export function decodeValues(values: readonly JsonValue[]): readonly AttributeValue[] {
  if (values.every((value) => typeof value === 'string')) return values;
  return values.map((value) => (typeof value === 'string' ? value : new Uint8Array(Buffer.from(value.b, 'base64'))));
}

export function attributesOfJson(json: string): Attributes {
  const attributes = new Map<string, Attribute>();
  for (const [name, values] of JSON.parse(json) as [string, JsonValue[]][]) {
    attributes.set(schema().description(name)?.key ?? asciiLower(name), { name, values: decodeValues(values) });
  }
  return attributes;
}
