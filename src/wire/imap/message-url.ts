// The URL of a message, or of a part of one, by one cursor. RFC 5092 §2, §11, RFC 4469 §3
//
// In      `imap://user@host:port/mailbox;UIDVALIDITY=n/;UID=n/;SECTION=s/;PARTIAL=o.n`, or its path alone, which is of this server
// Out     its parts, decoded
// Errors  SyntaxFailure

import { isUtf8 } from 'node:buffer';
import { characterClass } from '../../base/characters.ts';
import { Cursor } from '../../base/cursor.ts';
import { parseSection } from './body-section.ts';
import { ImapCursor } from './grammar.ts';
import type { BodySection } from './values.ts';

export interface MessageUrl {
  /** Undefined: the one that is asked. */
  readonly server: { readonly user: string | undefined; readonly host: string } | undefined;
  /** In Unicode. */
  readonly mailbox: string;
  readonly uidValidity: number | undefined;
  readonly uid: number;
  /** Undefined: all of the message. */
  readonly section: BodySection | undefined;
  /** `length` is Infinity where none is said. */
  readonly partial: { readonly offset: number; readonly length: number } | undefined;
}

/** Without `;`, which parts parameters from names, `@` and `/`. */
const USER_CHAR = characterClass([0x30, 0x39], [0x41, 0x5a], [0x61, 0x7a], "-._~!$'()*+,&=%");
const HOST_CHAR = characterClass([0x30, 0x39], [0x41, 0x5a], [0x61, 0x7a], '-._[]:');
const PATH_CHAR = characterClass([0x30, 0x39], [0x41, 0x5a], [0x61, 0x7a], "-._~!$'()*+,&=%/:@");
const HEX = characterClass('0123456789ABCDEFabcdef');

export function parseMessageUrl(text: string): MessageUrl {
  const cursor = new Cursor(text);
  const server = cursor.tryWord('IMAP://') ? parseServer(cursor) : undefined;
  cursor.take('/');
  let name = cursor.run(PATH_CHAR);
  let uidValidity: number | undefined;
  if (cursor.tryWord(';UIDVALIDITY=')) {
    uidValidity = cursor.number(10);
    cursor.take('/');
  } else if (name.endsWith('/')) name = name.slice(0, -1);
  else cursor.fail('"/;UID="');
  if (!cursor.tryWord(';UID=')) cursor.fail('";UID="');
  const uid = cursor.number(10);
  const section = cursor.tryWord('/;SECTION=') ? sectionOf(decoded(cursor, cursor.run(USER_CHAR))) : undefined;
  const partial = cursor.tryWord('/;PARTIAL=') ? parsePart(cursor) : undefined;
  cursor.end();
  return { server, mailbox: decoded(cursor, name), uidValidity, uid, section, partial };
}

function parseServer(cursor: Cursor): MessageUrl['server'] {
  const start = cursor.at;
  const user = cursor.run(USER_CHAR);
  if (cursor.tryWord(';AUTH=')) cursor.run(USER_CHAR);
  const hasUser = cursor.tryTake('@');
  if (!hasUser) cursor.at = start;
  const host = cursor.run(HOST_CHAR);
  return { user: hasUser && user !== '' ? decoded(cursor, user) : undefined, host: withoutPort(host).toLowerCase() };
}

function withoutPort(host: string): string {
  const colon = host.lastIndexOf(':');
  return colon > host.lastIndexOf(']') ? host.slice(0, colon) : host;
}

function parsePart(cursor: Cursor): MessageUrl['partial'] {
  const offset = cursor.number(10);
  const length = cursor.tryTake('.') ? cursor.number(10) : Number.POSITIVE_INFINITY;
  return { offset, length };
}

function sectionOf(text: string): BodySection {
  const cursor = new ImapCursor(`[${text}]`);
  const section = parseSection(cursor);
  cursor.end();
  return section;
}

/** `%20` and the like, UTF-8. */
function decoded(cursor: Cursor, text: string): string {
  if (!text.includes('%')) return text;
  let octets = '';
  for (let i = 0; i < text.length; i++) {
    if (text.charAt(i) !== '%') {
      octets += text.charAt(i);
      continue;
    }
    const [high, low] = [text.charCodeAt(i + 1), text.charCodeAt(i + 2)];
    if (!(HEX[high] === 1 && HEX[low] === 1)) cursor.fail('two hexadecimal digits behind %');
    octets += String.fromCharCode(Number.parseInt(text.slice(i + 1, i + 3), 16));
    i += 2;
  }
  const bytes = Buffer.from(octets, 'latin1');
  return isUtf8(bytes) ? bytes.toString() : cursor.fail('UTF-8');
}
