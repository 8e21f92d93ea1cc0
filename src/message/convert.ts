// A message for a host that takes less than it was accepted with: without 8BITMIME, without SMTPUTF8.
//
// In      the bytes of a message; any bytes at all, nothing here throws
// Out     bytes that decode to the same parts; or why there are none
// How     the structure is read again, and what has to change is put in its place: all else stays byte for byte
// toSevenBit   leaf parts with octets beyond ASCII become quoted-printable (text) or base64, headers become ASCII
// toAscii      the header and those of its parts become ASCII; bodies, and messages within it, stay as they are
// Never   changes a part of multipart/signed or multipart/encrypted, nor a part that was not read whole (limits.ts)
// RFC 6152 §3, RFC 2045 §6, RFC 1847 §2.1, RFC 6531 §3.6, RFC 3030 §3

import { isAscii } from 'node:buffer';
import { MIME_DELIMITERS_MAX, MIME_DEPTH_MAX, MIME_PARTS_MAX } from '../base/limits.ts';
import { encodeBase64 } from './base64.ts';
import { eachDecoded } from './decode.ts';
import { asciiField, asciiHeader, isAsciiText } from './downgrade.ts';
import { findField, findValue, type Header, parseHeader } from './header.ts';
import { findParameter, parseContentType } from './parameters.ts';
import { isMessage, isMultipart, type Part } from './part.ts';
import { encodeQuotedPrintable } from './quoted-printable.ts';
import { parseStructure } from './structure-parser.ts';

/** `signed`: what would change is signed or encrypted; `unreadable`: it cannot be changed without harm. */
export type NotSevenBit = 'signed' | 'unreadable';

/** Bytes that take the place of others, in order. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly bytes: Buffer;
}

export function toSevenBit(bytes: Buffer): Buffer | NotSevenBit {
  if (isAscii(bytes)) return bytes;
  const { structure } = parseStructure(bytes);
  if (!isWhole(bytes, structure)) return 'unreadable';
  const edits: Edit[] = [];
  return sevenBitPart({ bytes, edits }, structure, true) ?? edited(bytes, edits);
}

/** Undefined where a field cannot be said in ASCII. */
export function toAscii(bytes: Buffer): Buffer | undefined {
  const { structure, header } = parseStructure(bytes);
  const edits: Edit[] = [];
  return asciiPart({ bytes, edits }, structure, header) ? edited(bytes, edits) : undefined;
}

function edited(bytes: Buffer, edits: readonly Edit[]): Buffer {
  const pieces: Buffer[] = [];
  let at = 0;
  for (const edit of edits) {
    pieces.push(bytes.subarray(at, edit.start), edit.bytes);
    at = edit.end;
  }
  pieces.push(bytes.subarray(at));
  return Buffer.concat(pieces);
}

interface Conversion {
  readonly bytes: Buffer;
  readonly edits: Edit[];
}

/** Of a multipart: its parts may not be changed. */
function isSealed(part: Part): boolean {
  return isMultipart(part) && (part.subtype === 'signed' || part.subtype === 'encrypted');
}

function headerOf(bytes: Buffer, part: Part): Header {
  return parseHeader(bytes, part.headerStart, part.bodyStart);
}

function asciiPart({ bytes, edits }: Conversion, part: Part, header: Header): boolean {
  if (!isAsciiText(header.text)) {
    const text = asciiHeader(header);
    if (text === undefined) return false;
    edits.push({ start: part.headerStart, end: part.bodyStart, bytes: Buffer.from(text, 'latin1') });
  }
  if (!isMultipart(part)) return true;
  const sealed = isSealed(part);
  return part.parts.every((inner) => {
    const own = headerOf(bytes, inner);
    return sealed ? isAsciiTree(bytes, inner) : asciiPart({ bytes, edits }, inner, own);
  });
}

function isAsciiTree(bytes: Buffer, part: Part): boolean {
  if (!isAscii(bytes.subarray(part.headerStart, part.bodyStart))) return false;
  return !isMultipart(part) || part.parts.every((inner) => isAsciiTree(bytes, inner));
}

/** No limit of the structure's parser has cut anything off: behind it delimiters would stand in what is taken for a body. */
function isWhole(bytes: Buffer, structure: Part): boolean {
  let parts = 0;
  const open: [Part, number][] = [[structure, 1]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [part, depth] = next;
    if (++parts >= MIME_PARTS_MAX || depth >= MIME_DEPTH_MAX) return false;
    for (const inner of part.parts) open.push([inner, depth + 1]);
  }
  let dashes = 0;
  for (let at = bytes.indexOf('\n--'); at >= 0; at = bytes.indexOf('\n--', at + 1))
    // What a line costs the parser at most, in the body or in a header.
    if (++dashes * DELIMITER_COST > MIME_DELIMITERS_MAX) return false;
  return true;
}

const DELIMITER_COST = 20;

function sevenBitPart(conversion: Conversion, part: Part, isMessageRoot: boolean): NotSevenBit | undefined {
  const { bytes, edits } = conversion;
  const { headerStart, bodyStart, bodyEnd } = part;
  const isBodyAscii = isAscii(bytes.subarray(bodyStart, bodyEnd));
  if (!isBodyAscii && isSealed(part)) return 'signed';
  const isDivided = part.parts.length > 0;
  if (!isBodyAscii && !isDivided && isComposite(bytes, part)) return 'unreadable';
  if (!isBodyAscii && isDivided && !IDENTITY.has(part.encoding)) return 'unreadable';
  const isText = part.type === 'text';
  const isEncoded = !isBodyAscii && !isDivided;
  const encoding = isEncoded ? (isText ? 'quoted-printable' : 'base64') : '7bit';
  const header = sevenBitHeader(headerOf(bytes, part), {
    encoding,
    isEncoded,
    isUntrue: LABELS_OF_EIGHT_BIT.has(part.encoding),
    isMessageRoot,
  });
  if (header === 'unreadable') return header;
  if (header !== undefined) edits.push({ start: headerStart, end: bodyStart, bytes: header });
  if (isBodyAscii) {
    // What is sealed keeps its labels; elsewhere a part that says `8bit` and has none says `7bit`.
    return isSealed(part) ? undefined : innerParts(conversion, part);
  }
  if (isDivided) return innerParts(conversion, part);
  const content = Buffer.concat([...eachDecoded(bytes.subarray(bodyStart, bodyEnd), part.encoding)]);
  edits.push({
    start: bodyStart,
    end: bodyEnd,
    bytes: isText ? encodeQuotedPrintable(content) : encodeBase64(content),
  });
  return undefined;
}

function innerParts(conversion: Conversion, part: Part): NotSevenBit | undefined {
  const { bytes, edits } = conversion;
  let at = part.bodyStart;
  for (const inner of part.parts) {
    between(bytes, edits, at, inner.headerStart);
    const wrong = sevenBitPart(conversion, inner, isMessage(part));
    if (wrong !== undefined) return wrong;
    at = inner.bodyEnd;
  }
  if (at > part.bodyStart) between(bytes, edits, at, part.bodyEnd);
  return undefined;
}

/** Before, between and behind the parts of a multipart stands nothing that a reader sees. */
function between(bytes: Buffer, edits: Edit[], start: number, end: number): void {
  if (start >= end || isAscii(bytes.subarray(start, end))) return;
  const ascii = Buffer.from(bytes.subarray(start, end));
  for (let at = 0; at < ascii.length; at++) if (ascii[at]! > 0x7f) ascii[at] = UNSEEN;
  edits.push({ start, end, bytes: ascii });
}

/** `*`, which no boundary has: nothing becomes a delimiter by it. RFC 2046 §5.1.1 bchars */
const UNSEEN = 0x2a;

/** A body that is divided, or a message, as its header says, but that the parser has not divided: it may not be encoded. */
function isComposite(bytes: Buffer, part: Part): boolean {
  const written = findValue(headerOf(bytes, part), 'content-type');
  const { type, subtype } = written === undefined ? part : parseContentType(written);
  return type === 'multipart' || (type === 'message' && (subtype === 'rfc822' || subtype === 'partial'));
}

const IDENTITY = new Set(['7bit', '8bit', 'binary']);

interface HeaderChange {
  readonly encoding: string;
  /** The body is encoded anew. */
  readonly isEncoded: boolean;
  /** It says `8bit` or `binary`, which it is no longer. */
  readonly isUntrue: boolean;
  readonly isMessageRoot: boolean;
}

/** Undefined: it stays as it is. */
function sevenBitHeader(
  header: Header,
  { encoding, isEncoded, isUntrue, isMessageRoot }: HeaderChange,
): Buffer | 'unreadable' | undefined {
  const changesLabel = isEncoded || isUntrue;
  if (!changesLabel && isAsciiText(header.text)) return undefined;
  // What a boundary goes beyond ASCII with stands in the body too.
  const written = findValue(header, 'content-type');
  const boundary = written === undefined ? undefined : findParameter(parseContentType(written).parameters, 'boundary');
  if (boundary !== undefined && !isAsciiText(boundary)) return 'unreadable';
  let text = '';
  let end = 0;
  for (const field of header.fields) {
    end = field.end;
    if (changesLabel && field.name === 'content-transfer-encoding') continue;
    const ascii = asciiField(header, field);
    if (ascii === undefined) return 'unreadable';
    text += ascii;
  }
  const rest = header.text.slice(end);
  // The header goes on where the parser's bound has ended it.
  if (isEncoded && !header.hasEmptyLine) return 'unreadable';
  if (text !== '' && !text.endsWith('\n')) text += '\r\n';
  if (isEncoded && isMessageRoot && findField(header, 'mime-version') === undefined) text += 'MIME-Version: 1.0\r\n';
  if (changesLabel) text += `Content-Transfer-Encoding: ${encoding}\r\n`;
  return Buffer.from(text + rest, 'latin1');
}

const LABELS_OF_EIGHT_BIT = new Set(['8bit', 'binary']);
