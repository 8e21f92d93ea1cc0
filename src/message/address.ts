// Mail addresses: the syntax of SMTP paths, of directory values and of the command line.
//
// In      text on a cursor (one SMTP command line), or the whole text of an address
// Out     Address values; the local part as it is meant (quotes taken off), the domain as lower-case A-labels
// Limits  LOCAL_PART_BYTES, DOMAIN_BYTES, labels of 63
// Takes   what can be carried: dots anywhere in a local part (mobile carriers gave such addresses out), a domain of any
//         labels that DNS carries, `_` and hyphens anywhere, a dot at its end
// UTF-8   local parts are in NFC, and compared in lower case; whether a peer may say such an address is the door's to know
// Never   reads the local part: `%`, `!` and `@` in it are letters like others, they are no route
// RFC 5321 §2.3.11 §4.1.2 §4.1.3 §4.5.1 §4.5.3.1 App. C, RFC 6531 §3.3, RFC 6530 §10.1

import { isIPv4, isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';
import { ATEXT, asciiLower, characterClass, isAll } from '../base/characters.ts';
import { Cursor, SyntaxFailure } from '../base/cursor.ts';
import { Failure } from '../base/failure.ts';
import { DOMAIN_BYTES, LOCAL_PART_BYTES } from '../base/limits.ts';

export interface Address {
  /** Without quotes and backslashes, in the case it was written. Printable, in NFC; spaces. */
  readonly localPart: string;
  /** Lower-case A-labels, or a literal such as `[127.0.0.1]` or `[IPv6:::1]`; `''` only for `<postmaster>`. */
  readonly domain: string;
}

/** RFC 5321 §4.1.2 qtextSMTP, and what may follow a backslash. */
const QTEXT = characterClass([0x20, 0x21], [0x23, 0x5b], [0x5d, 0x7e]);
const QUOTED_PAIR = characterClass([0x20, 0x7e]);
const LOCAL_TEXT = characterClass([0x2e, 0x2e]);
for (let code = 0; code < 128; code++) if (ATEXT[code] === 1) LOCAL_TEXT[code] = 1;
const DOMAIN_TEXT = characterClass([0x30, 0x39], [0x41, 0x5a], [0x61, 0x7a], '-.');
const CARRIED_TEXT = characterClass([0x30, 0x39], [0x41, 0x5a], [0x61, 0x7a], '-._');
const LITERAL_TEXT = characterClass([0x30, 0x39], [0x41, 0x5a], [0x61, 0x7a], '-:.');
const DIGIT_OR_DOT = characterClass([0x30, 0x39], '.');
const HEX_COLON_DOT = characterClass([0x30, 0x39], [0x41, 0x46], [0x61, 0x66], ':.');

/**
 * `text` is a domain name of letters, digits and hyphens, without a dot at the end. The last label is not
 * all digits, so that a dotted quad without brackets is no name (RFC 3696 §2). RFC 5321 §4.1.2, RFC 1035 §2.3.4.
 */
export function isValidDomain(text: string): boolean {
  if (text.length === 0 || text.length > 253) return false;
  let label = 0;
  for (let at = 0; at <= text.length; at++) {
    const code = at < text.length ? text.charCodeAt(at) : 0x2e;
    if (code !== 0x2e) {
      if (code > 0x7a || DOMAIN_TEXT[code] === 0) return false;
      continue;
    }
    if (at === label || at - label > 63) return false;
    if (text.charCodeAt(label) === 0x2d || text.charCodeAt(at - 1) === 0x2d) return false;
    if (at === text.length && isAll(text.slice(label), DIGIT_OR_DOT)) return false;
    label = at + 1;
  }
  return true;
}

/** `text`, in lower case and without a dot at its end, if DNS carries it as a domain's name; not a dotted quad. RFC 2181 §11 */
function carriedDomain(text: string): string | undefined {
  const name = text.endsWith('.') ? text.slice(0, -1) : text;
  if (name.length === 0 || name.length > 253 || isAll(name, DIGIT_OR_DOT)) return undefined;
  let label = 0;
  for (let at = 0; at <= name.length; at++) {
    const code = at < name.length ? name.charCodeAt(at) : 0x2e;
    if (code > 0x7f || CARRIED_TEXT[code] === 0) return undefined;
    if (code !== 0x2e) continue;
    if (at === label || at - label > 63) return undefined;
    label = at + 1;
  }
  return asciiLower(name);
}

/**
 * The lower-case A-label form of a domain that a person or a directory wrote, perhaps with letters beyond ASCII
 * (RFC 5891 §5). Undefined when it is no domain name; literals are none.
 */
export function normalizeDomain(text: string): string | undefined {
  let ascii = text;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 0x7f) ascii = '';
    // domainToASCII reads a URL's host: it would cut at a slash and decode percent signs.
    else if (DOMAIN_TEXT[code] === 0) return undefined;
  }
  if (text.length > DOMAIN_BYTES) return undefined;
  const domain = ascii === '' ? domainToASCII(text) : asciiLower(ascii);
  return isValidDomain(domain) ? domain : undefined;
}

/** The IP address of an address literal as the parsers here leave it, undefined for a domain name. */
export function literalAddress(domain: string): string | undefined {
  if (!domain.startsWith('[')) return undefined;
  return domain.startsWith('[IPv6:') ? domain.slice(6, -1) : domain.slice(1, -1);
}

/** The literal of an IP address: `[192.0.2.1]`, `[IPv6:2001:db8::1]`. A mapped IPv4 address is written as IPv4. */
export function formatAddressLiteral(ip: string): string {
  if (isIPv4(ip)) return `[${ip}]`;
  const mapped = asciiLower(ip).startsWith('::ffff:') ? ip.slice(7) : '';
  return isIPv4(mapped) ? `[${mapped}]` : `[IPv6:${ip}]`;
}

/** Domain or address-literal; throws SyntaxFailure. What stands behind the `@`. */
function parseDomain(cursor: Cursor): string {
  if (cursor.peek() === 0x5b) return parseAddressLiteral(cursor);
  const start = cursor.at;
  const domain = domainOf(cursor.run(CARRIED_TEXT, DOMAIN_BYTES + 1), cursor);
  if (domain !== undefined) return domain;
  cursor.at = start;
  return cursor.fail('a domain name');
}

/** What the cursor stands behind, and the letters beyond ASCII that follow it: A-labels. */
function domainOf(text: string, cursor: Cursor): string | undefined {
  if (cursor.peek() < 0x80) return carriedDomain(text);
  return normalizeDomain(text + cursor.runBeyond(CARRIED_TEXT));
}

function parseAddressLiteral(cursor: Cursor): string {
  const start = cursor.at;
  cursor.take('[');
  const text = cursor.run(LITERAL_TEXT, DOMAIN_BYTES);
  const isClosed = cursor.tryTake(']');
  if (isClosed && isIPv4(text)) return `[${text}]`;
  const ip = text.slice(5);
  if (isClosed && asciiLower(text.slice(0, 5)) === 'ipv6:' && isAll(ip, HEX_COLON_DOT) && isIPv6(ip)) {
    // One spelling an address, so that literals compare as text.
    return `[IPv6:${new URL(`http://[${ip}]`).hostname.slice(1, -1)}]`;
  }
  cursor.at = start;
  return cursor.fail('an address literal such as [192.0.2.1] or [IPv6:2001:db8::1]');
}

/** Local-part: dot-string or quoted-string, as a value. Throws SyntaxFailure. */
function parseLocalPart(cursor: Cursor): string {
  const start = cursor.at;
  const value = cursor.peek() === 0x22 ? quotedString(cursor) : dotString(cursor);
  const name = hasBeyondAscii(value) ? value.normalize('NFC') : value;
  if (name.length > 0 && octetsOf(name) <= LOCAL_PART_BYTES && name.isWellFormed()) return name;
  cursor.at = start;
  return cursor.fail(`a local part of 1 to ${LOCAL_PART_BYTES} characters`);
}

/** Whether it can be said with SMTPUTF8 alone. */
export function isBeyondAscii({ localPart }: Address): boolean {
  return hasBeyondAscii(localPart);
}

function hasBeyondAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return true;
  return false;
}

function octetsOf(text: string): number {
  return text.length * 3 <= LOCAL_PART_BYTES ? text.length : Buffer.byteLength(text);
}

/** Dots may stand anywhere: formatAddress quotes what is no dot-string. */
function dotString(cursor: Cursor): string {
  const text = cursor.runBeyond(LOCAL_TEXT);
  return text === '' ? cursor.fail('a local part') : text;
}

function quotedString(cursor: Cursor): string {
  cursor.take('"');
  let value = '';
  for (;;) {
    value += cursor.runBeyond(QTEXT);
    if (cursor.tryTake('"')) return value;
    if (!cursor.tryTake('\\')) cursor.fail('a closing quote');
    const character = cursor.run(QUOTED_PAIR, 1);
    if (character.length === 0) cursor.fail('a printable character after the backslash');
    value += character;
  }
}

function parseMailbox(cursor: Cursor): Address {
  const localPart = parseLocalPart(cursor);
  cursor.take('@');
  return { localPart, domain: parseDomain(cursor) };
}

/** Takes a source route `@a,@b:` and forgets it: RFC 5321 App. C says to ignore it. */
function skipSourceRoute(cursor: Cursor): void {
  if (cursor.peek() !== 0x40) return;
  do {
    cursor.take('@');
    parseDomain(cursor);
  } while (cursor.tryTake(','));
  cursor.take(':');
}

/** The Reverse-path of MAIL FROM, angle brackets included; undefined is `<>`. Throws SyntaxFailure. Printers leave the brackets out. */
export function parseReversePath(cursor: Cursor): Address | undefined {
  if (!cursor.tryTake('<')) return parseMailbox(cursor);
  if (cursor.tryTake('>')) return undefined;
  skipSourceRoute(cursor);
  const address = parseMailbox(cursor);
  cursor.take('>');
  return address;
}

/** The Forward-path of RCPT TO, angle brackets included. `<postmaster>` in any case has the domain `''`. */
export function parseForwardPath(cursor: Cursor): Address {
  if (!cursor.tryTake('<')) return parseMailbox(cursor);
  const start = cursor.at;
  if (cursor.tryWord('POSTMASTER') && cursor.peek() === 0x3e) {
    const localPart = cursor.text.slice(start, cursor.at);
    cursor.at++;
    return { localPart, domain: '' };
  }
  cursor.at = start;
  skipSourceRoute(cursor);
  const address = parseMailbox(cursor);
  cursor.take('>');
  return address;
}

/**
 * A whole text as an address: a directory value, an argument, a table key. No brackets, no display name. The domain
 * may be written with letters beyond ASCII. Throws SyntaxFailure, or Failure('invalid') for a domain that is none.
 */
export function parseAddress(text: string): Address {
  const cursor = new Cursor(text);
  const localPart = parseLocalPart(cursor);
  cursor.take('@');
  if (cursor.peek() === 0x5b) {
    const domain = parseAddressLiteral(cursor);
    cursor.end();
    return { localPart, domain };
  }
  const written = cursor.rest();
  const domain = normalizeDomain(written) ?? carriedDomain(written);
  if (domain === undefined) throw new Failure('invalid', 'the domain of the address is not a domain name');
  return { localPart, domain };
}

/** What may stand behind the `@` of an address, as parseAddress leaves it; undefined for any other text. */
export function tryParseDomain(text: string): string | undefined {
  if (!text.startsWith('[')) return normalizeDomain(text) ?? carriedDomain(text);
  const cursor = new Cursor(text);
  try {
    const literal = parseAddressLiteral(cursor);
    return cursor.atEnd ? literal : undefined;
  } catch (error) {
    if (error instanceof SyntaxFailure) return undefined;
    throw error;
  }
}

/** As parseAddress, but undefined where that throws. */
export function tryParseAddress(text: string): Address | undefined {
  try {
    return parseAddress(text);
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

/**
 * Whose address this is by the sign `+`: `ann+news` is Ann's. Undefined for one without a subaddress; a local part that has to
 * be quoted has none, nor one that begins with the sign. RFC 5233 §1
 */
export function withoutSubaddress({ localPart, domain }: Address): Address | undefined {
  const plus = localPart.indexOf('+');
  if (plus <= 0 || formatLocalPart(localPart) !== localPart) return undefined;
  return { localPart: localPart.slice(0, plus), domain };
}

/** What stands behind the sign, as it is written: `News` of `ann+News`. Undefined where withoutSubaddress is, and for nothing. RFC 5233 §1 */
export function subaddressOf(address: Address): string | undefined {
  if (withoutSubaddress(address) === undefined) return undefined;
  const { localPart } = address;
  return localPart.slice(localPart.indexOf('+') + 1) || undefined;
}

/**
 * The key of our tables: lower-case `local@domain`, quotes off. Two addresses are the same to us exactly when their
 * keys are equal. The domain is what follows the last `@`. Not for output: see formatAddress.
 */
export function addressKey(address: Address): string {
  return `${lowerLocalPart(address.localPart)}@${address.domain}`;
}

/** Lower case of letters beyond ASCII too, where there are any. */
export function lowerLocalPart(localPart: string): string {
  return hasBeyondAscii(localPart) ? localPart.toLowerCase().normalize('NFC') : asciiLower(localPart);
}

/** The address as SMTP and header fields write it, the local part quoted where it has to be. Without brackets. */
export function formatAddress(address: Address): string {
  const local = formatLocalPart(address.localPart);
  return address.domain === '' ? local : `${local}@${address.domain}`;
}

function formatLocalPart(localPart: string): string {
  let atomStart = 0;
  let isDotString = localPart.length > 0;
  for (let at = 0; at <= localPart.length && isDotString; at++) {
    const code = at < localPart.length ? localPart.charCodeAt(at) : 0x2e;
    if (code === 0x2e) {
      isDotString = at > atomStart;
      atomStart = at + 1;
    } else isDotString = code > 0x7f || ATEXT[code] === 1;
  }
  if (isDotString) return localPart;
  let quoted = '"';
  for (const c of localPart) quoted += c === '"' || c === '\\' ? `\\${c}` : c;
  return `${quoted}"`;
}
