// A stored secret is sent to a server: who may not read it may not say to which one, either.
//
// In      who asks, and an entry as it was and as the change made it, in its transaction
// Out     nothing; or unwillingToPerform where the place changes and the secret stays
// The Directory Manager may read all secrets: for him it stays

import { mayDoAll } from '../directory/access/check-change.ts';
import type { Caller } from '../directory/caller.ts';
import type { ChangedEntry, Entry } from '../directory/entry.ts';
import { directoryFailure } from '../directory/failure.ts';

const NONE = '[]';
/** Where it goes, as whom, and how that is made sure of. */
const PLACE = ['wayposturl', 'waypostca', 'waypoststarttls', 'waypostlogin'];

export function checkKeptSecret(caller: Caller, { before, after }: ChangedEntry): void {
  if (mayDoAll(caller) || before === undefined || after === undefined) return;
  const secret = textOf(before, 'waypostsecret');
  if (secret === NONE || secret !== textOf(after, 'waypostsecret')) return;
  if (PLACE.some((key) => textOf(before, key) !== textOf(after, key)))
    throw directoryFailure('unwillingToPerform', 'The server changes: write a new waypostSecret in the same change');
}

function textOf(entry: Entry, key: string): string {
  const values = entry.attributes.get(key)?.values ?? [];
  return JSON.stringify(
    values.map((value) => (typeof value === 'string' ? value : Buffer.from(value).toString('latin1'))),
  );
}
