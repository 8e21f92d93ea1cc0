// What may stand as the name of an attribute in any text of ours. RFC 4512 §2.5
//
// In      a name as another server has written it
// Out     whether it is a name or an OID, perhaps with options: letters, digits, dots, hyphens, semicolons
// Never   says that a schema has it

import { ALNUM, characterClass, isAll } from '../base/characters.ts';

const DESCRIPTION = characterClass([0x30, 0x39], [0x41, 0x5a], [0x61, 0x7a], '.-;');

export function isAttributeName(text: string): boolean {
  const first = text.charCodeAt(0);
  return first < 256 && ALNUM[first] === 1 && isAll(text, DESCRIPTION);
}
