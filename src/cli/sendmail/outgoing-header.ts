// The header of a message that a local program hands in: whom it names, and what is missing in it.
//
// In      the beginning of the message, lines ended by CRLF, its whole header where that is not too long
// Out     recipients of -t; the bytes with an empty line where the text begins without one, and with From
// Limits  HEADER_BYTES of header are read, HEADER_ADDRESSES_MAX addresses a field: beyond, Failure 'too-large'
// A line that is no field ends the header, as other sendmails have it: `echo text | sendmail ann` has no header at all.
// RFC 5322 §3.6.2 §3.6.3 §3.6.6

import { Failure } from '../../base/failure.ts';
import { HEADER_ADDRESSES_MAX } from '../../base/limits.ts';
import { type Address, formatAddress } from '../../message/address.ts';
import { parseAddressList } from '../../message/addresses.ts';
import { fieldValue, findField, type Header, parseHeader } from '../../message/header.ts';

const TO: ReadonlySet<string> = new Set(['to', 'cc', 'bcc']);
const RESENT_TO: ReadonlySet<string> = new Set(['resent-to', 'resent-cc', 'resent-bcc']);

export interface OutgoingHeader {
  /** `local@domain` or `local`. A message that is sent again goes to those of its Resent fields alone. */
  readonly recipients: readonly string[];
  /** The beginning again, as it is sent. */
  readonly bytes: Buffer;
}

/** `author` is for the From field of a message without one; undefined: none is added. */
export function outgoingHeader(beginning: Buffer, author: string | undefined): OutgoingHeader {
  const header = parseHeader(beginning);
  const end = header.fields.find(({ name }) => name === '')?.start;
  const fields = end === undefined ? header.fields : header.fields.filter(({ start }) => start < end);
  const own = { ...header, fields };
  const before = author === undefined || hasAuthor(own) ? '' : `From: ${author}\r\n`;
  const cut = end ?? (header.hasEmptyLine ? undefined : header.end);
  const parts: Buffer[] = [Buffer.from(before, 'utf8')];
  if (cut === undefined) parts.push(beginning);
  else parts.push(beginning.subarray(0, cut), Buffer.from('\r\n'), beginning.subarray(cut));
  return { recipients: recipientsOf(own), bytes: Buffer.concat(parts) };
}

/** What From says of a sender. RFC 5322 §3.4 */
export function authorText(address: Address, fullName: string | undefined): string {
  const name = fullName === undefined ? '' : printable(fullName).trim();
  if (name === '') return formatAddress(address);
  return `"${name.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}" <${formatAddress(address)}>`;
}

function hasAuthor(header: Header): boolean {
  return findField(header, 'from') !== undefined || findField(header, 'resent-from') !== undefined;
}

function recipientsOf(header: Header): string[] {
  const isResent = header.fields.some(({ name }) => RESENT_TO.has(name));
  const wanted = isResent ? RESENT_TO : TO;
  return header.fields
    .filter(({ name }) => wanted.has(name))
    .flatMap((field) => addressesIn(fieldValue(header, field)));
}

/** The addresses of a list as people write it, latin1: `Ann <ann@acme.example>, bob`. What stands in a group counts, its name does not. */
export function addressesIn(text: string): string[] {
  const list = parseAddressList(text);
  if (list.length >= HEADER_ADDRESSES_MAX)
    throw new Failure(
      'too-large',
      `more than ${HEADER_ADDRESSES_MAX - 1} addresses in one field: name them as arguments`,
    );
  const addresses: string[] = [];
  for (const [, , mailbox, host] of list)
    if (mailbox !== null && mailbox !== '' && host !== null)
      // The parser has taken quotes off. A name alone is one of this host.
      addresses.push(fromOctets(formatAddress({ localPart: mailbox, domain: host })));
  return addresses;
}

function fromOctets(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8');
}

function printable(text: string): string {
  let clean = '';
  for (const c of text) clean += c < ' ' || c === '\x7f' ? ' ' : c;
  return clean;
}
