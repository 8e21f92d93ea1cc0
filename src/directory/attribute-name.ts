// What may stand as the name of an attribute in any text of ours. RFC 4512 §2.5
//
// In      a name as another server has written it, or as this program does
// Out     whether it is a name or an OID, perhaps with options: letters, digits, dots, hyphens, semicolons; the key of our own ones
// Never   says that a schema has it

import { ALNUM, asciiLower, characterClass, isAll } from '../base/characters.ts';

const DESCRIPTION = characterClass([0x30, 0x39], [0x41, 0x5a], [0x61, 0x7a], '.-;');

export function isAttributeName(text: string): boolean {
  const first = text.charCodeAt(0);
  return first < 256 && ALNUM[first] === 1 && isAll(text, DESCRIPTION);
}

const keys = new Map<string, string>();

/**
 * The key of an attribute in an entry, by a name that stands in this program: these are few. Made anew for each entry it would
 * have to be looked up among all texts of the thread before it is looked up in the entry.
 */
export function attributeKey(name: string): string {
  let key = keys.get(name);
  if (key === undefined) keys.set(name, (key = asciiLower(name)));
  return key;
}
