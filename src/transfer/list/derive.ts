// What a list makes of a message: other fields, and a text before and behind it.
//
// In      a message's bytes, the list's address, what its row says (routing/list-texts.ts)
// Out     the bytes that go to the members
// Texts   go into a body that is plain text which they can be written into; are the first and last part of a multipart/mixed; all
//         else becomes the middle part of one. In a text `$$` is a dollar, any other `$` a line break
// Never   changes a byte of the body but by adding before it and behind it
// RFC 2045 §6, RFC 2046 §5.1, RFC 2183 §2.8, RFC 2369 §3.4, RFC 2919 §3, RFC 5322 §3.6, RFC 6068 §2

import { randomBytes } from 'node:crypto';
import { asciiLower } from '../../base/characters.ts';
import { type Address, formatAddress } from '../../message/address.ts';
import { fieldValue, findField, findValue, type Header, type HeaderField, parseHeader } from '../../message/header.ts';
import {
  type ContentType,
  DEFAULT_CONTENT_TYPE,
  findParameter,
  parseContentType,
  parseDisposition,
  parseTransferEncoding,
} from '../../message/parameters.ts';
import { encodeQuotedPrintable } from '../../message/quoted-printable.ts';
import type { ListTexts } from '../../routing/rows.ts';
import { writeText } from '../template.ts';

/** The field that says the list's password. */
export const APPROVED = 'approved';

const CRLF = Buffer.from('\r\n');
/** RFC 5322 §2.1.1, with room for a line break. */
const LINE_MAX = 900;
/** RFC 5322 §3.6: what a message has once, if at all. Readers take the first of two, or the last. */
const ONCE: ReadonlySet<string> = new Set([
  ...['date', 'from', 'sender', 'reply-to', 'to', 'cc', 'bcc'],
  ...['message-id', 'in-reply-to', 'references', 'subject'],
]);

export function deriveMessage(bytes: Buffer, list: Address, texts: ListTexts): Buffer {
  const header = parseHeader(bytes);
  const body = bytes.subarray(header.end);
  const replaced = (texts.add ?? []).map(nameOfLine).filter((name) => ONCE.has(name));
  const removed = new Set([...(texts.remove ?? []), ...replaced, ...(texts.password === true ? [APPROVED] : [])]);
  const prefix = linesOf(texts.prefix);
  const suffix = linesOf(texts.suffix);
  if (prefix === '' && suffix === '')
    return assembled(bytes, header, { removed, added: addedTo(header, list, texts), body: [body] });
  const written = withTexts(header, body, { prefix, suffix });
  for (const name of written.replaced) removed.add(name);
  const added = addedTo(header, list, texts) + written.fields;
  return assembled(bytes, header, { removed, added, body: written.body });
}

function nameOfLine(line: string): string {
  return asciiLower(line.slice(0, line.indexOf(':')));
}

interface Assembly {
  /** Names of fields. */
  readonly removed: ReadonlySet<string>;
  /** Fields, with their line ends. */
  readonly added: string;
  readonly body: readonly Buffer[];
}

function assembled(bytes: Buffer, header: Header, { removed, added, body }: Assembly): Buffer {
  const kept = header.fields.filter(({ name }) => !removed.has(name)).map((field) => octetsOf(bytes, header, field));
  return Buffer.concat([...kept, Buffer.from(added, 'latin1'), CRLF, ...body]);
}

function octetsOf(bytes: Buffer, header: Header, { start, end }: HeaderField): Buffer {
  const field = bytes.subarray(header.start + start, header.start + end);
  return field.at(-1) === 0x0a ? field : Buffer.concat([field, CRLF]);
}

/** What the list adds, and what mail of lists should have, where it is not there yet. */
function addedTo(header: Header, list: Address, { add = [] }: ListTexts): string {
  const { localPart, domain } = list;
  const own = [
    findField(header, 'list-id') === undefined ? [`List-Id: <${listName(localPart)}.${domain}>`] : [],
    findField(header, 'list-post') === undefined ? [`List-Post: <${mailtoOf(list)}>`] : [],
  ].flat();
  return [...add, ...own].map((line) => `${line}\r\n`).join('');
}

/** RFC 6068 §2: `r&d@acme.example` is `mailto:r%26d@acme.example`. */
function mailtoOf(list: Address): string {
  const text = formatAddress(list);
  const at = text.lastIndexOf('@');
  return `mailto:${encodeURIComponent(text.slice(0, at)).replaceAll('%2B', '+')}${text.slice(at)}`;
}

/** A name of RFC 2919 has no characters that a dot-atom has not. */
function listName(localPart: string): string {
  return [...localPart].map((char) => (/[A-Za-z0-9._-]/.test(char) ? char : '-')).join('');
}

function linesOf(template: string | undefined): string {
  if (template === undefined) return '';
  const lines = writeText(template, {}).split('\n');
  return `${lines.join('\r\n').trimEnd()}\r\n`;
}

interface Texts {
  readonly prefix: string;
  readonly suffix: string;
}

interface Written {
  /** Fields of the header that come in place of `replaced`. */
  readonly fields: string;
  readonly replaced: readonly string[];
  readonly body: readonly Buffer[];
}

function withTexts(header: Header, body: Buffer, texts: Texts): Written {
  const type = typeOf(header);
  const encoding = parseTransferEncoding(findValue(header, 'content-transfer-encoding') ?? '7bit');
  const own = { fields: '', replaced: [] };
  if (type.type === 'text' && type.subtype === 'plain' && !isFile(header, type)) {
    const encoder = encoderFor(type, encoding, texts);
    if (encoder !== undefined) {
      const before = texts.prefix === '' ? [] : [encoder(texts.prefix)];
      const behind = texts.suffix === '' ? [] : [encoder(texts.suffix)];
      return { ...own, body: [...before, body, ...lineEnd(body), ...behind] };
    }
  }
  const boundary =
    type.type === 'multipart' && type.subtype === 'mixed' ? findParameter(type.parameters, 'boundary') : undefined;
  const within = boundary === undefined ? undefined : partsAround(body, boundary, texts);
  return within === undefined ? wrapped(header, body, texts) : { ...own, body: within };
}

/** A text that is attached is somebody's file: nothing is written into it. RFC 2183 §2.8 */
function isFile(header: Header, { parameters }: ContentType): boolean {
  const value = findValue(header, 'content-disposition');
  const disposition = value === undefined ? undefined : parseDisposition(value);
  if (disposition === undefined) return findParameter(parameters, 'name') !== undefined;
  return disposition.type !== 'inline' || findParameter(disposition.parameters, 'filename') !== undefined;
}

function typeOf(header: Header): ContentType {
  const value = findValue(header, 'content-type');
  return value === undefined ? DEFAULT_CONTENT_TYPE : parseContentType(value);
}

/** How a text is written into this body; undefined: it cannot be. */
function encoderFor(
  { parameters }: ContentType,
  encoding: string,
  texts: Texts,
): ((text: string) => Buffer) | undefined {
  const charset = asciiLower(findParameter(parameters, 'charset') ?? 'us-ascii');
  const isUtf8 = charset === 'utf-8';
  if (!isUtf8 && charset !== 'us-ascii') return undefined;
  const all = texts.prefix + texts.suffix;
  if (!isUtf8 && !isAscii(all)) return undefined;
  if (encoding === 'quoted-printable') return quotedPrintable;
  if (!hasShortLines(all)) return undefined;
  if (encoding === '7bit' && isAscii(all)) return (text) => Buffer.from(text, 'latin1');
  return encoding === '8bit' ? (text) => Buffer.from(text) : undefined;
}

/** Lines stay lines. */
function quotedPrintable(text: string): Buffer {
  return encodeQuotedPrintable(Buffer.from(text));
}

function partsAround(body: Buffer, boundary: string, { prefix, suffix }: Texts): Buffer[] | undefined {
  const first = delimiterAt(body, `--${boundary}`, 0);
  const last = delimiterAt(body, `--${boundary}--`, first < 0 ? 0 : first);
  if (first < 0 || last <= first) return undefined;
  const delimiter = Buffer.from(`--${boundary}\r\n`, 'latin1');
  const before = prefix === '' ? [] : [delimiter, textPart(prefix)];
  const behind = suffix === '' ? [] : [delimiter, textPart(suffix)];
  return [body.subarray(0, first), ...before, body.subarray(first, last), ...behind, body.subarray(last)];
}

/** Where a line begins that is this delimiter and nothing else but blanks; -1 where none does. */
function delimiterAt(body: Buffer, delimiter: string, from: number): number {
  for (let at = body.indexOf(delimiter, from, 'latin1'); at >= 0; at = body.indexOf(delimiter, at + 1, 'latin1')) {
    if (at > 0 && body[at - 1] !== 0x0a) continue;
    let end = at + delimiter.length;
    while (body[end] === 0x20 || body[end] === 0x09) end++;
    if (end === body.length || body[end] === 0x0d || body[end] === 0x0a) return at;
  }
  return -1;
}

function wrapped(header: Header, body: Buffer, { prefix, suffix }: Texts): Written {
  const content = header.fields.filter(({ name }) => name.startsWith('content-'));
  const inner = content.map((field) => `${nameOf(header, field)}:${fieldValueAsSent(header, field)}`).join('');
  const boundary = `=_${randomBytes(16).toString('hex')}`;
  const delimiter = Buffer.from(`--${boundary}\r\n`);
  const middle = [delimiter, Buffer.from(`${inner}\r\n`, 'latin1'), body, CRLF];
  const encoding = asciiLower(parseTransferEncoding(findValue(header, 'content-transfer-encoding') ?? '7bit'));
  const outer = encoding === '8bit' || encoding === 'binary' ? `Content-Transfer-Encoding: ${encoding}\r\n` : '';
  const version = findField(header, 'mime-version') === undefined ? 'MIME-Version: 1.0\r\n' : '';
  return {
    fields: `${version}Content-Type: multipart/mixed; boundary="${boundary}"\r\n${outer}`,
    replaced: content.map(({ name }) => name),
    body: [
      ...(prefix === '' ? [] : [delimiter, textPart(prefix)]),
      ...middle,
      ...(suffix === '' ? [] : [delimiter, textPart(suffix)]),
      Buffer.from(`--${boundary}--\r\n`),
    ],
  };
}

function nameOf(header: Header, { start, valueStart }: HeaderField): string {
  return header.text.slice(start, valueStart - 1);
}

/** With its line ends. */
function fieldValueAsSent(header: Header, field: HeaderField): string {
  const value = header.text.slice(field.valueStart, field.end);
  return value.endsWith('\n') ? value : `${value === '' ? ` ${fieldValue(header, field)}` : value}\r\n`;
}

function textPart(text: string): Buffer {
  const isPlain = isAscii(text) && hasShortLines(text);
  const fields = isPlain
    ? 'Content-Type: text/plain; charset=us-ascii\r\n'
    : 'Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n';
  return Buffer.concat([Buffer.from(`${fields}\r\n`), isPlain ? Buffer.from(text) : quotedPrintable(text), CRLF]);
}

function lineEnd(body: Buffer): Buffer[] {
  return body.length === 0 || body.at(-1) === 0x0a ? [] : [CRLF];
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7e) return false;
  return true;
}

function hasShortLines(text: string): boolean {
  return text.split('\r\n').every((line) => line.length <= LINE_MAX);
}
