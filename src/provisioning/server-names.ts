// What follows from `waypostServerName`: it is a host name, and no other domain has it.
//
// In      an entry as a change has made it; in its transaction
// Out     nothing; or invalidAttributeSyntax, constraintViolation, and nothing has happened

import type { Transaction } from '../database/operation.ts';
import { entriesWithIn } from '../directory/entries.ts';
import { type ChangedEntry, textValue } from '../directory/entry.ts';
import { directoryFailure } from '../directory/failure.ts';
import { SERVER_NAME_ATTRIBUTE, SERVER_NAME_KEY } from '../directory/server-names.ts';
import { normalizeDomain } from '../message/address.ts';

export async function checkServerName(tx: Transaction, { after }: ChangedEntry): Promise<void> {
  const name = after && textValue(after, SERVER_NAME_KEY);
  if (after === undefined || name === undefined) return;
  if (normalizeDomain(name) !== name.toLowerCase())
    throw directoryFailure('invalidAttributeSyntax', `${SERVER_NAME_ATTRIBUTE} is one host name in ASCII`);
  const holders = await entriesWithIn(tx, SERVER_NAME_ATTRIBUTE, name, 2);
  if (holders.some(({ id }) => id !== after.id))
    throw directoryFailure('constraintViolation', `Another domain has the ${SERVER_NAME_ATTRIBUTE} ${name}`);
}
