// The URL of a message, or of a part of one, by one cursor. RFC 5092 §2, §11, RFC 4469 §3, RFC 4467 §3, §9
//
// In      `imap://user@host:port/mailbox;UIDVALIDITY=n/;UID=n/;SECTION=s/;PARTIAL=o.n`, or its path alone, which is of this server
//         `;EXPIRE=date;URLAUTH=access:INTERNAL:token` behind it: what it authorizes whom to, without the token what it is to
// Out     its parts, decoded
// Limits  URL_LENGTH_MAX
// Errors  SyntaxFailure

import { isUtf8 } from 'node:buffer';
import { characterClass } from '../../base/characters.ts';
import { Cursor } from '../../base/cursor.ts';
import { parseInstant } from '../../message/date.ts';
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
  /** Undefined: it says where the message is, and lets nobody see it. */
  readonly authorization: UrlAuthorization | undefined;
}

export interface UrlAuthorization {
  /** Epoch milliseconds; undefined: never. */
  readonly expire: number | undefined;
  readonly access: UrlAccess;
  /** As it was written, up to the mechanism: what the token is made of. */
  readonly rump: string;
  /** Undefined: it has none yet. */
  readonly token: UrlToken | undefined;
}

/** Who may use it. RFC 4467 §3 */
export type UrlAccess =
  | { readonly kind: 'user' | 'submit'; readonly name: string }
  | { readonly kind: 'authuser' | 'anonymous' };

export interface UrlToken {
  /** In upper case. */
  readonly mechanism: string;
  /** Hexadecimal digits, in lower case. */
  readonly digits: string;
}

/** The longest name of a mailbox has 500 characters, of 9 each at most. */
const URL_LENGTH_MAX = 8192;
/** RFC 4467 §9 */
const TOKEN_DIGITS_MIN = 32;

/** Without `;`, which parts parameters from names, `@` and `/`. */
const USER_CHAR = characterClass([0x30, 0x39], [0x41, 0x5a], [0x61, 0x7a], "-._~!$'()*+,&=%");
const HOST_CHAR = characterClass([0x30, 0x39], [0x41, 0x5a], [0x61, 0x7a], '-._[]:');
const PATH_CHAR = characterClass([0x30, 0x39], [0x41, 0x5a], [0x61, 0x7a], "-._~!$'()*+,&=%/:@");
const HEX = characterClass('0123456789ABCDEFabcdef');
const MECHANISM_CHAR = characterClass([0x30, 0x39], [0x41, 0x5a], [0x61, 0x7a], '-.');
const INSTANT_CHAR = characterClass([0x30, 0x39], '+-.:TZtz');

export function parseMessageUrl(text: string): MessageUrl {
  const cursor = new Cursor(text);
  if (text.length > URL_LENGTH_MAX) cursor.fail(`a URL of at most ${URL_LENGTH_MAX} characters`);
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
  const authorization = cursor.atEnd ? undefined : parseAuthorization(cursor);
  cursor.end();
  return { server, mailbox: decoded(cursor, name), uidValidity, uid, section, partial, authorization };
}

function parseAuthorization(cursor: Cursor): UrlAuthorization {
  let expire: number | undefined;
  if (cursor.tryWord(';EXPIRE=')) expire = parseInstant(cursor.run(INSTANT_CHAR)) ?? cursor.fail('a date of RFC 3339');
  if (!cursor.tryWord(';URLAUTH=')) cursor.fail('";URLAUTH="');
  const access = parseAccess(cursor);
  const rump = cursor.text.slice(0, cursor.at);
  return { expire, access, rump, token: cursor.tryTake(':') ? parseToken(cursor) : undefined };
}

function parseAccess(cursor: Cursor): UrlAccess {
  if (cursor.tryWord('AUTHUSER')) return { kind: 'authuser' };
  if (cursor.tryWord('ANONYMOUS')) return { kind: 'anonymous' };
  const kind = cursor.tryWord('USER+')
    ? 'user'
    : cursor.tryWord('SUBMIT+')
      ? 'submit'
      : cursor.fail('an access identifier');
  const name = cursor.run(USER_CHAR);
  return { kind, name: name === '' ? cursor.fail('a user') : decoded(cursor, name) };
}

function parseToken(cursor: Cursor): UrlToken {
  const mechanism = cursor.run(MECHANISM_CHAR).toUpperCase();
  cursor.take(':');
  const digits = cursor.run(HEX).toLowerCase();
  if (mechanism === '' || digits.length < TOKEN_DIGITS_MIN) cursor.fail('a mechanism and a token');
  return { mechanism, digits };
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
