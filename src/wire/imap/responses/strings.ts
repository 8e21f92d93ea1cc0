// Strings in responses: atom where it may be one, quoted where it can be, else a literal. RFC 3501 §4.3, §9
//
// In      latin1 text, a character a byte
// Out     latin1 text that can be written to the wire as it is, the CRLF of a literal included
// No IMAP string can hold NUL: it is left out.

import { characterClass, isAll, without } from '../../../base/characters.ts';
import { ASTRING_CHAR } from '../grammar.ts';

/** TEXT-CHAR without quoted-specials. */
const PLAIN = without(characterClass([0x01, 0x7f]), '\r\n"\\');
const UTF8_TEXT = without(characterClass([0x01, 0xff]), '\r\n');
const TEXT_CHAR = without(characterClass([0x01, 0x7f]), '\r\n');

export function encodeString(text: string): string {
  if (isAll(text, PLAIN)) return `"${text}"`;
  const clean = text.includes('\0') ? text.replaceAll('\0', '') : text;
  if (!isAll(clean, TEXT_CHAR)) return `{${clean.length}}\r\n${clean}`;
  return `"${clean.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** NIL for null and undefined. */
export function encodeNString(text: string | null | undefined): string {
  return text === null || text === undefined ? 'NIL' : encodeString(text);
}

/** As encodeString, and UTF-8 stands in quotes. RFC 6855 §3, RFC 9051 §4.3 */
export function encodeUtf8String(text: string): string {
  return isAll(text, UTF8_TEXT) ? `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"` : encodeString(text);
}

export function encodeAstring(text: string): string {
  const isAtom = text !== '' && isAll(text, ASTRING_CHAR) && text.toUpperCase() !== 'NIL';
  return isAtom ? text : encodeString(text);
}
