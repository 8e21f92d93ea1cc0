// Content as text, for SEARCH: transfer encodings, character sets, encoded words.
//
// In      bytes of a part's body, or a header value as latin1; any bytes at all, nothing here throws
// Out     Unicode text; of a body piece by piece, so that the text of a large one is never in memory as a whole
// What has no character set, US-ASCII or one that nobody knows is UTF-8 when its octets are, else Windows-1252.
// RFC 2045 §6, RFC 2047, RFC 2231 §5

import { isAscii } from 'node:buffer';
import { asciiLower } from '../base/characters.ts';
import { Base64Decoder } from './base64.ts';
import { type CharsetStream, openCharset, readsAs } from './charset.ts';
import { readExtended } from './parameters.ts';
import { decodeQuotedPrintable } from './quoted-printable.ts';

/** Bytes of a body that are decoded at a time. */
const PIECE_BYTES = 65_536;

/** `charset` as mail names it, undeclared ones too; malformed sequences become U+FFFD. */
export function decodeCharset(bytes: Uint8Array, charset: string): string {
  const stream = openCharset(charset) ?? undeclared(bytes);
  return stream.decode(bytes) + stream.end();
}

function undeclared(bytes: Uint8Array): CharsetStream {
  return openCharset(readsAs(bytes))!;
}

/** Undeclared bytes, as in a raw 8-bit header. Takes and gives latin1. */
export function decodeRaw(text: string): string {
  let at = 0;
  while (at < text.length && text.charCodeAt(at) < 0x80) at++;
  return at === text.length ? text : decodeCharset(Buffer.from(text, 'latin1'), '');
}

/** The value of a parameter whose name ends in `*`, as text. RFC 2231 §4 */
export function decodeExtended(value: string): string {
  const { charset, octets } = readExtended(value);
  return decodeCharset(Buffer.from(octets, 'latin1'), charset);
}

/**
 * The text of a body in pieces, some of them empty. `encoding` in lower case; an unknown one is taken for binary. Where the
 * charset says nothing, all octets are looked at first.
 */
export function* eachDecodedText(body: Buffer, encoding: string, charset: string): Generator<string> {
  let stream = openCharset(charset);
  let pieces: Iterable<Buffer> = eachDecoded(body, encoding);
  if (stream === undefined) {
    const read: Buffer[] = [];
    let isPlain = true;
    for (const bytes of pieces) {
      read.push(bytes);
      isPlain &&= isAscii(bytes);
      yield '';
    }
    pieces = read;
    stream = isPlain ? openCharset('utf-8')! : undeclared(read.length === 1 ? read[0]! : Buffer.concat(read));
  }
  for (const bytes of pieces) yield stream.decode(bytes);
  const rest = stream.end();
  if (rest !== '') yield rest;
}

/** The content of a body in pieces, its transfer encoding undone. */
export function* eachDecoded(body: Buffer, encoding: string): Generator<Buffer> {
  switch (encoding) {
    case 'base64':
      yield* eachBase64(body);
      break;
    case 'quoted-printable':
      yield* eachQuotedPrintable(body);
      break;
    default:
      for (let at = 0; at < body.length; at += PIECE_BYTES) yield body.subarray(at, at + PIECE_BYTES);
  }
}

function* eachBase64(body: Buffer): Generator<Buffer> {
  const decoder = new Base64Decoder();
  for (let at = 0; at < body.length; at += PIECE_BYTES) yield decoder.push(body.subarray(at, at + PIECE_BYTES));
  const rest = decoder.end();
  if (rest.length > 0) yield rest;
}

function* eachQuotedPrintable(body: Buffer): Generator<Buffer> {
  let at = 0;
  while (at < body.length) {
    let end = Math.min(body.length, at + PIECE_BYTES);
    if (end < body.length) {
      // Cut behind a line, else before a code that would be cut in two.
      const lineFeed = body.subarray(at, end).lastIndexOf(0x0a);
      const code = body.subarray(end - 2, end).indexOf(0x3d);
      if (lineFeed >= 0) end = at + lineFeed + 1;
      else if (code >= 0) end = end - 2 + code;
    }
    yield decodeQuotedPrintable(body.subarray(at, end));
    at = end;
  }
}

/**
 * A header value with its encoded words decoded; between two of them white space is no text. A word that cannot be
 * read stays as it is. Takes latin1, gives Unicode.
 */
export function decodeWords(value: string): string {
  let text = '';
  let start = 0;
  let held: { charset: string; pieces: Buffer[] } | undefined;
  for (let at = value.indexOf('=?'); at >= 0; ) {
    const word = encodedWord(value, at);
    if (word === undefined) {
      at = value.indexOf('=?', at + 2);
      continue;
    }
    const between = value.slice(start, at);
    const isNext = held !== undefined && isBlank(between);
    // Mailers cut a character into two words: words of one charset that follow each other are decoded together.
    if (held !== undefined && isNext && held.charset === word.charset) held.pieces.push(word.bytes);
    else {
      if (held !== undefined) text += decodeCharset(Buffer.concat(held.pieces), held.charset);
      if (!isNext) text += decodeRaw(between);
      held = { charset: word.charset, pieces: [word.bytes] };
    }
    start = word.end;
    at = value.indexOf('=?', start);
  }
  if (held !== undefined) text += decodeCharset(Buffer.concat(held.pieces), held.charset);
  return text + decodeRaw(value.slice(start));
}

interface EncodedWord {
  readonly charset: string;
  readonly bytes: Buffer;
  readonly end: number;
}

/** RFC 2047 §2 allows 75 characters; mailers send more. What is longer than this is no word. */
const ENCODED_WORD_MAX = 2048;

/** `=?charset?Q?text?=` at `at`; a language behind the charset (RFC 2231 §5) is left out. */
function encodedWord(value: string, at: number): EncodedWord | undefined {
  const window = value.slice(at, at + ENCODED_WORD_MAX);
  const second = window.indexOf('?', 2);
  const isWord = second > 2 && window.charAt(second + 2) === '?';
  const end = isWord ? window.indexOf('?=', second + 3) : -1;
  if (end < 0) return undefined;
  const charset = window.slice(2, second);
  const star = charset.indexOf('*');
  const content = window.slice(second + 3, end);
  const bytes = wordBytes(window.charAt(second + 1), content);
  if (bytes === undefined || charset.includes(' ')) return undefined;
  return { charset: asciiLower(star < 0 ? charset : charset.slice(0, star)), bytes, end: at + end + 2 };
}

function wordBytes(encoding: string, content: string): Buffer | undefined {
  if (encoding === 'B' || encoding === 'b') return Buffer.concat([...eachBase64(Buffer.from(content, 'latin1'))]);
  if (encoding === 'Q' || encoding === 'q')
    return decodeQuotedPrintable(Buffer.from(content.replaceAll('_', ' '), 'latin1'));
  return undefined;
}

function isBlank(text: string): boolean {
  return text.trim() === '';
}
