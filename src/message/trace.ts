// The fields that we put before a message: Return-Path and Received, and at submission what its author left out.
//
// In      values of the session and the envelope; what a peer said is taken as hostile
// Out     header lines with their CRLF: ASCII, but for addresses where SMTPUTF8 is spoken
// Never   lets a line break, NUL or other control character through: no value can begin a field of its own
// RFC 5321 §4.4, RFC 3848, RFC 6409 §8, RFC 6531 §3.7.3 §4.3

import { characterClass, isAll } from '../base/characters.ts';
import { formatAddressLiteral } from './address.ts';
import { formatMailDate } from './date.ts';

/** RFC 3848: E for EHLO, S for TLS, A for an authenticated peer. UTF8 instead of the E: RFC 6531. */
export type TransmissionType =
  | 'SMTP'
  | 'ESMTP'
  | 'ESMTPA'
  | 'ESMTPS'
  | 'ESMTPSA'
  | 'LMTP'
  | 'LMTPA'
  | 'LMTPS'
  | 'LMTPSA'
  | 'HTTP'
  | `UTF8SMTP${'' | 'S'}${'' | 'A'}`
  | `UTF8LMTP${'' | 'S'}${'' | 'A'}`;

export type ReceivedTrace = (FromPeer | FromUser) & {
  /** This host. */
  readonly hostname: string;
  readonly id: string;
  /** As formatAddress gives it. Only when the message has no other recipient: no blind copy is shown. */
  readonly recipient: string | undefined;
  /** Epoch milliseconds. */
  readonly at: number;
  /** Addresses may be UTF-8. */
  readonly isUtf8?: true;
};

interface FromPeer {
  /** What HELO or EHLO said, whatever it was; `''` when it has not come. */
  readonly helloName: string;
  /** The name that a front end has found for the peer. */
  readonly peerName?: string | undefined;
  /** The peer's IP address. */
  readonly peerAddress: string;
  readonly protocol: TransmissionType;
  /** What the peer's TLS agreed on: `TLSv1.3`, and OpenSSL's name of the cipher suite. */
  readonly tls?: { readonly protocol: string; readonly cipher: string } | undefined;
}

/** A program of this machine has handed it in. */
interface FromUser {
  readonly uid: number;
}

/** `sender` as formatSender gives it: `''` for the null reverse-path. */
export function returnPathField(sender: string, isUtf8 = false): string {
  return `Return-Path: <${addressText(sender, isUtf8)}>\r\n`;
}

export function receivedField(trace: ReceivedTrace): string {
  const { hostname, id, recipient, at, isUtf8 = false } = trace;
  const forWhom = recipient === undefined ? '' : `\r\n\tfor <${addressText(recipient, isUtf8)}>`;
  const end = ` id ${hostText(id)}${forWhom}; ${formatMailDate(at)}\r\n`;
  if ('uid' in trace)
    return `Received: by ${hostText(hostname)} (Waypost, from uid ${trace.uid})\r\n\t${end.trimStart()}`;
  const { helloName, peerName, peerAddress, protocol, tls } = trace;
  const name = peerName === undefined ? '' : `${hostText(peerName)} `;
  const peer = `${hostText(helloName)} (${name}${formatAddressLiteral(hostText(peerAddress))})`;
  // A comment: RFC 8314 §4.3 wants IANA's name of the suite in its `tls` clause, which OpenSSL's is not in TLS 1.2.
  const secured = tls === undefined ? '' : ` (${hostText(tls.protocol)} ${hostText(tls.cipher)})`;
  return `Received: from ${peer}\r\n\tby ${hostText(hostname)} (Waypost) with ${protocol}${secured}${end}`;
}

/** For a submitted message without one. RFC 6409 §8.2 */
export function dateField(at: number): string {
  return `Date: ${formatMailDate(at)}\r\n`;
}

/** For a submitted message without one; `id` is unique on this host. RFC 6409 §8.3 */
export function messageIdField(id: string, hostname: string): string {
  return `Message-ID: <${hostText(id)}@${hostText(hostname)}>\r\n`;
}

const HOST_TEXT_MAX = 255;
const HOST_TEXT = characterClass([0x30, 0x39], [0x41, 0x5a], [0x61, 0x7a], '.-_:[]');

/** A host name, address, id or cipher suite as it may stand in a trace field: `?` for each character that none of them has. */
function hostText(text: string): string {
  if (text === '') return 'unknown';
  const bounded = text.slice(0, HOST_TEXT_MAX);
  if (isAll(bounded, HOST_TEXT)) return bounded;
  let clean = '';
  for (let at = 0; at < bounded.length; at++)
    clean += HOST_TEXT[bounded.charCodeAt(at)] === 1 ? bounded.charAt(at) : '?';
  return clean;
}

/** Letters beyond ASCII stay where they may stand; what is no character at all does not. */
function addressText(address: string, isUtf8: boolean): string {
  if (!isUtf8) return visible(address);
  let clean = '';
  for (const character of address.toWellFormed())
    clean += character.codePointAt(0)! > 0x9f ? character : visible(character);
  return clean;
}

/** Printable ASCII stays, all else becomes `?`. */
export function visible(text: string): string {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code > 0x7e) return replaceInvisible(text);
  }
  return text;
}

function replaceInvisible(text: string): string {
  let clean = '';
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    clean += code < 0x20 || code > 0x7e ? '?' : text.charAt(at);
  }
  return clean;
}
