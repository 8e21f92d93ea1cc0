// Import: records of an LDIF file, some hundreds a commit, in their order, each as any door would write it.
//
// In      records with the lines at which they begin, hashed already; what is done with entries that are there
// Out     how many were added, replaced, changed, left; the first that is refused, and nothing of what came with it
// Keeps   entryUUID and timestamps of entries that are added; other operational attributes are dropped, those of other servers
//         too, but `aci`, which people write
// Order   as they are posted, which may be before those ahead have ended: one that stands behind a commit of its run that was undone
//         does nothing, and says so
// Keys of other servers, whose secrets no file has, are left out.
// The entry that holds a site's definitions comes in as a change of cn=Subschema.

import { asciiLower } from '../base/characters.ts';
import { asFailure, type Failure } from '../base/failure.ts';
import type { Revision } from '../base/ids.ts';
import { type Operation, operation, type Transaction } from '../database/operation.ts';
import type { KeptOfEntry } from '../directory/apply-change.ts';
import type { Caller } from '../directory/caller.ts';
import { parseDn } from '../directory/dn.ts';
import { findEntryIn } from '../directory/entries.ts';
import type { Attribute, AttributeValue, DirectoryChange, Entry, Modification } from '../directory/entry.ts';
import { directoryFailure } from '../directory/failure.ts';
import { equalityKey } from '../directory/matching.ts';
import { namedMembersIn, withAllMembersIn } from '../directory/member-values.ts';
import { namingValues, type PreparedAdd } from '../directory/prepared-add.ts';
import { followsNames } from '../directory/references.ts';
import { generalizedTimeToMs, UUID_TEXT } from '../directory/scalars.ts';
import { SUBSCHEMA_DN, schema, typeKeyOf } from '../directory/schema.ts';
import { holdsSiteSchema } from '../directory/site-schema.ts';
import { applyAll, type ChangeGuard } from './change.ts';
import { takeOver } from './generated.ts';
import { addOrdinary, prepareOrdinary } from './ordinary-user.ts';
import type { ChangeSite } from './write-options.ts';

export type WithExisting = 'refuse' | 'skip' | 'replace';

export interface ImportedRecord {
  readonly change: DirectoryChange;
  readonly kept?: KeptOfEntry;
  /** Of an ordinary user. */
  readonly prepared?: PreparedAdd;
}

export interface ImportArguments {
  readonly records: readonly ImportedRecord[];
  readonly existing: WithExisting;
  readonly caller: Caller;
  /** Epoch milliseconds. */
  readonly now: number;
  readonly turn?: Turn;
}

/** The place of a commit among those of a run, from 0. After one that is undone another run begins. */
interface Turn {
  readonly run: string;
  readonly number: number;
}

export interface ImportCounts {
  readonly added: number;
  readonly replaced: number;
  /** By change records. */
  readonly changed: number;
  /** There already: left, or the same. */
  readonly skipped: number;
}

/** What a commit has done; or which record is refused, and nothing is done. */
export type ImportOutcome =
  | { readonly counts: ImportCounts }
  | { readonly refused: number; readonly failure: PlainFailure }
  | { readonly isBehindUndone: true };

/** A Failure as it crosses the threads within a result. */
export type PlainFailure = Pick<Failure, 'kind' | 'message' | 'ldap' | 'detail'>;

export function importOperation(
  guards: readonly ChangeGuard[],
  site: ChangeSite,
): Operation<ImportArguments, ImportOutcome> {
  const turns = new Turns();
  return operation('provisioning.import', async (tx, { records, existing, caller, now, turn }) => {
    if (turn !== undefined && !turns.isNext(tx, turn)) return { isBehindUndone: true };
    const counts = { added: 0, replaced: 0, changed: 0, skipped: 0 };
    for (const [at, { change, kept, prepared }] of records.entries()) {
      try {
        if (prepared !== undefined && (await addOrdinary(tx, prepared, { caller, kept, now, guards }))) {
          counts.added++;
          continue;
        }
        const step = await stepOf(tx, change, existing);
        if (step !== undefined) await applyAll(tx, [step.change], caller, { now, kept, guards, site });
        counts[step?.counts ?? 'skipped']++;
      } catch (error) {
        const { kind, message, ldap, detail } = asFailure(error);
        // What is not about this record, a full disk say, is the commit's.
        if (detail !== undefined || kind === 'full') throw error;
        return tx.rollbackWith({ refused: at, failure: { kind, message, ldap, detail } });
      }
    }
    if (turn !== undefined) turns.note(tx, turn);
    return { counts };
  });
}

/** Runs that are remembered; a server has one, seldom two. */
const RUNS_MAX = 16;

/** How far runs have come. A commit that is lost shows: its revision is not there. */
class Turns {
  readonly #done = new Map<string, { readonly number: number; readonly revision: Revision }>();

  isNext({ revision }: Transaction, { run, number }: Turn): boolean {
    if (number === 0) return true;
    const done = this.#done.get(run);
    return done?.number === number - 1 && done.revision <= revision;
  }

  /** Before the commit: whether it comes to be is seen at the next. */
  note({ revision }: Transaction, { run, number }: Turn): void {
    this.#done.delete(run);
    if (this.#done.size >= RUNS_MAX) this.#done.delete(this.#done.keys().next().value!);
    this.#done.set(run, { number, revision });
  }
}

/** For who posts it. */
export const importRecords = importOperation([], { hostname: 'localhost', mode: 'embedded' });

interface Step {
  readonly change: DirectoryChange;
  readonly counts: keyof ImportCounts;
}

/** Undefined where nothing is to be done. */
async function stepOf(tx: Transaction, change: DirectoryChange, existing: WithExisting): Promise<Step | undefined> {
  if (change.kind === 'modify') {
    const modifications = await notFollowedYet(tx, change.dn, change.modifications);
    return modifications.length === 0 ? undefined : { change: { ...change, modifications }, counts: 'changed' };
  }
  if (change.kind !== 'add') return { change, counts: 'changed' };
  const dn = parseDn(change.dn);
  const there = await findEntryIn(tx, dn);
  if (holdsSiteSchema(dn)) return definitions(change.attributes, there);
  if (isKeyWithoutSecret(change.attributes)) return undefined;
  if (there === undefined || takeOver(there, change.attributes) !== undefined) return { change, counts: 'added' };
  if (existing === 'refuse') throw directoryFailure('entryAlreadyExists', 'There is an entry of this name already');
  if (existing === 'skip') return undefined;
  const modifications = replacing(await withAllMembersIn(tx, there), change.attributes);
  if (modifications.length === 0) return undefined;
  return { change: { kind: 'modify', dn: there.dn, modifications }, counts: 'replaced' };
}

/**
 * Without what has come about here by itself: values that name an entry follow it, and a file of changes has that as a change of its
 * own behind the rename.
 */
async function notFollowedYet(
  tx: Transaction,
  dn: string,
  modifications: readonly Modification[],
): Promise<readonly Modification[]> {
  const typeOf = ({ operation, attribute, values }: Modification) => {
    const type = schema().description(attribute)?.type;
    const isOne = (operation === 'add' || operation === 'delete') && values.length > 0;
    return isOne && type !== undefined && followsNames(type) ? type : undefined;
  };
  const entry = modifications.some((each) => typeOf(each) !== undefined)
    ? await findEntryIn(tx, parseDn(dn))
    : undefined;
  if (entry === undefined) return modifications;
  const members = await namedMembersIn(tx, entry, modifications);
  const there = new Map<string, Set<string>>();
  const left: Modification[] = [];
  for (const each of modifications) {
    const type = typeOf(each);
    if (type === undefined) {
      left.push(each);
      continue;
    }
    const own = entry.attributes.get(type.key)?.values ?? [];
    const held =
      there.get(type.key) ??
      new Set(members.values.get(type.key)?.keys() ?? own.map((value) => equalityKey(type, value)));
    there.set(type.key, held);
    const adds = each.operation === 'add';
    const values = each.values.filter((value) => held.has(equalityKey(type, value)) !== adds);
    for (const value of values) held[adds ? 'add' : 'delete'](equalityKey(type, value));
    if (values.length > 0) left.push({ ...each, values });
  }
  return left;
}

/** Another server's: exports have no secrets of keys, and without it nobody signs. */
function isKeyWithoutSecret(attributes: readonly Attribute[]): boolean {
  const has = (key: string) => attributes.some(({ name }) => asciiLower(name) === key);
  return has('waypostkeypublic') && !has('waypostkeysecret');
}

/** Those that are not there yet. */
function definitions(attributes: readonly Attribute[], there: Entry | undefined): Step | undefined {
  const modifications = ['attributeTypes', 'objectClasses'].flatMap((name): Modification[] => {
    const known = there?.attributes.get(asciiLower(name))?.values ?? [];
    const given = attributes
      .filter((each) => asciiLower(each.name) === asciiLower(name))
      .flatMap(({ values }) => values);
    const values = given.filter((value) => !known.includes(value));
    return values.length === 0 ? [] : [{ operation: 'add', attribute: name, values }];
  });
  if (modifications.length === 0) return undefined;
  return { change: { kind: 'modify', dn: SUBSCHEMA_DN, modifications }, counts: 'added' };
}

/** What makes the entry what the record says. Secrets go only where the record has others: most files have none. */
function replacing(there: Entry, attributes: readonly Attribute[]): Modification[] {
  const given = new Map<string, Attribute>();
  for (const attribute of attributes)
    given.set(schema().description(attribute.name)?.key ?? asciiLower(attribute.name), attribute);
  // As an add: what the name says is the entry's, whether the record lists it or not.
  for (const { typeText, value } of namingValues(parseDn(there.dn).rdns[0]!)) {
    const key = schema().description(typeText)?.key ?? asciiLower(typeText);
    const values = given.get(key)?.values ?? [];
    if (!areThere([...values, value], key, values)) given.set(key, { name: typeText, values: [...values, value] });
  }
  const modifications: Modification[] = [];
  for (const [key, { name }] of there.attributes) {
    const type = schema().attributeType(typeKeyOf(key));
    if (!given.has(key) && type?.isMade !== true && type?.isSecret !== true)
      modifications.push({ operation: 'replace', attribute: name, values: [] });
  }
  for (const [key, { name, values }] of given)
    if (!areThere(there.attributes.get(key)?.values ?? [], key, values))
      modifications.push({ operation: 'replace', attribute: name, values });
  return modifications;
}

/** Whether these values are those that are there; the superclasses of a class need not be named. */
function areThere(there: readonly AttributeValue[], key: string, values: readonly AttributeValue[]): boolean {
  const type = schema().attributeType(typeKeyOf(key));
  const all = key === 'objectclass' ? [...values, ...schema().withSuperclasses(values)] : values;
  const keys = (list: readonly AttributeValue[]): Set<string> =>
    new Set(list.map((value) => (type === undefined ? String(value) : equalityKey(type, value))));
  return keys(there).symmetricDifference(keys(all)).size === 0;
}

/** What other servers keep at their entries: it means nothing here. What locks an account is not among it, and is refused. */
const OF_OTHERS: ReadonlySet<string> = new Set([
  ...['authtimestamp', 'pwdchangedtime', 'pwdfailuretime', 'pwdhistory', 'pwdgraceusetime'],
  ...[
    'pwdreset',
    'pwdpolicysubentry',
    'pwdlastsuccess',
    'numsubordinates',
    'subordinatecount',
    'nsuniqueid',
    'entryid',
  ],
  ...['parentid', 'passwordexpirationtime', 'passwordexpwarned', 'passwordretrycount', 'retrycountresettime'],
  ...['passwordhistory', 'passwordgraceusertime', 'passwordallowchangetime', 'passwordpolicysubentry'],
  ...['pwdupdatetime', 'lastlogintime', 'lastloginhistory', 'internalcreatorsname', 'internalmodifiersname'],
  ...['tombstonenumsubordinates', 'nsparentuniqueid'],
  ...['dscorepropagationdata', 'entryttl'],
]);

/** An entry of a file as it is to be added here. */
export function importedRecord(change: DirectoryChange): ImportedRecord {
  if (change.kind !== 'add') return { change };
  const attributes: Attribute[] = [];
  const kept: { uuid?: string; createdAt?: number; modifiedAt?: number } = {};
  for (const attribute of change.attributes) {
    const type = schema().description(attribute.name)?.type;
    const [value] = attribute.values;
    if (type?.isMade === true && typeof value === 'string') {
      const at = generalizedTimeToMs(value);
      if (type.key === 'entryuuid' && UUID_TEXT.test(value)) kept.uuid = asciiLower(value);
      else if (type.key === 'createtimestamp' && at !== undefined) kept.createdAt = at;
      else if (type.key === 'modifytimestamp' && at !== undefined) kept.modifiedAt = at;
    } else if (type?.isMade !== true && !OF_OTHERS.has(asciiLower(attribute.name))) attributes.push(attribute);
  }
  const added = { ...change, attributes };
  const prepared = prepareOrdinary(added);
  return { change: added, kept, ...(prepared === undefined ? {} : { prepared }) };
}
