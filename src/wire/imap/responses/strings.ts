// Strings in responses: atom where it may be one, quoted where it can be, else a literal. RFC 3501 §4.3, §9
//
// Text here is latin1, a character a byte, as it goes out.

import { isAll } from '../../../base/characters.ts';
import { imapString } from '../../../message/imap-string.ts';
import { ASTRING_CHAR } from '../grammar.ts';

export function encodeAstring(text: string): string {
  const isAtom = text !== '' && isAll(text, ASTRING_CHAR) && text.toUpperCase() !== 'NIL';
  return isAtom ? text : imapString(text);
}
