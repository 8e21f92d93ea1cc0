// Strings as IMAP responses write them: quoted where the grammar allows it, a literal where not.
//
// In      latin1 text, a character a byte
// Out     latin1 text that can be written to the wire as it is, the CRLF of a literal included
// NUL can stand in no IMAP string and is left out.
// RFC 3501 §4.3 §9 (string, nstring, QUOTED-CHAR)

import { characterClass, isAll, without } from '../base/characters.ts';

/** TEXT-CHAR without quoted-specials. */
const PLAIN = without(characterClass([0x01, 0x7f]), '\r\n"\\');
const TEXT_CHAR = without(characterClass([0x01, 0x7f]), '\r\n');

export function imapString(text: string): string {
  if (isAll(text, PLAIN)) return `"${text}"`;
  const clean = text.includes('\0') ? text.replaceAll('\0', '') : text;
  if (!isAll(clean, TEXT_CHAR)) return `{${clean.length}}\r\n${clean}`;
  return `"${clean.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** NIL for undefined. */
export function imapNString(text: string | undefined): string {
  return text === undefined ? 'NIL' : imapString(text);
}
