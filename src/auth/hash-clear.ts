// Clear passwords in a directory change become hashes before the change goes to the writer.
//
// Limits  ten clear values in one change: each takes 40 ms
// Never   touches a value that says by a prefix how it was made, or one that is to be deleted

import type { Attribute, AttributeValue, DirectoryChange, Modification } from '../directory/entry.ts';
import { directoryFailure } from '../directory/failure.ts';
import { findDescription } from '../directory/schema.ts';
import type { HashGate } from './hash-gate.ts';
import { hashPassword, hasScheme, PASSWORD_BYTES_MAX } from './password.ts';

const CLEAR_VALUES_MAX = 10;

/** The same change with every clear userPassword hashed. Throws `constraintViolation`, or `unavailable` from the gate. */
export async function hashClearPasswords(change: DirectoryChange, gate: HashGate): Promise<DirectoryChange> {
  let clear = 0;
  const hashed = async (values: readonly AttributeValue[]): Promise<AttributeValue[]> => {
    const result: AttributeValue[] = [];
    for (const value of values) {
      if (hasScheme(value)) {
        result.push(value);
        continue;
      }
      const octets = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
      if (octets.length === 0 || octets.length > PASSWORD_BYTES_MAX) {
        throw directoryFailure('constraintViolation', `A password has 1 to ${PASSWORD_BYTES_MAX} octets`);
      }
      if (++clear > CLEAR_VALUES_MAX) throw directoryFailure('constraintViolation', 'Too many passwords at once');
      result.push(await hashPassword(octets, gate));
    }
    return result;
  };
  switch (change.kind) {
    case 'add': {
      const attributes: Attribute[] = [];
      for (const attribute of change.attributes) {
        const isPassword = isUserPassword(attribute.name);
        attributes.push(isPassword ? { ...attribute, values: await hashed(attribute.values) } : attribute);
      }
      return { ...change, attributes };
    }
    case 'modify': {
      const modifications: Modification[] = [];
      for (const modification of change.modifications) {
        const isPassword = isUserPassword(modification.attribute) && modification.operation !== 'delete';
        modifications.push(isPassword ? { ...modification, values: await hashed(modification.values) } : modification);
      }
      return { ...change, modifications };
    }
    default:
      return change;
  }
}

function isUserPassword(name: string): boolean {
  return findDescription(name)?.key === 'userpassword';
}
