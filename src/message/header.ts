// The header section of a message or of one of its parts: fields with exact offsets, read once.
//
// In      bytes, whole or from an offset on; any bytes at all, it never throws
// Out     the section as latin1 text (an offset is a byte), its fields, and where the body begins
// Limits  HEADER_BYTES: the section ends at the last line that fits, what follows is body to us
// Lines end in CRLF; a lone LF ends one too (APPEND brings them), a lone CR is text.
// The section ends after its first empty line, whatever stands before it. A line that is neither field nor continuation
// (an mbox's `From ann@...`, a Received that was folded without a space) has no name: nobody finds it, and the fields
// behind it are read all the same.
// RFC 5322 §2.1 §2.2 §4.5

import { characterClass } from '../base/characters.ts';
import { HEADER_BYTES } from '../base/limits.ts';

export interface HeaderField {
  /** In lower case; empty for lines that are no field. */
  readonly name: string;
  /** Offsets in the header's text: of the name, behind the colon, behind the last line break of the field. */
  readonly start: number;
  readonly valueStart: number;
  readonly end: number;
}

export interface Header {
  /** The section, the empty line at its end included. latin1: add `start` to an offset for the place in the bytes. */
  readonly text: string;
  readonly start: number;
  /** Offset of the body in the bytes. */
  readonly end: number;
  /** The section ends in an empty line, as it should. */
  readonly hasEmptyLine: boolean;
  readonly fields: readonly HeaderField[];
}

/** Says of a line that begins with `--` whether it is a MIME delimiter, which ends the section before it. */
export type DelimiterTest = (text: string, lineStart: number) => boolean;

/** RFC 5322 §3.6.8 ftext. */
const FTEXT = characterClass([0x21, 0x39], [0x3b, 0x7e]);
const FIRST_WINDOW = 4096;

/** The header section that begins at `start`, within `bytes[start, end)`. */
export function parseHeader(bytes: Buffer, start = 0, end = bytes.length, isDelimiter?: DelimiterTest): Header {
  const limit = Math.min(end, start + HEADER_BYTES);
  // Most headers fit the first window; a longer one is read again, four times as much, so the work stays linear.
  for (let size = FIRST_WINDOW; ; size *= 4) {
    const stop = Math.min(limit, start + size);
    const text = bytes.toString('latin1', start, stop);
    const border = stop < limit ? 'more' : stop < end ? 'limit' : 'end';
    const header = readSection(text, start, border, isDelimiter);
    if (header !== undefined) return header;
  }
}

/** `border` says what comes after the text: more of the section, the bound, or nothing. Undefined: ask with more. */
function readSection(
  text: string,
  base: number,
  border: 'more' | 'limit' | 'end',
  isDelimiter: DelimiterTest | undefined,
): Header | undefined {
  const fields: HeaderField[] = [];
  /** Undefined before the first line. */
  let name: string | undefined;
  let start = 0;
  let valueStart = 0;
  let at = 0;
  let emptyLine = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    emptyLine = lengthOfEmptyLine(text, at, code);
    if (emptyLine > 0) break;
    let lineEnd = text.indexOf('\n', at) + 1;
    if (lineEnd === 0) {
      if (border === 'more') return undefined;
      if (border === 'limit') break;
      lineEnd = text.length;
    }
    if ((code !== 0x20 && code !== 0x09) || name === undefined) {
      if (code === 0x2d && text.charCodeAt(at + 1) === 0x2d && isDelimiter?.(text, at) === true) break;
      const nameEnd = endOfName(text, at);
      const colon = nameEnd === at ? at : skipSpace(text, nameEnd);
      const isField = nameEnd > at && text.charCodeAt(colon) === 0x3a;
      // Lines without a name that follow each other are one.
      if (isField || name !== '') {
        if (name !== undefined) fields.push({ name, start, valueStart, end: at });
        name = isField ? text.slice(at, nameEnd).toLowerCase() : '';
        start = at;
        valueStart = isField ? colon + 1 : at;
      }
    }
    at = lineEnd;
  }
  if (at === text.length && border === 'more') return undefined;
  if (name !== undefined) fields.push({ name, start, valueStart, end: at });
  const length = at + emptyLine;
  return { text: text.slice(0, length), start: base, end: base + length, hasEmptyLine: emptyLine > 0, fields };
}

function lengthOfEmptyLine(text: string, at: number, code: number): number {
  if (code === 0x0a) return 1;
  return code === 0x0d && text.charCodeAt(at + 1) === 0x0a ? 2 : 0;
}

function endOfName(text: string, at: number): number {
  let end = at;
  while (end < text.length && FTEXT[text.charCodeAt(end)] === 1) end++;
  return end;
}

/** RFC 5322 §4.5 lets spaces stand before the colon. */
function skipSpace(text: string, at: number): number {
  let end = at;
  while (text.charCodeAt(end) === 0x20 || text.charCodeAt(end) === 0x09) end++;
  return end;
}

/** The first field of that name (lower case), if there is one. */
export function findField(header: Header, name: string): HeaderField | undefined {
  return header.fields.find((field) => field.name === name);
}

export function countFields(header: Header, name: string): number {
  let count = 0;
  for (const field of header.fields) if (field.name === name) count++;
  return count;
}

/** The field's value unfolded, a space for a fold, without spaces around it; latin1, encoded words as they stand. */
export function fieldValue(header: Header, field: HeaderField): string {
  const { text } = header;
  let start = field.valueStart;
  let end = field.end;
  while (start < end && isSpaceOrBreak(text.charCodeAt(start))) start++;
  while (end > start && isSpaceOrBreak(text.charCodeAt(end - 1))) end--;
  return unfold(text.slice(start, end));
}

/** The value of the first field of that name, undefined when there is none. */
export function findValue(header: Header, name: string): string | undefined {
  const field = findField(header, name);
  return field === undefined ? undefined : fieldValue(header, field);
}

function isSpaceOrBreak(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/** Each fold, with the white space on both sides of its line break, is one space. RFC 5322 §2.2.3 */
function unfold(text: string): string {
  let lineFeed = text.indexOf('\n');
  if (lineFeed < 0) return text;
  let value = '';
  let start = 0;
  while (lineFeed >= 0) {
    let end = lineFeed;
    while (end > start && isSpaceOrBreak(text.charCodeAt(end - 1))) end--;
    value += `${text.slice(start, end)} `;
    start = lineFeed + 1;
    while (isSpaceOrBreak(text.charCodeAt(start))) start++;
    lineFeed = text.indexOf('\n', start);
  }
  return value + text.slice(start);
}

/**
 * The fields whose lower-case names pass `isWanted`, byte for byte as they stand in the header, with the empty line
 * if the header has one. latin1 text. RFC 3501 §6.4.5 HEADER.FIELDS
 */
export function cutFields(header: Header, isWanted: (name: string) => boolean): string {
  let cut = '';
  for (const field of header.fields) {
    if (isWanted(field.name)) cut += header.text.slice(field.start, field.end);
  }
  return header.hasEmptyLine ? `${cut}\r\n` : cut;
}
