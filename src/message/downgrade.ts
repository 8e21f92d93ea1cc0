// A header field whose octets go beyond ASCII, said in ASCII: for a host that takes no other header.
//
// In      a field of a header section, latin1
// Out     the field in ASCII with its CRLF, which decodes to the same; undefined where ASCII cannot say it: an address whose
//         local part goes beyond it, an identifier
// Octets without a character set are UTF-8 where they are that, else Windows-1252 (decode.ts).
// RFC 2047 §5, RFC 2231 §4, RFC 5891 §4.4 (A-labels), RFC 6532 §3.2

import { HEADER_ADDRESSES_MAX } from '../base/limits.ts';
import { formatAddress, normalizeDomain } from './address.ts';
import { type HeaderAddress, parseAddressList } from './addresses.ts';
import { decodeExtended, decodeRaw, decodeWords } from './decode.ts';
import { encodedWords, extendedParameter, formatParameter, formatPhrase } from './encoded-words.ts';
import { fieldValue, type Header, type HeaderField } from './header.ts';
import { type Parameters, parseContentType, parseDisposition } from './parameters.ts';
import { visible } from './trace.ts';

/** All fields of the section and its empty line; undefined where one of them cannot be said in ASCII. */
export function asciiHeader(header: Header): string | undefined {
  if (isAsciiText(header.text)) return header.text;
  let text = '';
  let end = 0;
  for (const field of header.fields) {
    const ascii = asciiField(header, field);
    if (ascii === undefined) return undefined;
    text += ascii;
    end = field.end;
  }
  return text + header.text.slice(end);
}

export function asciiField(header: Header, field: HeaderField): string | undefined {
  const { name, start, valueStart, end } = field;
  const written = header.text.slice(start, end);
  if (isAsciiText(written)) return written;
  // A line that is no field.
  if (name === '') return undefined;
  // Nobody reads addresses from trace fields, and folded they stay as they are.
  if (name === 'received') return `${lines(written)}\r\n`;
  const value = asciiValue(name, fieldValue(header, field));
  return value === undefined ? undefined : `${header.text.slice(start, valueStart)} ${value}\r\n`;
}

function lines(written: string): string {
  return written
    .trimEnd()
    .split('\r\n')
    .map((line) => visible(line.replaceAll('\t', ' ')))
    .join('\r\n');
}

const ADDRESSES = new Set(
  ['from', 'sender', 'reply-to', 'to', 'cc', 'bcc'].flatMap((name) => [name, `resent-${name}`]),
);
ADDRESSES.add('disposition-notification-to').add('errors-to').add('mail-followup-to').add('mail-reply-to');

/** Identifiers, dates and words of the protocol: encoded words may not stand there. */
const EXACT = new Set([
  'message-id',
  'resent-message-id',
  'in-reply-to',
  'references',
  'content-id',
  'date',
  'resent-date',
  'return-path',
  'mime-version',
  'content-transfer-encoding',
]);

function asciiValue(name: string, value: string): string | undefined {
  if (EXACT.has(name)) return undefined;
  if (ADDRESSES.has(name)) return asciiAddresses(value);
  if (name === 'content-type') {
    const { type, subtype, parameters } = parseContentType(value);
    return asciiParameters(`${type}/${subtype}`, parameters);
  }
  if (name === 'content-disposition') {
    const disposition = parseDisposition(value);
    return disposition && asciiParameters(disposition.type, disposition.parameters);
  }
  return encodedWords(decodeWords(value));
}

function asciiParameters(type: string, parameters: Parameters): string | undefined {
  let text = type;
  for (let i = 0; i < parameters.length; i += 2) {
    const name = parameters[i]!;
    const value = parameters[i + 1]!;
    const isAscii = isAsciiText(value);
    // Delimiters stand in the body as they are.
    if (name.startsWith('boundary') && !isAscii) return undefined;
    text += ';\r\n ';
    if (!name.endsWith('*')) text += formatParameter(name, isAscii ? value : decodeRaw(value));
    else if (isAscii) text += extendedParameter(name.slice(0, -1), value);
    else text += formatParameter(name.slice(0, -1), decodeExtended(value));
  }
  return text;
}

/** One a line. A list that is longer than we read one cannot be written either. */
function asciiAddresses(value: string): string | undefined {
  const list = parseAddressList(value);
  if (list.length >= HEADER_ADDRESSES_MAX) return undefined;
  let text = '';
  let isFirst = true;
  for (const address of list) {
    const [, , mailbox, host] = address;
    if (mailbox === null) {
      text += ';';
      isFirst = false;
      continue;
    }
    if (!isFirst) text += ',\r\n ';
    isFirst = host === null;
    const written = host === null ? `${formatPhrase(decodeWordsOf(mailbox))}: ` : asciiAddress(address);
    if (written === undefined) return undefined;
    text += written;
  }
  return text;
}

function asciiAddress([name, , mailbox, host]: HeaderAddress): string | undefined {
  const phrase = name === null ? '' : formatPhrase(decodeWordsOf(name));
  if (mailbox === '' && host === '') return phrase;
  const domain = isAsciiText(host!) ? host! : normalizeDomain(decodeRaw(host!));
  if (domain === undefined || !isAsciiText(mailbox!)) return undefined;
  const path = formatAddress({ localPart: mailbox!, domain });
  return phrase === '' ? path : `${phrase} <${path}>`;
}

/** What is ASCII stays as it is written, encoded words too. */
function decodeWordsOf(text: string): string {
  return isAsciiText(text) ? text : decodeWords(text);
}

export function isAsciiText(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false;
  return true;
}
