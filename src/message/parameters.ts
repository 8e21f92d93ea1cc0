// The structured MIME fields of a header: Content-Type, Content-Disposition, Content-Transfer-Encoding, Content-Language.
//
// In      the unfolded value, latin1; any text at all, it never throws
// Out     tokens in lower case, values as they are meant; the pieces of a value put together (`boundary*0`, `boundary*1`), as
//         `name` or, where one of them is extended, as `name*`; encoded words and extended values stay as sent
// Limits  MIME_PARAMETERS_MAX; the text is walked once
// RFC 2045 §5.1 §5.2 §6.1, RFC 2183 §2, RFC 2231 §3 §4, RFC 3282 §2

import { MIME_TOKEN } from '../base/characters.ts';
import { Cursor } from '../base/cursor.ts';
import { MIME_PARAMETERS_MAX } from '../base/limits.ts';
import { quotedString, skipCfws, skipSpaces } from './lexical.ts';

/** Names (lower case) and values in turn, in the order sent: it goes into a database column as it is. */
export type Parameters = readonly string[];

export interface ContentType {
  readonly type: string;
  readonly subtype: string;
  readonly parameters: Parameters;
}

export interface Disposition {
  readonly type: string;
  readonly parameters: Parameters;
}

/** RFC 2045 §5.2, for a part without Content-Type or with one that cannot be read. */
export const DEFAULT_CONTENT_TYPE: ContentType = {
  type: 'text',
  subtype: 'plain',
  parameters: ['charset', 'us-ascii'],
};

const LANGUAGES_MAX = 50;

export function parseContentType(value: string): ContentType {
  const cursor = new Cursor(value);
  skipCfws(cursor);
  const type = token(cursor);
  skipCfws(cursor);
  if (type === '' || !cursor.tryTake('/')) return DEFAULT_CONTENT_TYPE;
  skipCfws(cursor);
  const subtype = token(cursor);
  if (subtype === '') return DEFAULT_CONTENT_TYPE;
  return { type, subtype, parameters: parseParameters(cursor) };
}

/** Undefined when there is no type to be read. */
export function parseDisposition(value: string): Disposition | undefined {
  const cursor = new Cursor(value);
  skipCfws(cursor);
  const type = token(cursor);
  return type === '' ? undefined : { type, parameters: parseParameters(cursor) };
}

/** The encoding's token, `7bit` when there is none. */
export function parseTransferEncoding(value: string): string {
  const cursor = new Cursor(value);
  skipCfws(cursor);
  return token(cursor) || '7bit';
}

export function parseLanguages(value: string): string[] {
  const languages: string[] = [];
  const cursor = new Cursor(value);
  while (!cursor.atEnd && languages.length < LANGUAGES_MAX) {
    skipCfws(cursor);
    const tag = cursor.run(MIME_TOKEN);
    if (tag !== '') languages.push(tag);
    else cursor.at++;
  }
  return languages;
}

/** The value of the first parameter of that name (lower case); an extended one as its octets, latin1. */
export function findParameter(parameters: Parameters, name: string): string | undefined {
  for (let i = 0; i < parameters.length; i += 2) if (parameters[i] === name) return parameters[i + 1];
  for (let i = 0; i < parameters.length; i += 2)
    if (parameters[i] === `${name}*`) return readExtended(parameters[i + 1]!).octets;
  return undefined;
}

/** `charset'language'percent-encoded`; what has no two quotes is all value. RFC 2231 §4 */
export function readExtended(value: string): { readonly charset: string; readonly octets: string } {
  const first = value.indexOf("'");
  const second = first < 0 ? -1 : value.indexOf("'", first + 1);
  if (second < 0) return { charset: '', octets: decodePercent(value) };
  return { charset: value.slice(0, first), octets: decodePercent(value.slice(second + 1)) };
}

/** What is no code stays as it is. */
function decodePercent(text: string): string {
  let decoded = '';
  let start = 0;
  for (let at = text.indexOf('%'); at >= 0; at = text.indexOf('%', at + 1)) {
    const code = hexValue(text.charCodeAt(at + 1)) * 16 + hexValue(text.charCodeAt(at + 2));
    if (Number.isNaN(code)) continue;
    decoded += text.slice(start, at) + String.fromCharCode(code);
    start = at + 3;
  }
  return decoded + text.slice(start);
}

/** NaN for what is no hexadecimal digit. */
function hexValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : Number.NaN;
}

function token(cursor: Cursor): string {
  return cursor.run(MIME_TOKEN).toLowerCase();
}

function parseParameters(cursor: Cursor): readonly string[] {
  const parameters: string[] = [];
  let hasPieces = false;
  while (parameters.length < 2 * MIME_PARAMETERS_MAX) {
    const end = cursor.at;
    skipCfws(cursor);
    if (cursor.peek() === 0x3b) cursor.at++;
    else if (cursor.at === end || !beginsParameter(cursor)) {
      // Something that is no parameter: on to the next semicolon.
      const semicolon = cursor.text.indexOf(';', cursor.at);
      if (semicolon < 0) break;
      cursor.at = semicolon + 1;
    }
    skipCfws(cursor);
    const name = token(cursor);
    skipCfws(cursor);
    if (name === '' || !cursor.tryTake('=')) continue;
    skipCfws(cursor);
    parameters.push(name, cursor.peek() === 0x22 ? quotedString(cursor) : bareValue(cursor));
    hasPieces ||= name.includes('*');
  }
  return hasPieces ? joinPieces(parameters) : parameters;
}

/** `NAME=` here: mailers leave out the semicolon. */
function beginsParameter(cursor: Cursor): boolean {
  const { text } = cursor;
  let at = cursor.at;
  while (at < text.length && text.charCodeAt(at) < 256 && MIME_TOKEN[text.charCodeAt(at)] === 1) at++;
  return at > cursor.at && text.charCodeAt(at) === 0x3d;
}

/** A token, and what broken mailers leave unquoted: all up to `;`, a comment or a parameter, `name=annual report.pdf`. */
function bareValue(cursor: Cursor): string {
  const { text } = cursor;
  const start = cursor.at;
  let end = start;
  for (;;) {
    while (cursor.at < text.length && !endsBareWord(text.charCodeAt(cursor.at))) cursor.at++;
    end = cursor.at;
    skipSpaces(cursor);
    const code = cursor.peek();
    if (code < 0 || code === 0x3b || code === 0x28) return text.slice(start, end);
    if (cursor.at > end && beginsParameter(cursor)) {
      // The caller sees the blank, too.
      cursor.at = end;
      return text.slice(start, end);
    }
  }
}

/** `name*3` or `name*3*`: which piece of which value. Undefined for other names. */
function pieceOf(name: string): { base: string; number: number; isExtended: boolean } | undefined {
  const isExtended = name.endsWith('*');
  const end = isExtended ? name.length - 1 : name.length;
  const star = name.lastIndexOf('*', end - 1);
  if (star <= 0 || star + 1 >= end || end - star > 4) return undefined;
  let number = 0;
  for (let at = star + 1; at < end; at++) {
    const digit = name.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    number = number * 10 + digit;
  }
  return { base: name.slice(0, star), number, isExtended };
}

/** Of one value, by number; the first of two with one number counts. */
type Pieces = Map<number, { readonly value: string; readonly isExtended: boolean }>;

/** Values that came in pieces stand, whole, where the first of their pieces stood. Without a piece 0 they stay as sent. */
function joinPieces(parameters: readonly string[]): readonly string[] {
  const byBase = new Map<string, Pieces>();
  for (let i = 0; i < parameters.length; i += 2) {
    const piece = pieceOf(parameters[i]!);
    if (piece === undefined) continue;
    const pieces: Pieces = byBase.get(piece.base) ?? new Map();
    byBase.set(piece.base, pieces);
    if (!pieces.has(piece.number))
      pieces.set(piece.number, { value: parameters[i + 1]!, isExtended: piece.isExtended });
  }
  const joined: string[] = [];
  const done = new Set<string>();
  for (let i = 0; i < parameters.length; i += 2) {
    const piece = pieceOf(parameters[i]!);
    const pieces = piece === undefined ? undefined : byBase.get(piece.base)!;
    if (piece === undefined || pieces?.has(0) !== true) joined.push(parameters[i]!, parameters[i + 1]!);
    else if (!done.has(piece.base)) {
      done.add(piece.base);
      joined.push(...joinValue(piece.base, pieces));
    }
  }
  return joined;
}

/** Pieces behind a gap are lost, as they are to every reader. */
function joinValue(base: string, pieces: Pieces): [name: string, value: string] {
  let text = '';
  let encoded = '';
  let isExtended = false;
  for (let number = 0; ; number++) {
    const piece = pieces.get(number);
    if (piece === undefined) break;
    text += piece.value;
    // Only extended pieces are percent-encoded; the whole is.
    encoded += piece.isExtended ? piece.value : piece.value.replaceAll('%', '%25');
    isExtended ||= piece.isExtended;
  }
  if (!isExtended) return [base, text];
  return [`${base}*`, pieces.get(0)!.isExtended ? encoded : `''${encoded}`];
}

function endsBareWord(code: number): boolean {
  return code === 0x3b || code === 0x20 || code === 0x09 || code === 0x0d || code === 0x0a;
}
