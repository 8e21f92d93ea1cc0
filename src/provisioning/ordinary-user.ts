// Users as nearly all of them are: what an import brings by the hundred thousand. Of all that follows from an add nothing concerns
// them but index, log, account, routing rows and the count of SCRAM keys: those are written, and nothing else is asked.
//
// In      an add, on any thread; then the same in its transaction
// Out     what is known of it before its transaction; there the entry with all that follows, or nothing where it is none of these
//         after all: then it goes the way of all changes (change.ts), which also says what is wrong with it
// Rules   classes of CLASSES alone, attributes that users write, no members; in no place that the server reads settings from and
//         no node of the DC tree. Checks, followers and what is written along must have nothing to say about such an entry:
//         ordinary-user.test.ts asks them all

import { noteScramKeys } from '../auth/scram-counter.ts';
import { asciiLower } from '../base/characters.ts';
import type { Transaction } from '../database/operation.ts';
import { mayDoAll } from '../directory/access/check-change.ts';
import type { KeptOfEntry } from '../directory/apply-change.ts';
import { authorOf, type Caller } from '../directory/caller.ts';
import { type Dn, isAtOrBelow, parentOf, parseDn } from '../directory/dn.ts';
import { findEntryIn } from '../directory/entries.ts';
import type { Attributes, ChangedEntry, DirectoryChange } from '../directory/entry.ts';
import { type PreparedAdd, placePrepared, prepareAdd, preparedEntry } from '../directory/prepared-add.ts';
import { schema, typeKeyOf } from '../directory/schema.ts';
import { ofSuffix } from '../directory/suffix.ts';
import { synchronizeNewUser } from '../routing/synchronize.ts';
import type { ChangeGuard } from './change.ts';
import { ownDn } from './guards.ts';
import { preferredHost } from './preferred-mail-host.ts';
import { isRecording } from './replica/recorded.ts';

/** In lower case. */
export const ORDINARY_CLASSES: ReadonlySet<string> = new Set([
  ...['top', 'person', 'organizationalperson', 'inetorgperson'],
  ...['inetuser', 'inetmailuser', 'inetlocalmailrecipient', 'userpresenceprofile'],
]);

const ownPlace = ofSuffix(() => parseDn(ownDn()));

/** Undefined for what is none, and for what the schema refuses. */
export function prepareOrdinary(change: DirectoryChange): PreparedAdd | undefined {
  if (change.kind !== 'add') return undefined;
  try {
    const dn = parseDn(change.dn);
    return isOrdinaryPlace(dn) ? prepareAdd(dn, change.attributes, isOrdinary) : undefined;
  } catch {
    // Said where it is carried out: what stands above may be wrong, too.
    return undefined;
  }
}

function isOrdinaryPlace(dn: Dn): boolean {
  const isNode = dn.rdns[0]?.avas.some(({ type }) => type === undefined || type.key === 'dc') !== false;
  return !isNode && parentOf(dn) !== undefined && !isAtOrBelow(dn, ownPlace());
}

function isOrdinary(attributes: Attributes): boolean {
  for (const value of attributes.get('objectclass')?.values ?? [])
    if (typeof value !== 'string' || !ORDINARY_CLASSES.has(asciiLower(value))) return false;
  for (const key of attributes.keys())
    if (schema().attributeType(typeKeyOf(key))?.usage !== 'userApplications') return false;
  return true;
}

interface AddOptions {
  readonly caller: Caller;
  readonly kept: KeptOfEntry | undefined;
  readonly now: number;
  readonly guards: readonly ChangeGuard[];
}

/** False, and nothing is written, where the add has to go the way of all changes. */
export async function addOrdinary(
  tx: Transaction,
  prepared: PreparedAdd,
  { caller, kept = {}, now, guards }: AddOptions,
): Promise<boolean> {
  if (prepared.schema !== schema().revision || !mayDoAll(caller) || isRecording(tx)) return false;
  const parent = await findEntryIn(tx, prepared.above);
  if (parent === undefined || parent.source !== undefined) return false;
  const author = authorOf(caller);
  const { uuid, createdAt = now, modifiedAt = now } = kept;
  const as = { uuid, author, createdAt, modifiedAt, now };
  const after = preparedEntry(tx, prepared, parent, as);
  if (!after.attributes.has('mailhost') && (await preferredHost(tx, after)) !== undefined) return false;
  if (!(await placePrepared(tx, prepared, after, as))) return false;
  const added: ChangedEntry = {
    kind: 'add',
    revision: after.revision,
    before: undefined,
    after,
    movesMembers: false,
  };
  for (const guard of guards) await guard(tx, added);
  noteScramKeys(tx, undefined, after);
  await synchronizeNewUser(tx, added, uuid === undefined);
  return true;
}
