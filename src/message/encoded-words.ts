// Text beyond ASCII as a header carries it: encoded words, phrases, parameter values with a character set.
//
// In      Unicode text, of any length
// Out     printable ASCII, folded: no line is longer than 76 characters, the first one not counting the field's name
// What a reader decodes is the text again: a character is never cut in two.
// RFC 2047 §2 §5, RFC 2231 §3 §4, RFC 5322 §3.2.5

import { ALNUM, ATEXT, characterClass, isAll, MIME_TOKEN } from '../base/characters.ts';

/** Octets of a word: 60 digits of base64 and `=?utf-8?B??=` around them. */
const WORD_OCTETS = 45;
/** Characters of a parameter's piece: its name and number stand before it. */
const PIECE_LENGTH = 60;
/** What a phrase may have without quotes, and encoded words that stand in it. RFC 5322 §4.1 lets dots be there. */
const PHRASE = characterClass(' .');
for (let code = 0; code < 128; code++) if (ATEXT[code] === 1) PHRASE[code] = 1;
/** RFC 2231 §7 attribute-char: octets that stand for themselves. */
const ATTRIBUTE = characterClass('-._~');
for (let code = 0; code < 128; code++) if (ALNUM[code] === 1) ATTRIBUTE[code] = 1;

/** As encoded words, one a line; empty for empty text. */
export function encodedWords(text: string): string {
  let words = '';
  let piece = '';
  let octets = 0;
  for (const character of text) {
    const more = Buffer.byteLength(character);
    if (octets + more > WORD_OCTETS) {
      words += `${word(piece)}\r\n `;
      piece = '';
      octets = 0;
    }
    piece += character;
    octets += more;
  }
  return piece === '' ? words : words + word(piece);
}

function word(text: string): string {
  return `=?utf-8?B?${Buffer.from(text).toString('base64')}?=`;
}

/** A display name or the name of a group. Encoded words that stand in it stay what they are. */
export function formatPhrase(text: string): string {
  if (!isPrintable(text)) return encodedWords(text);
  return isAll(text, PHRASE) && text.trim() === text && text !== '' ? text : quotedText(text);
}

/** A parameter as it stands behind a `;`, folded where it is long: `filename*=utf-8''J%C3%B6rg`. */
export function formatParameter(name: string, value: string): string {
  if (!isPrintable(value) || value.length > PIECE_LENGTH * 10) {
    return extendedParameter(name, `utf-8''${percentEncoded(Buffer.from(value))}`);
  }
  return `${name}=${value !== '' && isAll(value, MIME_TOKEN) ? value : quotedText(value)}`;
}

/** `encoded`: character set, language and percent-encoded octets, as RFC 2231 §4 has them. */
export function extendedParameter(name: string, encoded: string): string {
  if (encoded.length <= PIECE_LENGTH) return `${name}*=${encoded}`;
  const pieces: string[] = [];
  for (let at = 0; at < encoded.length; ) {
    let end = Math.min(encoded.length, at + PIECE_LENGTH);
    // Not within the three characters of an octet.
    if (end < encoded.length && encoded.charAt(end - 1) === '%') end -= 1;
    else if (end < encoded.length && encoded.charAt(end - 2) === '%') end -= 2;
    pieces.push(`${name}*${pieces.length}*=${encoded.slice(at, end)}`);
    at = end;
  }
  return pieces.join(';\r\n ');
}

function percentEncoded(octets: Buffer): string {
  let encoded = '';
  for (const octet of octets)
    encoded +=
      ATTRIBUTE[octet] === 1 ? String.fromCharCode(octet) : `%${octet.toString(16).toUpperCase().padStart(2, '0')}`;
  return encoded;
}

function quotedText(text: string): string {
  let quoted = '"';
  for (const c of text) quoted += c === '"' || c === '\\' ? `\\${c}` : c;
  return `${quoted}"`;
}

function isPrintable(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if ((code < 0x20 && code !== 0x09) || code > 0x7e) return false;
  }
  return true;
}
