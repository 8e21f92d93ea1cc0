// Strings in responses: atom where it may be one, quoted where it can be, else a literal. RFC 3501 §4.3, §9
//
// Text here is latin1, a character a byte, as it goes out.

import { type CharacterClass, characterClass, isAll, without } from '../../../base/characters.ts';
import { ASTRING_CHAR } from '../grammar.ts';

const QUOTABLE: CharacterClass = without(characterClass([0x01, 0x7f]), '\r\n');
/** Longer ones are easier on both sides as literals. */
const QUOTED_MAX = 1024;

export function encodeString(text: string): string {
  if (text.length > QUOTED_MAX || !isAll(text, QUOTABLE)) return `{${text.length}}\r\n${text}`;
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

export function encodeNstring(text: string | undefined): string {
  return text === undefined ? 'NIL' : encodeString(text);
}

export function encodeAstring(text: string): string {
  const isAtom = text !== '' && isAll(text, ASTRING_CHAR) && text.toUpperCase() !== 'NIL';
  return isAtom ? text : encodeString(text);
}
