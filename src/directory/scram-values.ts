// Values of userPassword that are keys for SCRAM, beside those that say how a password was hashed.
//
// Keys follow their password: a modification that takes a value of userPassword away takes the keys too that it does not
// name, so that no old password lives on in them.

import type { Draft } from './draft.ts';
import type { AttributeValue, Entry } from './entry.ts';
import { schema } from './schema.ts';

export const SCRAM_PREFIX = '{SCRAM-SHA-256}';

export function isScramKeys(value: AttributeValue): boolean {
  const prefix =
    typeof value === 'string' ? value : Buffer.from(value.subarray(0, SCRAM_PREFIX.length)).toString('latin1');
  return prefix.slice(0, SCRAM_PREFIX.length).toUpperCase() === SCRAM_PREFIX;
}

/** After a deletion in `attribute`: keys that were there before the modification, and still are, go. */
export function dropOldKeys(draft: Draft, before: Entry, attribute: string): void {
  const description = schema().description(attribute);
  if (description?.key !== 'userpassword') return;
  for (const value of before.attributes.get('userpassword')?.values ?? [])
    if (isScramKeys(value) && draft.has(description, value)) draft.delete(attribute, [value]);
}

/** Whether more has changed in userPassword than that keys came to a password that was there. */
export function changesPassword(before: readonly AttributeValue[], after: readonly AttributeValue[]): boolean {
  const isOld = (value: AttributeValue): boolean => before.some((other) => isSame(value, other));
  return !sameValues(
    before,
    after.filter((value) => isOld(value) || !isScramKeys(value)),
  );
}

/** In this order. */
export function sameValues(a: readonly AttributeValue[], b: readonly AttributeValue[]): boolean {
  return a.length === b.length && a.every((value, at) => isSame(value, b[at]!));
}

function isSame(a: AttributeValue, b: AttributeValue): boolean {
  return octetsOf(a).equals(octetsOf(b));
}

function octetsOf(value: AttributeValue): Buffer {
  return typeof value === 'string' ? Buffer.from(value, 'utf8') : Buffer.from(value);
}
