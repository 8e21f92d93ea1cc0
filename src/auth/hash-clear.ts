// Clear passwords in a directory change become hashes, and keys for SCRAM beside them, before the change goes to the writer.
//
// Limits  ten clear values in one change, a hundred in a list of changes: each takes 40 ms, its keys half of that
// Never   touches a value that says by a prefix how it was made, or one that is to be deleted

import type { Attribute, AttributeValue, DirectoryChange, Modification } from '../directory/entry.ts';
import { directoryFailure } from '../directory/failure.ts';
import { schema } from '../directory/schema.ts';
import type { HashGate } from './hash-gate.ts';
import { hashPassword, hasScheme, PASSWORD_BYTES_MAX } from './password.ts';
import { makeKeys, newSalting } from './scram-keys.ts';

const CLEAR_VALUES_MAX = 10;
const LIST_CLEAR_VALUES_MAX = 100;

export interface Hashing {
  readonly gate: HashGate;
  /** False makes hashes alone. */
  readonly makesKeys: boolean;
  /** Checked, and replaced by what says that it was not hashed. */
  readonly isDryRun?: boolean;
}

const NOT_HASHED = '{ARGON2}not hashed in a dry run';

/** What is stored for a clear password. */
export async function passwordValues(
  password: Uint8Array,
  { gate, makesKeys, isDryRun = false }: Hashing,
  salting = newSalting(),
): Promise<readonly string[]> {
  if (isDryRun) return [NOT_HASHED];
  const hash = await hashPassword(password, gate);
  const keys = makesKeys ? await makeKeys(password, gate, salting) : undefined;
  return keys === undefined ? [hash] : [hash, keys];
}

/** Throws `adminLimitExceeded` where these, which are made in one commit, have too many. */
export function checkClearPasswords(changes: readonly DirectoryChange[]): void {
  let clear = 0;
  for (const change of changes) clear += clearIn(change).length;
  if (clear > LIST_CLEAR_VALUES_MAX)
    throw directoryFailure(
      'adminLimitExceeded',
      `More than ${LIST_CLEAR_VALUES_MAX} clear passwords in a list of changes: hash them before, or use directory import`,
    );
}

function clearIn(change: DirectoryChange): AttributeValue[] {
  const lists =
    change.kind === 'add'
      ? change.attributes.filter(({ name }) => isUserPassword(name))
      : change.kind === 'modify'
        ? change.modifications.filter(setsPassword)
        : [];
  return lists.flatMap(({ values }) => values.filter((value) => !hasScheme(value)));
}

/** The same change with every clear userPassword hashed. Throws `constraintViolation`, or `unavailable` from the gate. */
export async function hashClearPasswords(change: DirectoryChange, hashing: Hashing): Promise<DirectoryChange> {
  switch (change.kind) {
    case 'add': {
      const { attributes } = change;
      checkClear(clearIn(change));
      const hashed: Attribute[] = [];
      for (const attribute of attributes) {
        hashed.push(isUserPassword(attribute.name) ? await withHashes(attribute, hashing) : attribute);
      }
      return { ...change, attributes: hashed };
    }
    case 'modify': {
      const { modifications } = change;
      checkClear(clearIn(change));
      const hashed: Modification[] = [];
      for (const modification of modifications) {
        hashed.push(setsPassword(modification) ? await withHashes(modification, hashing) : modification);
      }
      return { ...change, modifications: hashed };
    }
    default:
      return change;
  }
}

interface Values {
  readonly values: readonly AttributeValue[];
}

/** Checked before the first is hashed, so that a change with a thousand costs nothing. */
function checkClear(clear: readonly AttributeValue[]): void {
  if (clear.length > CLEAR_VALUES_MAX) throw directoryFailure('constraintViolation', 'Too many passwords at once');
  for (const value of clear) {
    const { length } = octetsOf(value);
    if (length > 0 && length <= PASSWORD_BYTES_MAX) continue;
    throw directoryFailure('constraintViolation', `A password has 1 to ${PASSWORD_BYTES_MAX} octets`);
  }
}

async function withHashes<T extends Values>(list: T, hashing: Hashing): Promise<T> {
  const values: AttributeValue[] = [];
  const salting = newSalting();
  for (const value of list.values)
    if (hasScheme(value)) values.push(value);
    else values.push(...(await passwordValues(octetsOf(value), hashing, salting)));
  return { ...list, values };
}

function setsPassword({ attribute, operation }: Modification): boolean {
  return operation !== 'delete' && isUserPassword(attribute);
}

function isUserPassword(name: string): boolean {
  return schema().description(name)?.key === 'userpassword';
}

function octetsOf(value: AttributeValue): Uint8Array {
  return typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
}
