// An entry as another server has it, taken over whole: add, modification, rename and move follow from the difference.
//
// In      an entry with its UUID, or a UUID that is gone there
// Out     what that changed here, each as applyChange gives it; nothing where all is as it was
// Names   an entry is found by its UUID. It stands under the name that it has there; what is below moves along. Another entry
//         of the source that has its name here is gone there, or is on its way to another name: until that comes it stands, with
//         all below it, under a name of its UUID. Where all is another server's it is removed: it comes again, whole.
//         One whose superior is not here, or not yet, stands without one; the superior adopts it when it comes
// Never   checks a schema: types and classes that ours does not know are kept as they are. Never touches an entry that is not
//         the same source's. Of an entry from a source our operational attributes (tokens) stay, and theirs do not come
// Limits  an entry of at most 16 MiB without its members; who must not hold up others moves what is below an entry before it,
//         a slice at a time
// RFC 4533 §1.1, RFC 4530

import { asciiLower } from '../base/characters.ts';
import type { Revision } from '../base/ids.ts';
import { ENTRY_LENGTH_MAX } from '../base/limits.ts';
import { TENANT } from '../base/tenant.ts';
import type { Transaction, Value } from '../database/operation.ts';
import { noteAccessChange } from './access/note-change.ts';
import { writeIndex } from './apply-change.ts';
import { logChange } from './change-log.ts';
import { childOf, type Dn, isAtOrBelow, parentOf, parseDn } from './dn.ts';
import type { AttributeDifference } from './draft.ts';
import {
  attributesToJson,
  entriesBelowIn,
  entryByIdIn,
  entryByUuidIn,
  findEntryIn,
  memberCountsToText,
} from './entries.ts';
import type { Attribute, AttributeValue, ChangedEntry, Entry, ValueCount } from './entry.ts';
import { directoryFailure } from './failure.ts';
import { equalityKey } from './matching.ts';
import { deleteMembersIn, namedMembersIn, type Values, writeMembersIn } from './member-values.ts';
import { UUID_TEXT } from './scalars.ts';
import { type AttributeDescription, schema } from './schema.ts';

export interface MirroredEntry {
  /** As it has there, where all that is here is another server's; absent: the revision that makes it. */
  readonly id?: number | undefined;
  readonly dn: string;
  readonly uuid: string;
  /** Epoch milliseconds. */
  readonly createdAt: number;
  readonly modifiedAt: number;
  readonly createdBy?: string;
  readonly modifiedBy?: string;
  /** Its change sequence number there. */
  readonly csn?: string;
  /** What mail sees in it: mail-view.ts. */
  readonly mailAs?: string;
  /** Where all is another server's: the source that it has it from. */
  readonly source?: string;
  readonly generated?: boolean;
  /** All of them; one that is missing is gone. */
  readonly attributes: readonly Attribute[];
}

export type MirroredChange =
  | { readonly kind: 'put'; readonly entry: MirroredEntry }
  | { readonly kind: 'removal'; readonly uuid: string };

export interface MirrorOptions {
  /** The name of the source that owns the entry; '' where all that is here is another server's, operational attributes too. */
  readonly source: string;
  /** Who is named in the log. */
  readonly author: string;
  /** Epoch milliseconds. */
  readonly now: number;
  /**
   * The revision that the change takes over: the other server's are ours, and the caller has raised the directory's. Absent: the
   * next one.
   */
  readonly revision?: Revision | undefined;
}

const INSERT =
  'INSERT INTO dit (id, tenant, parent, path, dn, uuid, revision, generated, created_at, created_by, modified_at, ' +
  'modified_by, attributes, member_counts, source, csn, mail_as) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)';
const UPDATE =
  'UPDATE dit SET parent = ?, path = ?, dn = ?, revision = ?, generated = ?, created_at = ?, created_by = ?, ' +
  'modified_at = ?, modified_by = ?, attributes = ?, member_counts = ?, source = ?, csn = ?, mail_as = ? WHERE id = ?';
const MOVE = 'UPDATE dit SET parent = ?, path = ?, dn = ?, revision = ? WHERE id = ?';
const ORPHAN = 'UPDATE dit SET parent = NULL WHERE parent = ?';
/** Those right below: behind the superior's path stands one RDN, and commas inside of values are escaped. */
const ADOPT =
  'UPDATE dit SET parent = ?1 WHERE tenant = ?2 AND path > ?3 AND path < ?4 AND parent IS NULL ' +
  "AND instr(substr(path, length(?3) + 1), ',') = length(path) - length(?3)";
const PAGE = 1000;

/**
 * Throws `entryAlreadyExists` where the name or the UUID is an entry's that is not of this source, `invalidDnSyntax` and
 * `adminLimitExceeded` for what cannot stand here.
 */
export async function applyMirrored(
  tx: Transaction,
  change: MirroredChange,
  options: MirrorOptions,
): Promise<ChangedEntry[]> {
  const changes = change.kind === 'put' ? await put(tx, change.entry, options) : await remove(tx, change.uuid, options);
  for (const changed of changes) await noteAccessChange(tx, changed);
  return changes;
}

async function put(tx: Transaction, entry: MirroredEntry, options: MirrorOptions): Promise<ChangedEntry[]> {
  const uuid = asciiLower(entry.uuid);
  const asked = parseDn(entry.dn);
  if (!UUID_TEXT.test(uuid) || asked.rdns.length === 0)
    throw directoryFailure('unwillingToPerform', 'An entry needs a name and a UUID');
  const above = parentOf(asked);
  const parent = above && (await findEntryIn(tx, above));
  const dn = parent === undefined ? asked : childOf(parseDn(parent.dn), asked.rdns[0]!);
  const known = await entryByUuidIn(tx, uuid);
  if (known !== undefined) checkOwner(known, options);
  if (known !== undefined && above !== undefined && isAtOrBelow(above, parseDn(known.dn)))
    throw directoryFailure('unwillingToPerform', 'An entry cannot move below itself');
  const changes = [...(await freeId(tx, entry.id, uuid, options)), ...(await makeRoom(tx, dn, uuid, options))];
  // It may have stood below who had its name.
  const before = known && (await entryByIdIn(tx, known.id));
  const contents = await contentsOf(tx, entry, before, options);
  const after = { ...operationalOf(entry, options), ...contents.kept, dn: dn.text, normalizedDn: dn.normalized };
  if (
    before !== undefined &&
    isSame(before, after) &&
    contents.differences.length === 0 &&
    isRevisionOf(before, options)
  )
    return changes;
  const placed = { ...after, parent: parent?.id, uuid };
  const { id } = entry;
  const changed =
    before === undefined
      ? await add(tx, placed, dn, { ...options, id })
      : await update(tx, before, placed, dn, options);
  await writeIndex(tx, changed.id, changed.attributes, contents.differences);
  const places = await writeMembersIn(tx, changed.id, contents.differences);
  const kind = before === undefined ? 'add' : before.dn === dn.text ? 'modify' : 'rename';
  await logChange(tx, kind, changed.revision, before ?? changed, contents.differences, {
    ...options,
    places,
    ...(kind === 'rename' ? { newDn: dn.text } : {}),
  });
  const movesMembers = contents.differences.some(({ description }) => description.type.isKeptInRows);
  changes.push({ kind, revision: changed.revision, before, after: changed, movesMembers });
  if (before !== undefined && before.normalizedDn !== dn.normalized)
    changes.push(...(await moveBelow(tx, parseDn(before.dn), changed, options)));
  if (before?.normalizedDn !== dn.normalized) await adopt(tx, changed, dn);
  return changes;
}

/**
 * Ids are the other server's, too, where all is: who has this one here is not there any more, as after that server was restored from an
 * older copy.
 */
async function freeId(
  tx: Transaction,
  id: number | undefined,
  uuid: string,
  options: MirrorOptions,
): Promise<ChangedEntry[]> {
  const standing = id === undefined ? undefined : await entryByIdIn(tx, id);
  if (standing === undefined || standing.uuid === uuid) return [];
  checkOwner(standing, options);
  return removeEntry(tx, standing, options);
}

/** Another entry that has this name here has it no more. */
async function makeRoom(tx: Transaction, dn: Dn, uuid: string, options: MirrorOptions): Promise<ChangedEntry[]> {
  const standing = await findEntryIn(tx, dn);
  if (standing === undefined || standing.uuid === uuid) return [];
  checkOwner(standing, options);
  if (options.source === '') return removeEntry(tx, standing, options);
  return moveTo(tx, standing, nameMeanwhile(standing), options);
}

/** Of an entry whose name is another's by now, and whose own has not come yet. */
export function nameMeanwhile({ dn, uuid }: Pick<Entry, 'dn' | 'uuid'>): Dn {
  const above = parentOf(parseDn(dn));
  return parseDn(above === undefined ? `entryUUID=${uuid}` : `entryUUID=${uuid},${above.text}`);
}

/** The entry stands under this name, which is nobody's, and all below it goes along. */
async function moveTo(tx: Transaction, before: Entry, dn: Dn, options: MirrorOptions): Promise<ChangedEntry[]> {
  const moved = await renamed(tx, before, dn, options);
  const below = await moveBelow(tx, parseDn(before.dn), moved.after!, options);
  await adopt(tx, moved.after!, dn);
  return [moved, ...below];
}

/** Nothing of it but its name becomes another one. Without a superior of that name it keeps the one that it has. */
async function renamed(tx: Transaction, before: Entry, dn: Dn, options: MirrorOptions): Promise<ChangedEntry> {
  const above = parentOf(dn);
  const parent = (above && (await findEntryIn(tx, above))?.id) ?? before.parent;
  const revision = options.revision ?? (await tx.nextRevision());
  await tx.run(MOVE, parent ?? null, dn.path, dn.text, revision, before.id);
  const after: Entry = { ...before, dn: dn.text, normalizedDn: dn.normalized, parent, revision };
  // Under another server's revisions each one's own change comes, and is logged then.
  if (options.revision === undefined)
    await logChange(tx, 'rename', revision, before, [], { ...options, newDn: dn.text });
  return { kind: 'rename', revision, before, after, movesMembers: false };
}

function checkOwner(entry: Entry, { source }: MirrorOptions): void {
  if (source !== '' && entry.source !== source)
    throw directoryFailure('entryAlreadyExists', `${entry.dn} is not of this source`);
}

type Operational = Pick<Entry, (typeof OPERATIONAL)[number]>;

const OPERATIONAL = [
  ...(['createdAt', 'modifiedAt', 'createdBy', 'modifiedBy', 'generated'] as const),
  ...(['source', 'csn', 'mailAs'] as const),
] as const;

function operationalOf(entry: MirroredEntry, options: MirrorOptions): Operational {
  const { createdAt, modifiedAt, generated } = entry;
  const source = options.source === '' ? entry.source : options.source;
  const texts = {
    createdBy: entry.createdBy,
    modifiedBy: entry.modifiedBy,
    source,
    csn: entry.csn,
    mailAs: entry.mailAs,
  };
  const there = Object.entries(texts).filter(([, text]) => text !== undefined && text !== '');
  return { createdAt, modifiedAt, ...(generated === true ? { generated } : {}), ...Object.fromEntries(there) };
}

function isSame(before: Entry, after: Operational & Pick<Entry, 'dn'>): boolean {
  return (['dn', ...OPERATIONAL] as const).every((key) => before[key] === after[key]);
}

/** A revision that another server gave is the entry's, whatever else it says. */
function isRevisionOf({ revision }: Entry, options: MirrorOptions): boolean {
  return options.revision === undefined || options.revision === revision;
}

interface Contents {
  readonly kept: Pick<Entry, 'attributes' | 'memberCounts'>;
  readonly differences: readonly AttributeDifference[];
}

async function contentsOf(
  tx: Transaction,
  entry: MirroredEntry,
  before: Entry | undefined,
  options: MirrorOptions,
): Promise<Contents> {
  const was = await valuesBefore(tx, before);
  const is = new Map<string, Held>();
  for (const { name, values } of entry.attributes) {
    const description = describe(name);
    if (isOurs(description, options)) continue;
    const held = heldIn(is, description);
    // The first of equal values counts; there they may be equal by no rule.
    for (const value of values) {
      const kept = description.type.isKeptInRows ? textOf(value) : value;
      const key = equalityKey(description.type, kept);
      if (!held.values.has(key)) held.values.set(key, kept);
    }
  }
  for (const [key, held] of was) if (isOurs(held.description, options)) is.set(key, held);
  const attributes = new Map<string, Attribute>();
  const memberCounts = new Map<string, ValueCount>();
  for (const [key, { description, values }] of is) {
    if (values.size === 0) continue;
    if (description.type.isKeptInRows) memberCounts.set(key, countOf(values));
    else attributes.set(key, { name: description.name, values: [...values.values()] });
  }
  const differences: AttributeDifference[] = [];
  for (const key of new Set([...was.keys(), ...is.keys()])) {
    const [old, now] = [was.get(key), is.get(key)];
    const removed = without(old?.values, now?.values);
    const added = without(now?.values, old?.values);
    if (removed.length + added.length > 0) differences.push({ description: (now ?? old)!.description, removed, added });
  }
  const unchanged = (key: string): boolean => differences.every(({ description }) => description.key !== key);
  // What has not changed is the same object: who compares entries looks at that.
  for (const key of attributes.keys()) {
    const same = before?.attributes.get(key);
    if (same !== undefined && unchanged(key)) attributes.set(key, same);
  }
  return { kept: { attributes, ...(memberCounts.size === 0 ? {} : { memberCounts }) }, differences };
}

interface Held {
  readonly description: AttributeDescription;
  readonly values: Values;
}

function heldIn(all: Map<string, Held>, description: AttributeDescription): Held {
  let held = all.get(description.key);
  if (held === undefined) {
    held = { description, values: new Map() };
    all.set(description.key, held);
  }
  return held;
}

/** By attribute, members too. */
async function valuesBefore(tx: Transaction, before: Entry | undefined): Promise<Map<string, Held>> {
  const all = new Map<string, Held>();
  if (before === undefined) return all;
  for (const { name, values } of before.attributes.values()) {
    const description = describe(name);
    const held = heldIn(all, description);
    for (const value of values) held.values.set(equalityKey(description.type, value), value);
  }
  const lists = [...(before.memberCounts?.keys() ?? [])].map((attribute) => ({ attribute, values: 'all' as const }));
  const { values } = await namedMembersIn(tx, before, lists);
  for (const [key, members] of values) all.set(key, { description: describe(key), values: members });
  return all;
}

function isOurs({ type }: AttributeDescription, { source }: MirrorOptions): boolean {
  return source !== '' && (type.usage !== 'userApplications' || type.isMade);
}

/** Members have no options: rows are by type. */
function describe(name: string): AttributeDescription {
  const known = schema().description(name);
  if (known === undefined) return foreign(name);
  return known.type.isKeptInRows && known.options.length > 0 ? schema().description(known.type.name)! : known;
}

/** Of a type that our schema does not have: octets, and a name. */
function foreign(name: string): AttributeDescription {
  const key = asciiLower(name);
  const type = {
    ...{ oid: name, names: [name], name, key, supertype: undefined, keys: [key] },
    ...{ syntax: 'OctetString' as const, equality: undefined, ordering: undefined, substrings: undefined },
    ...{ singleValued: false, isMade: false, isSecret: false, isHidden: false, isKeptInRows: false },
    ...{ isAddress: false, isOfSite: false, usage: 'userApplications' as const },
  };
  return { type, options: [], name, key };
}

function textOf(value: AttributeValue): string {
  return typeof value === 'string' ? value : Buffer.from(value).toString('latin1');
}

function countOf(values: Values): ValueCount {
  let length = 0;
  for (const value of values.values()) length += value.length;
  return { count: values.size, length };
}

/** Values that one has and the other has not, or has in another spelling. */
function without(values: Values | undefined, other: Values | undefined): AttributeValue[] {
  const found: AttributeValue[] = [];
  for (const [key, value] of values ?? []) {
    const there = other?.get(key);
    const isThere =
      typeof value === 'string' || typeof there === 'string' || there === undefined
        ? value === there
        : Buffer.compare(value, there) === 0;
    if (!isThere) found.push(value);
  }
  return found;
}

type Placed = Operational & Pick<Entry, 'attributes' | 'memberCounts' | 'dn' | 'normalizedDn' | 'parent' | 'uuid'>;

async function add(
  tx: Transaction,
  placed: Placed,
  dn: Dn,
  options: MirrorOptions & Pick<MirroredEntry, 'id'>,
): Promise<Entry> {
  const revision = options.revision ?? (await tx.nextRevision());
  const entry = entryOf(placed, options.id ?? revision, revision);
  const { createdAt, createdBy = '', modifiedAt, modifiedBy = '' } = entry;
  const first: Value[] = [entry.id, TENANT, entry.parent ?? null, dn.path, entry.dn, entry.uuid, revision];
  const times: Value[] = [entry.generated === true ? 1 : 0, createdAt, createdBy, modifiedAt, modifiedBy];
  await tx.run(INSERT, ...first, ...times, ...contentColumns(entry));
  return entry;
}

async function update(tx: Transaction, before: Entry, placed: Placed, dn: Dn, options: MirrorOptions): Promise<Entry> {
  const revision = options.revision ?? (await tx.nextRevision());
  const entry = entryOf(placed, before.id, revision);
  const { createdAt, createdBy = '', modifiedAt, modifiedBy = '' } = entry;
  const first: Value[] = [entry.parent ?? null, dn.path, entry.dn, revision];
  const times: Value[] = [entry.generated === true ? 1 : 0, createdAt, createdBy, modifiedAt, modifiedBy];
  await tx.run(UPDATE, ...first, ...times, ...contentColumns(entry), entry.id);
  return entry;
}

function entryOf(placed: Placed, id: number, revision: Revision): Entry {
  return { ...placed, id, revision };
}

function contentColumns(entry: Entry): Value[] {
  const json = attributesToJson(entry.attributes);
  if (json.length > ENTRY_LENGTH_MAX) throw directoryFailure('adminLimitExceeded', 'The entry is too large');
  const counts = entry.memberCounts === undefined ? '' : memberCountsToText(entry.memberCounts);
  return [json, counts, entry.source ?? '', entry.csn ?? '', entry.mailAs ?? ''];
}

/** Entries right below this one that had no superior here. */
async function adopt(tx: Transaction, entry: Entry, { path }: Dn): Promise<void> {
  await tx.run(ADOPT, entry.id, TENANT, path, `${path.slice(0, -1)}-`);
}

/** All below the old name go along. */
async function moveBelow(tx: Transaction, from: Dn, moved: Entry, options: MirrorOptions): Promise<ChangedEntry[]> {
  const changes: ChangedEntry[] = [];
  const to = parseDn(moved.dn);
  for (const { id, dn } of await namesBelow(tx, from))
    changes.push(...(await moveOne(tx, id, movedName(parseDn(dn), from, to), options)));
  return changes;
}

/** One of those below: whoever has its new name makes room. */
async function moveOne(tx: Transaction, id: number, dn: Dn, options: MirrorOptions): Promise<ChangedEntry[]> {
  const known = await entryByIdIn(tx, id);
  // It had the name of one that has moved.
  if (known === undefined) return [];
  const changes = await makeRoom(tx, dn, known.uuid, options);
  const before = (await entryByIdIn(tx, id))!;
  if (before.normalizedDn === dn.normalized) return changes;
  changes.push(await renamed(tx, before, dn, options));
  await adopt(tx, changes.at(-1)!.after!, dn);
  return changes;
}

interface NamedBelow {
  readonly id: number;
  readonly dn: string;
}

/** Those nearest first: where the names move up, one goes before another comes to its place. */
async function namesBelow(tx: Transaction, from: Dn): Promise<readonly NamedBelow[]> {
  const found: (NamedBelow & { readonly depth: number })[] = [];
  for (let after: string | undefined = from.path; after !== undefined; ) {
    const { entries, last } = await entriesBelowIn(tx, from, after, PAGE);
    for (const { id, dn, normalizedDn } of entries) found.push({ id, dn, depth: normalizedDn.split(',').length });
    after = last;
  }
  return found.sort((a, b) => a.depth - b.depth);
}

export interface MovedSlice {
  readonly from: string;
  /** Neither lies below the other. */
  readonly to: string;
  /** Of the entry that will stand there. */
  readonly uuid: string;
  readonly limit: number;
}

/**
 * The next entries below a name, at most `limit`, under the same names below the other one, where the entry itself comes
 * behind them. Superiors first; each keeps the one that it has, under whichever name that stands meanwhile.
 */
export async function moveSliceBelow(
  tx: Transaction,
  { from, to, uuid, limit }: MovedSlice,
  options: MirrorOptions,
): Promise<ChangedEntry[]> {
  const [old, now] = [parseDn(from), parseDn(to)];
  const changes = await makeRoom(tx, now, uuid, options);
  for (const entry of (await entriesBelowIn(tx, old, old.path, limit)).entries)
    if (entry.source === options.source)
      changes.push(...(await moveOne(tx, entry.id, movedName(parseDn(entry.dn), old, now), options)));
  for (const changed of changes) await noteAccessChange(tx, changed);
  return changes;
}

function movedName(dn: Dn, from: Dn, to: Dn): Dn {
  return dn.path === from.path ? to : childOf(movedName(parentOf(dn)!, from, to), dn.rdns[0]!);
}

async function remove(tx: Transaction, uuid: string, options: MirrorOptions): Promise<ChangedEntry[]> {
  const entry = await entryByUuidIn(tx, uuid);
  if (entry === undefined || (options.source !== '' && entry.source !== options.source)) return [];
  return removeEntry(tx, entry, options);
}

async function removeEntry(tx: Transaction, before: Entry, options: MirrorOptions): Promise<ChangedEntry[]> {
  const differences: AttributeDifference[] = [];
  for (const { description, values } of (await valuesBefore(tx, before)).values())
    if (values.size > 0) differences.push({ description, removed: [...values.values()], added: [] });
  const revision = options.revision ?? (await tx.nextRevision());
  await tx.run('DELETE FROM dit WHERE id = ?', before.id);
  await tx.run(ORPHAN, before.id);
  await writeIndex(tx, before.id, new Map(), differences);
  const movesMembers = before.memberCounts !== undefined;
  const places = movesMembers ? { places: await deleteMembersIn(tx, before.id, differences) } : {};
  await logChange(tx, 'delete', revision, before, differences, { ...options, ...places });
  return [{ kind: 'delete', revision, before, after: undefined, movesMembers }];
}
