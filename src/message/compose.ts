// A message made of its parts: what a program says of it, as the bytes that go out.
//
// In      addresses with their names, a subject, texts, files, further fields; lengths and values have been looked at by who asks
// Out     the message in pieces, lines with CRLF, all of it ASCII but for addresses that go beyond it, and messages within it.
//         Date and Message-ID are there if they are among the fields (whoever takes the message in adds what is missing)
// Errors  Failure('syntax') for a field that a header cannot have, content that is no base64, a type that is none
// Tree    text and HTML are alternatives; files that HTML names by `cid` stand beside it; all other files follow
// RFC 5322 §2.1 §3.6, RFC 2045 §5 §6, RFC 2046 §5.1 §5.2.1, RFC 2183 §2, RFC 2387, RFC 2392

import { randomBytes } from 'node:crypto';
import { isAll, MIME_TOKEN, VCHAR, without } from '../base/characters.ts';
import { Failure } from '../base/failure.ts';
import { type Address, formatAddress } from './address.ts';
import { encodeBase64 } from './base64.ts';
import { asciiField, isAsciiText } from './downgrade.ts';
import { extendedParameter, formatParameter, formatPhrase } from './encoded-words.ts';
import { parseHeader } from './header.ts';
import { parseContentType } from './parameters.ts';
import { encodeQuotedPrintable } from './quoted-printable.ts';

/** An address as a header field has it. */
export interface NamedAddress {
  /** For people; empty where there is none. */
  readonly name: string;
  readonly address: Address;
}

/** A file that goes along. */
export interface AttachedFile {
  readonly filename?: string | undefined;
  /** `image/png`, perhaps with parameters. */
  readonly contentType: string;
  /** Base64. */
  readonly content: string;
  /** By which HTML names it. */
  readonly cid?: string | undefined;
}

export interface MessageParts {
  readonly from: NamedAddress;
  readonly to: readonly NamedAddress[];
  readonly cc: readonly NamedAddress[];
  readonly subject?: string | undefined;
  readonly text?: string | undefined;
  readonly html?: string | undefined;
  /** Of names that FIELDS_OF_PARTS does not have. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly files: readonly AttachedFile[];
}

/** What the parts say, and what others write: no further field has such a name. In lower case. */
const FIELDS_OF_PARTS: ReadonlySet<string> = new Set([
  ...['from', 'to', 'cc', 'bcc', 'subject', 'mime-version', 'return-path', 'received', 'resent-bcc'],
]);

/** With what is added on the way it stays below HEADER_BYTES. */
const HEADER_LENGTH_MAX = 128 * 1024;

/** A part with its own fields, the empty line and its body. */
type Entity = readonly Buffer[];

export function composeMessage(parts: MessageParts): Buffer[] {
  const { from, to, cc, subject, fields } = parts;
  let header = `From: ${mailboxes([from])}\r\n`;
  if (to.length > 0) header += `To: ${mailboxes(to)}\r\n`;
  if (cc.length > 0) header += `Cc: ${mailboxes(cc)}\r\n`;
  if (subject !== undefined) header += field('Subject', subject);
  for (const [name, value] of fields) header += furtherField(name, value);
  if (header.length > HEADER_LENGTH_MAX)
    throw new Failure('syntax', `The header is longer than ${HEADER_LENGTH_MAX} characters: bcc shows nobody`);
  return [Buffer.from(`${header}MIME-Version: 1.0\r\n`), ...body(parts)];
}

function body({ text, html, files }: MessageParts): Entity {
  // Without HTML nothing names a file by its `cid`.
  const beside = html === undefined ? [] : files.filter(({ cid }) => cid !== undefined);
  const behind = files.filter((file) => !beside.includes(file));
  const shown: Entity[] = [];
  if (text !== undefined || html === undefined) shown.push(textPart('plain', text ?? ''));
  if (html !== undefined) {
    const page = textPart('html', html);
    const entities = [page, ...beside.map((file) => filePart(file, 'inline'))];
    shown.push(beside.length === 0 ? page : multipart('related; type="text/html"', entities));
  }
  const body = shown.length === 1 ? shown[0]! : multipart('alternative', shown);
  return behind.length === 0 ? body : multipart('mixed', [body, ...behind.map((file) => filePart(file, 'attachment'))]);
}

function multipart(subtype: string, entities: readonly Entity[]): Entity {
  // 128 random bits stand in none of them.
  const boundary = `=_${randomBytes(16).toString('hex')}`;
  const pieces: Buffer[] = [Buffer.from(`Content-Type: multipart/${subtype};\r\n boundary="${boundary}"\r\n\r\n`)];
  for (const entity of entities) pieces.push(Buffer.from(`--${boundary}\r\n`), ...entity, CRLF);
  pieces.push(Buffer.from(`--${boundary}--\r\n`));
  return pieces;
}

const CRLF = Buffer.from('\r\n');
/** RFC 5322 §2.1.1, without the line break. */
const LINE_MAX = 998;

function textPart(subtype: string, text: string): Entity {
  const octets = Buffer.from(text.replace(/\r\n?|\n/g, '\r\n').toWellFormed());
  const isPlain = isSevenBitText(octets);
  return [
    Buffer.from(
      `Content-Type: text/${subtype}; charset=${isPlain ? 'us-ascii' : 'utf-8'}\r\n` +
        `Content-Transfer-Encoding: ${isPlain ? '7bit' : 'quoted-printable'}\r\n\r\n`,
    ),
    isPlain ? octets : encodeQuotedPrintable(octets),
  ];
}

/** ASCII without NUL, in lines that no host has to break. */
function isSevenBitText(octets: Buffer): boolean {
  let length = 0;
  for (const octet of octets) {
    if (octet === 0 || octet > 0x7e) return false;
    length = octet === 0x0a ? 0 : length + 1;
    // The CR counts here.
    if (length > LINE_MAX + 1) return false;
  }
  return true;
}

function filePart({ filename, contentType, content, cid }: AttachedFile, disposition: string): Entity {
  const { type, subtype, written } = mediaType(contentType);
  if (type === 'multipart') throw new Failure('syntax', 'A file cannot be multipart: it has no parts here');
  let header = `Content-Type: ${written}\r\n`;
  header += `Content-Disposition: ${disposition}`;
  header += filename === undefined ? '\r\n' : `;\r\n ${formatParameter('filename', filename)}\r\n`;
  if (cid !== undefined) header += `Content-ID: <${contentId(cid)}>\r\n`;
  const octets = decoded(content);
  if (type === 'message' && !subtype.startsWith('global')) {
    // No other encoding is allowed for what is made of header and body. RFC 2045 §6.4, RFC 6532 §3.7
    const message = crlfLines(octets);
    const encoding = message.some((octet) => octet > 0x7f) ? '8bit' : '7bit';
    return [Buffer.from(`${header}Content-Transfer-Encoding: ${encoding}\r\n\r\n`), message];
  }
  return [Buffer.from(`${header}Content-Transfer-Encoding: base64\r\n\r\n`), encodeBase64(octets)];
}

function crlfLines(octets: Buffer): Buffer {
  return Buffer.from(
    octets
      .toString('latin1')
      .replace(/\r\n?|\n/g, '\r\n')
      .replaceAll('\0', ''),
    'latin1',
  );
}

function mediaType(text: string): { readonly type: string; readonly subtype: string; readonly written: string } {
  if (!isAsciiText(text)) throw new Failure('syntax', 'contentType is no media type');
  const { type, subtype, parameters } = parseContentType(text);
  const [essence = ''] = text.split(';', 1);
  const [first = '', second = '', ...more] = essence.trim().split('/');
  if (more.length > 0 || !isWord(first) || !isWord(second)) throw new Failure('syntax', 'contentType is no media type');
  let written = `${first}/${second}`;
  for (let at = 0; at < parameters.length; at += 2)
    written += `;\r\n ${parameter(parameters[at]!, parameters[at + 1]!)}`;
  return { type, subtype, written };
}

function parameter(name: string, value: string): string {
  return name.endsWith('*') ? extendedParameter(name.slice(0, -1), value) : formatParameter(name, value);
}

function isWord(text: string): boolean {
  return text !== '' && isAll(text, MIME_TOKEN);
}

const CONTENT_ID = without(VCHAR, '<>');

function contentId(cid: string): string {
  if (cid === '' || !isAll(cid, CONTENT_ID)) throw new Failure('syntax', 'cid has a character that no Content-ID has');
  return cid;
}

/** Strict: what was cut off on the way is not taken for a file. */
export function decodedBase64(text: string, what: string): Buffer {
  const octets = Buffer.from(text, 'base64');
  const digits = text.includes('\n') ? text.replace(/\r?\n/g, '') : text;
  const length = digits.length - (digits.endsWith('==') ? 2 : digits.endsWith('=') ? 1 : 0);
  // What is no digit is passed over, and nothing is read behind the padding.
  if (length % 4 === 1 || octets.length !== Math.floor((length * 3) / 4))
    throw new Failure('syntax', `${what} is no base64`);
  return octets;
}

function decoded(content: string): Buffer {
  return decodedBase64(content, 'the content of a file');
}

function mailboxes(all: readonly NamedAddress[]): string {
  return all
    .map(({ name, address }) => {
      const path = formatAddress(address);
      return name === '' ? path : `${formatPhrase(name)} <${path}>`;
    })
    .join(',\r\n ');
}

function furtherField(name: string, value: string): string {
  const key = name.toLowerCase();
  if (name === '' || !isAll(name, FIELD_NAME)) throw new Failure('syntax', 'a name of headers is no field name');
  if (FIELDS_OF_PARTS.has(key) || key.startsWith('content-'))
    throw new Failure('syntax', `headers cannot have ${name}: that is said otherwise`);
  return field(name, value);
}

const FIELD_NAME = without(VCHAR, ':');
const FOLDED = 76;

/** In ASCII, folded where it is long. */
function field(name: string, value: string): string {
  const header = parseHeader(Buffer.from(`${name}: ${value.toWellFormed()}\r\n\r\n`));
  const found = header.fields[0];
  const written = found === undefined || header.fields.length > 1 ? undefined : asciiField(header, found);
  const text = written === undefined ? undefined : folded(written.slice(0, -2));
  if (text === undefined) throw new Failure('syntax', `the value of ${name} cannot stand in a header`);
  return text;
}

/** Undefined where a line would be too long for any host. */
function folded(text: string): string | undefined {
  const lines: string[] = [];
  for (const line of text.split('\r\n')) {
    let rest = line;
    while (rest.length > FOLDED) {
      // Not in front of what would be an empty line.
      const before = rest.lastIndexOf(' ', FOLDED);
      const at = before > 0 && rest.slice(0, before).trim() !== '' ? before : rest.indexOf(' ', FOLDED);
      if (at < 0 || rest.slice(at).trim() === '') break;
      lines.push(rest.slice(0, at));
      rest = rest.slice(at);
    }
    lines.push(rest);
  }
  return lines.some((line) => line.length > LINE_MAX) ? undefined : `${lines.join('\r\n')}\r\n`;
}
