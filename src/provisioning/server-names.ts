// What follows from `waypostServerName`: it is a host name, no other domain has it, and its class stands in the entry.
//
// In      an entry as a change has made it; in its transaction
// Out     the change that adds the class; or invalidAttributeSyntax, constraintViolation, and nothing has happened

import type { Transaction } from '../database/operation.ts';
import { type ApplyOptions, applyChange } from '../directory/apply-change.ts';
import { entriesWithIn } from '../directory/entries.ts';
import { type ChangedEntry, type Entry, hasClass, textValue } from '../directory/entry.ts';
import { directoryFailure } from '../directory/failure.ts';
import { SERVER_NAME_ATTRIBUTE, SERVER_NAME_CLASS, SERVER_NAME_KEY } from '../directory/server-names.ts';
import { normalizeDomain } from '../message/address.ts';

/** The further change of the entry, if one is needed. */
export async function keepServerName(
  tx: Transaction,
  entry: Entry,
  options: ApplyOptions,
): Promise<readonly ChangedEntry[]> {
  const name = textValue(entry, SERVER_NAME_KEY);
  if (name === undefined) return [];
  if (normalizeDomain(name) !== name.toLowerCase())
    throw directoryFailure('invalidAttributeSyntax', `${SERVER_NAME_ATTRIBUTE} is one host name in ASCII`);
  const holders = await entriesWithIn(tx, SERVER_NAME_ATTRIBUTE, name, 2);
  if (holders.some(({ id }) => id !== entry.id))
    throw directoryFailure('constraintViolation', `Another domain has the ${SERVER_NAME_ATTRIBUTE} ${name}`);
  if (hasClass(entry, SERVER_NAME_CLASS.toLowerCase())) return [];
  const modification = { operation: 'add', attribute: 'objectClass', values: [SERVER_NAME_CLASS] } as const;
  return [await applyChange(tx, { kind: 'modify', dn: entry.dn, modifications: [modification] }, options)];
}
