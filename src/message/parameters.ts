// The structured MIME fields of a header: Content-Type, Content-Disposition, Content-Transfer-Encoding, Content-Language.
//
// In      the unfolded value, latin1; any text at all, it never throws
// Out     tokens in lower case, values as they are meant; RFC 2231 names and encoded words stay as sent
// Limits  MIME_PARAMETERS_MAX; the text is walked once
// RFC 2045 §5.1 §5.2 §6.1, RFC 2183 §2, RFC 3282 §2

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

/** The value of the first parameter of that name (lower case). */
export function findParameter(parameters: Parameters, name: string): string | undefined {
  for (let i = 0; i < parameters.length; i += 2) if (parameters[i] === name) return parameters[i + 1];
  return undefined;
}

function token(cursor: Cursor): string {
  return cursor.run(MIME_TOKEN).toLowerCase();
}

function parseParameters(cursor: Cursor): string[] {
  const parameters: string[] = [];
  while (parameters.length < 2 * MIME_PARAMETERS_MAX) {
    skipCfws(cursor);
    if (cursor.peek() !== 0x3b) {
      // Something that is no parameter: on to the next semicolon.
      const semicolon = cursor.text.indexOf(';', cursor.at);
      if (semicolon < 0) break;
      cursor.at = semicolon;
    }
    cursor.at++;
    skipCfws(cursor);
    const name = token(cursor);
    skipCfws(cursor);
    if (name === '' || !cursor.tryTake('=')) continue;
    skipCfws(cursor);
    parameters.push(name, cursor.peek() === 0x22 ? quotedString(cursor) : bareValue(cursor));
  }
  return parameters;
}

/** A token, and what broken mailers leave unquoted: all up to `;` or a comment, `name=annual report.pdf`. */
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
  }
}

function endsBareWord(code: number): boolean {
  return code === 0x3b || code === 0x20 || code === 0x09 || code === 0x0d || code === 0x0a;
}
