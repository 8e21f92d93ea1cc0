// One change of the directory, whole or not at all: entry, index and change log in the caller's transaction.
//
// In      a DirectoryChange as a door asks for it; passwords are hashed already
// Out     the entry before and after; or a Failure with the LDAP result name, and nothing is written
// Limits  see base/limits.ts; an entry of at most 16 MiB without its members. A change touches only the members it names;
//         a rename takes along what is below (move-below.ts)
// Never   asks who may do it (caller.ts), makes missing superiors (provisioning/)
// Schema  an entry is checked at the end of each change: check-entry.ts
// RFC 4511 §4.6 §4.7 §4.8 §4.9, RFC 4512 §2.3

import { randomUUIDv7 } from 'node:crypto';
import { TENANT } from '../base/tenant.ts';
import type { Transaction } from '../database/operation.ts';
import { noteAccessChange } from './access/note-change.ts';
import { logChange } from './change-log.ts';
import { checkEntry } from './check-entry.ts';
import { childOf, type Dn, isAtOrBelow, parentOf, parseDn, parseRdn, type Rdn } from './dn.ts';
import { type AttributeDifference, Draft, writableDescription } from './draft.ts';
import {
  entryByUuidIn,
  findEntryIn,
  getEntryIn,
  hasChildrenIn,
  memberCountsToText,
  noSuchObject,
  notALeaf,
} from './entries.ts';
import {
  type Attributes,
  type ChangedEntry,
  type DirectoryChange,
  type Entry,
  hasClass,
  type Modification,
} from './entry.ts';
import { directoryFailure } from './failure.ts';
import { type IndexKey, indexKeyOf, isCut } from './indexes.ts';
import { deleteMembersIn, type Naming, namedMembersIn, writeMembersIn } from './member-values.ts';
import { checkSubtreeSize, moveBelow } from './move-below.ts';
import { boundedAttributes, draftOf, insertEntry, namingValues } from './prepared-add.ts';
import { isReferral, referral } from './referrals.ts';
import { type AttributeDescription, SUBSCHEMA_DN, typeKeyOf } from './schema.ts';
import { dropOldKeys } from './scram-values.ts';
import { holdsSiteSchema, isSubschema, siteSchemaChanges } from './site-schema.ts';

export interface ApplyOptions {
  /** DN of who asked, '' for the server itself. */
  readonly author: string;
  /** Epoch milliseconds. */
  readonly now: number;
  /** An add: made on the way to another entry. */
  readonly generated?: boolean;
  /** An add: the entry may stand without a superior (the suffix, the administrator). */
  readonly isRoot?: boolean;
  /** A modification may write what only the server writes: tokens. */
  readonly ofServer?: boolean;
  /** What is at another server is said, not changed here: what is a referral or would stand below one, or only the latter. */
  readonly refers?: 'any' | 'below' | undefined;
  /** An entry as another server had it: what the server makes of its own otherwise. */
  readonly kept?: KeptOfEntry | undefined;
  /** A modification: it is an add that takes over an entry made on the way, and may give it another structural class. */
  readonly takesOver?: boolean;
  /** A modification: a value goes with the entry that it names, whether a class needs one or not. */
  readonly isOfReference?: boolean;
}

export interface KeptOfEntry {
  /** Of an add; constraintViolation where another entry has it. */
  readonly uuid?: string;
  /** Epoch milliseconds; the first is an add's. */
  readonly createdAt?: number;
  readonly modifiedAt?: number;
}

type Change<K extends DirectoryChange['kind']> = Extract<DirectoryChange, { kind: K }>;

export async function applyChange(
  tx: Transaction,
  change: DirectoryChange,
  options: ApplyOptions,
): Promise<ChangedEntry> {
  if (isSubschema(parseDn(change.dn))) {
    let changed: ChangedEntry | undefined;
    for (const each of await siteSchemaChanges(tx, change))
      changed = await applyChange(tx, each, { ...options, ofServer: true });
    return changed!;
  }
  if (options.ofServer !== true && holdsSiteSchema(parseDn(change.dn)))
    throw directoryFailure('unwillingToPerform', 'Definitions are changed by a change of cn=Subschema');
  const changed = await carryOut(tx, change, options);
  await noteAccessChange(tx, changed);
  return changed;
}

function carryOut(tx: Transaction, change: DirectoryChange, options: ApplyOptions): Promise<ChangedEntry> {
  const dn = parseDn(change.dn);
  if (dn.rdns.length === 0 || isAtOrBelow(dn, SUBSCHEMA)) {
    throw directoryFailure('unwillingToPerform', 'This entry is made by the server');
  }
  switch (change.kind) {
    case 'add':
      return add(tx, dn, change, options);
    case 'modify':
      return modify(tx, dn, change, options);
    case 'rename':
      return rename(tx, dn, change, options);
    case 'delete':
      return remove(tx, dn, options);
    default:
      return change satisfies never;
  }
}

const SUBSCHEMA = parseDn(SUBSCHEMA_DN);

async function add(tx: Transaction, asked: Dn, change: Change<'add'>, options: ApplyOptions): Promise<ChangedEntry> {
  const above = parentOf(asked);
  if (above === undefined && options.isRoot !== true) throw noSuchObject(undefined);
  const isRoot = above === undefined || (options.isRoot === true && (await findEntryIn(tx, above)) === undefined);
  const parent = isRoot ? undefined : await getEntryIn(tx, above);
  if (options.refers !== undefined && parent !== undefined) checkSuperior(parent, asked);
  const dn = parent === undefined ? asked : childOf(parseDn(parent.dn), asked.rdns[0]!);
  if ((await findEntryIn(tx, dn)) !== undefined) throw alreadyExists();

  const draft = draftOf(change.attributes, dn.rdns[0]!);
  const { author, now, kept = {} } = options;
  if (kept.uuid !== undefined && (await entryByUuidIn(tx, kept.uuid)) !== undefined)
    throw directoryFailure('constraintViolation', 'Another entry has this entryUUID');
  const revision = await tx.nextRevision();
  const after: Entry = {
    id: revision,
    parent: parent?.id,
    dn: dn.text,
    normalizedDn: dn.normalized,
    // In order of time, so that new rows stand together in the indexes by UUID: RFC 9562 §5.7
    uuid: kept.uuid ?? randomUUIDv7(),
    revision,
    ...contentsOf(draft),
    createdAt: kept.createdAt ?? now,
    modifiedAt: kept.modifiedAt ?? now,
    ...(author === '' ? {} : { createdBy: author, modifiedBy: author }),
    ...(options.generated === true ? { generated: true } : {}),
  };
  const differences = draft.differences();
  checkEntry({ before: undefined, after, differences });
  const contents = {
    path: dn.path,
    attributes: boundedAttributes(after.attributes),
    memberCounts: memberCountsText(after),
  };
  await insertEntry(tx, after, contents, 'always');
  await writeIndex(tx, after.id, after.attributes, differences);
  await writeMembersIn(tx, after.id, differences);
  await logChange(tx, 'add', revision, after, differences, options);
  return { kind: 'add', revision, before: undefined, after, movesMembers: movesMembers(differences) };
}

async function modify(tx: Transaction, dn: Dn, change: Change<'modify'>, options: ApplyOptions): Promise<ChangedEntry> {
  const before = await getEntryIn(tx, dn);
  checkIsHere(before, dn, options);
  const rdn = parseDn(before.dn).rdns[0]!;
  const members = await namedMembersIn(tx, before, [...change.modifications.map(namingOf), ...inName(rdn)]);
  const draft = new Draft(before.attributes, { ofServer: options.ofServer, members });
  for (const { operation, attribute, values } of change.modifications) {
    draft[operation](attribute, values);
    if (operation === 'delete') dropOldKeys(draft, before, attribute);
  }
  // The spelling of the name that counts is the entry's own, not the request's.
  for (const { typeText, value } of rdn.avas) {
    if (!draft.has(writableDescription(typeText), value)) {
      throw directoryFailure('notAllowedOnRdn', `The value of ${typeText} in the entry's name cannot go`);
    }
  }
  draft.finish();
  const contents = contentsOf(draft);
  const differences = draft.differences();
  if (options.isOfReference !== true)
    checkEntry({ before: options.takesOver === true ? undefined : before, after: contents, differences });
  const after = await updateEntry(tx, before, dn, contents, options);
  await writeIndex(tx, after.id, after.attributes, differences);
  const places = await writeMembersIn(tx, after.id, differences);
  await logChange(tx, 'modify', after.revision, before, differences, { ...options, places });
  return { kind: 'modify', revision: after.revision, before, after, movesMembers: movesMembers(differences) };
}

async function rename(tx: Transaction, dn: Dn, change: Change<'rename'>, options: ApplyOptions): Promise<ChangedEntry> {
  const before = await getEntryIn(tx, dn);
  checkIsHere(before, dn, options);
  if (before.parent === undefined) throw directoryFailure('unwillingToPerform', 'This entry keeps its name');
  const newRdn = parseRdn(change.newRdn);
  const above = change.newSuperior === undefined ? parentOf(parseDn(before.dn))! : parseDn(change.newSuperior);
  if (isAtOrBelow(above, dn)) {
    throw directoryFailure('unwillingToPerform', 'An entry cannot move below itself');
  }
  const parent = await getEntryIn(tx, above);
  if (options.refers !== undefined && isReferral(parent))
    throw directoryFailure('affectsMultipleDSAs', 'The new superior is at another server');
  if (options.refers !== undefined) checkNoAlias(parent);
  const hasBelow = await hasChildrenIn(tx, before.id);
  if (hasBelow) await checkSubtreeSize(tx, dn);
  const newDn = childOf(parseDn(parent.dn), newRdn);
  if (newDn.path !== dn.path && (await findEntryIn(tx, newDn)) !== undefined) throw alreadyExists();

  const oldRdn = parseDn(before.dn).rdns[0]!;
  const members = await namedMembersIn(tx, before, [...inName(oldRdn), ...inName(newRdn)]);
  const draft = new Draft(before.attributes, { members });
  renameValues(draft, oldRdn, newRdn, change.deleteOldRdn);
  draft.finish();
  const contents = contentsOf(draft);
  const differences = draft.differences();
  checkEntry({ before, after: contents, differences });
  const moved = { ...contents, dn: newDn.text, normalizedDn: newDn.normalized, parent: parent.id };
  const after = await updateEntry(tx, before, newDn, moved, options);
  await writeIndex(tx, after.id, after.attributes, differences);
  const places = await writeMembersIn(tx, after.id, differences);
  await logChange(tx, 'rename', after.revision, before, differences, { ...options, places, newDn: newDn.text });
  const moves = hasBelow && after.dn !== before.dn;
  const below = moves ? { below: await moveBelow(tx, before, after, options) } : {};
  const { revision } = after;
  return { kind: 'rename', revision, before, after, movesMembers: movesMembers(differences), ...below };
}

/** RFC 4511 §4.9: the new name's values come, the old name's go where asked and where the new name does not have them. */
function renameValues(draft: Draft, oldRdn: Rdn, newRdn: Rdn, deleteOldRdn: boolean): void {
  if (deleteOldRdn) {
    for (const { typeText, value } of oldRdn.avas) {
      if (draft.has(writableDescription(typeText), value)) draft.delete(typeText, [value]);
    }
  }
  for (const { typeText, value } of namingValues(newRdn)) {
    if (!draft.has(writableDescription(typeText), value)) draft.add(typeText, [value]);
  }
}

async function remove(tx: Transaction, dn: Dn, options: ApplyOptions): Promise<ChangedEntry> {
  const before = await getEntryIn(tx, dn);
  checkIsHere(before, dn, options);
  if (before.parent === undefined) throw directoryFailure('unwillingToPerform', 'This entry cannot be deleted');
  if (await hasChildrenIn(tx, before.id)) throw notALeaf();
  const lists = [...(before.memberCounts?.keys() ?? [])].map((attribute) => ({ attribute, values: 'all' as const }));
  const draft = new Draft(before.attributes, { ofServer: true, members: await namedMembersIn(tx, before, lists) });
  for (const { name } of before.attributes.values()) draft.delete(name, []);
  for (const { attribute } of lists) draft.delete(attribute, []);
  const revision = await tx.nextRevision();
  await tx.run('DELETE FROM dit WHERE id = ?', before.id);
  const differences = draft.differences();
  await writeIndex(tx, before.id, new Map(), differences);
  const places = lists.length === 0 ? undefined : await deleteMembersIn(tx, before.id, differences);
  await logChange(tx, 'delete', revision, before, differences, places === undefined ? options : { ...options, places });
  return { kind: 'delete', revision, before, after: undefined, movesMembers: movesMembers(differences) };
}

function checkIsHere(entry: Entry, asked: Dn, { refers }: ApplyOptions): void {
  if (refers === 'any' && isReferral(entry)) throw referral(entry, asked);
}

/** RFC 4512 §2.6: nothing stands below an alias; but below the name of a domain that is another's other domains may stand. */
function checkSuperior(parent: Entry, asked: Dn): void {
  if (isReferral(parent)) throw referral(parent, asked);
  checkNoAlias(parent);
}

function checkNoAlias(parent: Entry): void {
  if (hasClass(parent, 'alias') && !hasClass(parent, 'inetdomainalias'))
    throw directoryFailure('aliasProblem', 'Nothing can stand below an alias');
}

function contentsOf(draft: Draft): Pick<Entry, 'attributes' | 'memberCounts'> {
  const memberCounts = draft.memberCounts();
  return { attributes: draft.attributes(), ...(memberCounts.size === 0 ? {} : { memberCounts }) };
}

function movesMembers(differences: readonly AttributeDifference[]): boolean {
  return differences.some(({ description }) => description.type.isKeptInRows);
}

/** A replacement takes away all that is there, as a deletion without values does. */
function namingOf({ operation, attribute, values }: Modification): Naming {
  const isAll = operation === 'replace' || operation === 'increment' || (operation === 'delete' && values.length === 0);
  return { attribute, values: isAll ? 'all' : values };
}

function inName(rdn: Rdn): Naming[] {
  return rdn.avas.map(({ typeText, value }) => ({ attribute: typeText, values: [value] }));
}

function alreadyExists(): Error {
  return directoryFailure('entryAlreadyExists', 'There is an entry of this name already');
}

const UPDATE =
  'UPDATE dit SET parent = ?, path = ?, dn = ?, revision = ?, modified_at = ?, modified_by = ?, attributes = ?, ' +
  'member_counts = ? WHERE id = ?';
const INDEX = 'INSERT INTO dit_index (tenant, attribute, value, entry) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING';
const UNINDEX = 'DELETE FROM dit_index WHERE tenant = ? AND attribute = ? AND value = ? AND entry = ?';

async function updateEntry(
  tx: Transaction,
  before: Entry,
  dn: Dn,
  changed: Partial<Entry> & Pick<Entry, 'attributes'>,
  { author, now, kept: { modifiedAt = now } = {} }: ApplyOptions,
): Promise<Entry> {
  const { modifiedBy: _, memberCounts: __, ...same } = before;
  const revision = await tx.nextRevision();
  const modified = { revision, modifiedAt, ...(author === '' ? {} : { modifiedBy: author }) };
  const after: Entry = { ...same, ...changed, ...modified };
  const contents = [boundedAttributes(after.attributes), memberCountsText(after)];
  await tx.run(UPDATE, after.parent ?? null, dn.path, after.dn, revision, modifiedAt, author, ...contents, after.id);
  return after;
}

function memberCountsText({ memberCounts }: Entry): string {
  return memberCounts === undefined ? '' : memberCountsToText(memberCounts);
}

/** The rows of dit_index that a difference takes away and adds. */
export async function writeIndex(
  tx: Transaction,
  entry: number,
  after: Attributes,
  differences: readonly AttributeDifference[],
): Promise<void> {
  for (const { description, removed } of differences) {
    const held = heldElsewhere(after, description);
    for (const value of removed) {
      const key = indexKeyOf(description.type, value);
      if (key !== undefined && !held(key)) await tx.run(UNINDEX, TENANT, ...key, entry);
    }
  }
  for (const { description, added } of differences) {
    for (const value of added) {
      const key = indexKeyOf(description.type, value);
      if (key !== undefined) await tx.run(INDEX, TENANT, ...key, entry);
    }
  }
}

/**
 * Whether another value of the entry needs this row too: values that are cut to the same beginning share one, and those
 * under different options. Each is gathered once, and only when it can matter: a large group must not pay for each member.
 */
function heldElsewhere(after: Attributes, { key: own, type }: AttributeDescription): (key: IndexKey) => boolean {
  const gather = (ofOwn: boolean) => {
    const rows = new Set<string | undefined>();
    for (const [key, { values }] of after) {
      if (typeKeyOf(key) !== type.key || (key === own) !== ofOwn) continue;
      for (const value of values) rows.add(indexKeyOf(type, value)?.[1]);
    }
    return rows;
  };
  let ofOthers: Set<string | undefined> | undefined;
  let ofOwn: Set<string | undefined> | undefined;
  return ([, value]) => {
    ofOthers ??= gather(false);
    return ofOthers.has(value) || (isCut(value) && (ofOwn ??= gather(true)).has(value));
  };
}
