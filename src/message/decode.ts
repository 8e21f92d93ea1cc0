// Content as text, for SEARCH: transfer encodings, character sets, encoded words.
//
// In      bytes of a part's body, or a header value as latin1; any bytes at all, nothing here throws
// Out     Unicode text; of a body piece by piece, so that a large one is never in memory as a whole
// An unknown character set is read as Windows-1252, so that ASCII words are found all the same.
// RFC 2045 §6, RFC 2047, RFC 2231 §5

import { asciiLower } from '../base/characters.ts';
import { decodeQuotedPrintable } from './quoted-printable.ts';

const FALLBACK_CHARSET = 'windows-1252';
/** Bytes of a body that are decoded at a time. */
const PIECE_BYTES = 65_536;
/** Names of character sets are checked by making a decoder, which is dear; strangers choose the names. */
const CHARSETS_REMEMBERED = 200;
const knownCharsets = new Map<string, string>();

/** The name that TextDecoder takes for a charset of mail. */
function decoderName(charset: string): string {
  const name = asciiLower(charset);
  const known = knownCharsets.get(name);
  if (known !== undefined) return known;
  let found = FALLBACK_CHARSET;
  try {
    found = new TextDecoder(name).encoding;
  } catch {
    // RangeError: no such character set.
  }
  if (knownCharsets.size < CHARSETS_REMEMBERED) knownCharsets.set(name, found);
  return found;
}

/** `charset` as mail names it; malformed sequences become U+FFFD. */
export function decodeCharset(bytes: Uint8Array, charset: string): string {
  return new TextDecoder(decoderName(charset)).decode(bytes);
}

/** Undeclared bytes, as in a raw 8-bit header: UTF-8 if they are that, else Windows-1252. Takes and gives latin1. */
export function decodeRaw(text: string): string {
  let at = 0;
  while (at < text.length && text.charCodeAt(at) < 0x80) at++;
  if (at === text.length) return text;
  const bytes = Buffer.from(text, 'latin1');
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return new TextDecoder(FALLBACK_CHARSET).decode(bytes);
  }
}

/** The text of a body in pieces. `encoding` in lower case; an unknown one is taken for binary. */
export function* eachDecodedText(body: Buffer, encoding: string, charset: string): Generator<string> {
  const decoder = new TextDecoder(decoderName(charset));
  for (const bytes of eachDecoded(body, encoding)) {
    const text = decoder.decode(bytes, { stream: true });
    if (text !== '') yield text;
  }
  const rest = decoder.decode();
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
  let carry = '';
  for (let at = 0; at < body.length; at += PIECE_BYTES) {
    const digits = carry + base64Digits(body.toString('latin1', at, Math.min(body.length, at + PIECE_BYTES)));
    const whole = digits.length - (digits.length % 4);
    yield Buffer.from(digits.slice(0, whole), 'base64');
    carry = digits.slice(whole);
  }
  if (carry !== '') yield Buffer.from(carry, 'base64');
}

/** All that is no digit is left out, RFC 2045 §6.8; padding too, so that bodies strung together stay readable. */
function base64Digits(text: string): string {
  return text.replace(/[^A-Za-z0-9+/]+/g, '');
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
  if (encoding === 'B' || encoding === 'b') return Buffer.from(base64Digits(content), 'base64');
  if (encoding === 'Q' || encoding === 'q')
    return decodeQuotedPrintable(Buffer.from(content.replaceAll('_', ' '), 'latin1'));
  return undefined;
}

function isBlank(text: string): boolean {
  return text.trim() === '';
}
