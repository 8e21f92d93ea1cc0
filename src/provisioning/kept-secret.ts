// A stored secret is sent to a server: who may not read it may not say to which one, either.
//
// In      who asks, and an entry as it was and as the change made it, in its transaction
// Out     nothing; or unwillingToPerform where the place changes and the secret stays
// The Directory Manager may read all secrets: for him it stays

import { asciiLower } from '../base/characters.ts';
import { mayDoAll } from '../directory/access/check-change.ts';
import type { Caller } from '../directory/caller.ts';
import { type ChangedEntry, type Entry, textValues } from '../directory/entry.ts';
import { directoryFailure } from '../directory/failure.ts';

const NONE = '[]';
/** Where it goes, as whom, and how that is made sure of. */
const PLACE = ['wayposturl', 'waypostca', 'waypoststarttls', 'waypostlogin'];
/** The words of a channel that say where: its secret goes to the hosts of `daemon` alone. */
const PLACE_WORDS = ['daemon', 'port'];

export function checkKeptSecret(caller: Caller, { before, after }: ChangedEntry): void {
  if (mayDoAll(caller) || before === undefined || after === undefined) return;
  const secret = textOf(before, 'waypostsecret');
  if (secret === NONE || secret !== textOf(after, 'waypostsecret')) return;
  if (PLACE.some((key) => textOf(before, key) !== textOf(after, key)) || placeWords(before) !== placeWords(after))
    throw directoryFailure('unwillingToPerform', 'The server changes: write a new waypostSecret in the same change');
}

function placeWords(entry: Entry): string {
  const words = textValues(entry, 'waypostkeyword').map((value) => asciiLower(value).trim().split(/\s+/));
  return JSON.stringify(words.filter(([name = '']) => PLACE_WORDS.includes(name)).sort());
}

function textOf(entry: Entry, key: string): string {
  const values = entry.attributes.get(key)?.values ?? [];
  return JSON.stringify(
    values.map((value) => (typeof value === 'string' ? value : Buffer.from(value).toString('latin1'))),
  );
}
