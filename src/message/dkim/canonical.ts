// What of a message is hashed for its signature: header fields and body in the form "relaxed", which survives what hosts on the way
// do to white space.
//
// In      fields of a parsed header; the body piece by piece, any octets at all
// Out     text of a field, without its line break; SHA-256 of the body
// A lone LF counts as a line's end, because it leaves as CRLF; a lone CR is text.
// RFC 6376 §3.4.2 §3.4.4 §3.4.6

import { createHash, type Hash } from 'node:crypto';
import type { Header, HeaderField } from '../header.ts';

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;

/** `name:value`, latin1: the name in lower case, the value without its folds, one space for each run of white space. */
export function relaxedField(header: Header, { name, valueStart, end }: HeaderField): string {
  return `${name}:${relaxedValue(header.text.slice(valueStart, end))}`;
}

export function relaxedValue(text: string): string {
  let value = '';
  let hasSpace = false;
  let start = -1;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const isBreak = code === LF || (code === CR && (text.charCodeAt(at + 1) === LF || at + 1 === text.length));
    if (isBreak || code === SPACE || code === TAB) {
      if (start >= 0) value += text.slice(start, at);
      start = -1;
      // A fold is white space by the blank behind it.
      hasSpace ||= !isBreak;
    } else if (start < 0) {
      if (hasSpace && value !== '') value += ' ';
      hasSpace = false;
      start = at;
    }
  }
  return start < 0 ? value : value + text.slice(start);
}

/** What has been made and not yet hashed, of whatever body is at hand: nothing waits in it between two pieces. */
const MADE = Buffer.allocUnsafeSlow(64 * 1024);
/** A held CR, a space and a line break come before an octet at most. */
const AN_OCTET_MAKES = 8;
const WORDS_END = MADE.length - AN_OCTET_MAKES;
const LINE_BREAKS = Buffer.from('\r\n'.repeat(1024));

/** SHA-256 of a body in its relaxed form. */
export class RelaxedBody {
  readonly #hash: Hash = createHash('sha256');
  /** Line breaks that count only when something follows. */
  #breaks = 0;
  #hasSpace = false;
  #hasCr = false;
  #isEmpty = true;

  push(bytes: Uint8Array): void {
    let length = 0;
    for (let at = 0; at < bytes.length; at++) {
      const code = bytes[at]!;
      if (code === LF) {
        this.#breaks++;
        this.#hasSpace = false;
        this.#hasCr = false;
        continue;
      }
      if (this.#hasCr) {
        length = this.#text(CR, this.#roomAt(length));
        this.#hasCr = false;
      }
      if (code === CR) this.#hasCr = true;
      else if (code === SPACE || code === TAB) this.#hasSpace = true;
      else {
        length = this.#text(code, this.#roomAt(length));
        // A word's other octets have nothing in front of them.
        while (length < WORDS_END && bytes[at + 1]! > SPACE) MADE[length++] = bytes[++at]!;
      }
    }
    this.#hash.update(MADE.subarray(0, length));
  }

  #roomAt(length: number): number {
    if (length + AN_OCTET_MAKES <= MADE.length) return length;
    this.#hash.update(MADE.subarray(0, length));
    return 0;
  }

  /** An octet of text, and in front of it what was held; gives where the next one goes. */
  #text(code: number, length: number): number {
    let to = length;
    if (this.#breaks > 1) {
      this.#hash.update(MADE.subarray(0, to));
      to = 0;
      this.#hashBreaks();
    }
    if (this.#breaks === 1) {
      MADE[to++] = CR;
      MADE[to++] = LF;
      this.#breaks = 0;
    }
    if (this.#hasSpace) MADE[to++] = SPACE;
    this.#hasSpace = false;
    this.#isEmpty = false;
    MADE[to++] = code;
    return to;
  }

  #hashBreaks(): void {
    for (let left = this.#breaks * 2; left > 0; left -= LINE_BREAKS.length)
      this.#hash.update(LINE_BREAKS.subarray(0, left));
    this.#breaks = 0;
  }

  /** Called once, behind the last piece. */
  digest(): Buffer {
    if (this.#hasCr) this.#hash.update(MADE.subarray(0, this.#text(CR, 0)));
    // Without the empty lines at its end; a body that is not empty ends in a line break.
    if (!this.#isEmpty) this.#hash.update(LINE_BREAKS.subarray(0, 2));
    return this.#hash.digest();
  }
}
