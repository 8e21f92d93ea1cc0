// BER as LDAP uses it: one Reader and one Writer, tags of one octet, definite lengths of at most four octets.
//
// In      one whole PDU (framer.ts has bounded it); values to write
// Out     values; a SyntaxFailure at the offset where the octets lie, never a RangeError
// Limits  a length lies within the element around it; an INTEGER fits 32 bits
// Never   recurses by itself: a type that contains itself (filter.ts) counts its depth
// RFC 4511 §5.1, X.690 §8

import { isUtf8 } from 'node:buffer';
import { SyntaxFailure } from '../../base/cursor.ts';
import { RequestFailure } from './request-failure.ts';
import { type AttributeValue, decodeValue } from './values.ts';

export const BOOLEAN = 0x01;
export const INTEGER = 0x02;
export const OCTET_STRING = 0x04;
export const ENUMERATED = 0x0a;
export const SEQUENCE = 0x30;
export const SET = 0x31;

/** Tag octets of the context and application classes, as the ASN.1 writes them: `[3]`, `[APPLICATION 3]`. */
export const context = (number: number): number => 0x80 | number;
export const contextConstructed = (number: number): number => 0xa0 | number;
export const application = (number: number): number => 0x40 | number;
export const applicationConstructed = (number: number): number => 0x60 | number;

/** Their length is one octet, and below it a loop is quicker than what sets about longer ones. */
const SHORT_OCTETS = 0x80;

export class BerReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;

  constructor(bytes: Buffer, at = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  get atEnd(): boolean {
    return this.#at >= this.#end;
  }

  /** Offset from the start of the PDU. */
  get at(): number {
    return this.#at;
  }

  /** The tag of the next element, -1 when there is none. */
  peekTag(): number {
    return this.#at < this.#end ? this.#bytes[this.#at]! : -1;
  }

  fail(expected: string): never {
    throw new SyntaxFailure(expected, this.#at);
  }

  /** A reader of the contents of the next element, which has this tag. */
  enter(tag: number): BerReader {
    const length = this.#header(tag);
    const start = this.#at;
    this.#at += length;
    return new BerReader(this.#bytes, start, this.#at);
  }

  tryEnter(tag: number): BerReader | undefined {
    return this.peekTag() === tag ? this.enter(tag) : undefined;
  }

  /** The octets themselves, not a copy. */
  octets(tag = OCTET_STRING): Buffer {
    const length = this.#header(tag);
    const start = this.#at;
    this.#at += length;
    return this.#bytes.subarray(start, this.#at);
  }

  value(tag = OCTET_STRING): AttributeValue {
    return this.#shortText(tag) ?? decodeValue(this.octets(tag));
  }

  /** LDAPString, LDAPDN, LDAPOID: UTF-8 and nothing else. */
  text(tag = OCTET_STRING): string {
    const short = this.#shortText(tag);
    if (short !== undefined) return short;
    const start = this.#at;
    const octets = this.octets(tag);
    if (!isUtf8(octets)) throw new RequestFailure('text in UTF-8', start);
    return octets.toString('utf8');
  }

  /** What most values are: a few letters of ASCII. Undefined, and nothing is passed over, for any other. */
  #shortText(tag: number): string | undefined {
    const header = this.#at;
    const length = this.#header(tag);
    const start = this.#at;
    const end = start + length;
    const bytes = this.#bytes;
    let at = length < SHORT_OCTETS ? start : end + 1;
    while (at < end && bytes[at]! < 0x80) at++;
    if (at !== end) {
      this.#at = header;
      return undefined;
    }
    this.#at = end;
    return bytes.toString('latin1', start, end);
  }

  integer(tag = INTEGER): number {
    const start = this.#at;
    const length = this.#header(tag);
    if (length < 1 || length > 4) throw new SyntaxFailure('an integer of 1 to 4 octets', start);
    const value = this.#bytes.readIntBE(this.#at, length);
    this.#at += length;
    return value;
  }

  /** INTEGER (0 .. maxInt). */
  unsigned(tag = INTEGER): number {
    const start = this.#at;
    const value = this.integer(tag);
    if (value < 0) throw new SyntaxFailure('an integer of 0 to 2147483647', start);
    return value;
  }

  boolean(tag = BOOLEAN): boolean {
    const start = this.#at;
    if (this.#header(tag) !== 1) throw new SyntaxFailure('a boolean of 1 octet', start);
    return this.#bytes[this.#at++] !== 0;
  }

  /** Passes over what is left, which a later standard may have added: RFC 4511 §4. Its lengths must still be true. */
  skipRest(): void {
    while (!this.atEnd) this.octets(this.peekTag());
  }

  end(): void {
    if (!this.atEnd) this.fail('the end of the element');
  }

  /** Passes over tag and length and returns the length, which lies within this reader. */
  #header(tag: number): number {
    const actual = this.peekTag();
    if (actual !== tag) this.fail(`the tag ${hex(tag)}${actual < 0 ? '' : `, not ${hex(actual)}`}`);
    if ((actual & 0x1f) === 0x1f) this.fail('a tag of one octet');
    let at = this.#at + 1;
    if (at >= this.#end) this.fail('a length');
    let length = this.#bytes[at++]!;
    if (length >= 0x80) {
      const octets = length & 0x7f;
      if (octets === 0 || octets > 4) this.fail('a definite length of at most 4 octets');
      if (at + octets > this.#end) this.fail('a length');
      length = this.#bytes.readUIntBE(at, octets);
      at += octets;
    }
    if (length > this.#end - at) this.fail(`${length} octets of contents`);
    this.#at = at;
    return length;
  }
}

function hex(tag: number): string {
  return `0x${tag.toString(16).padStart(2, '0')}`;
}

const FIRST_BYTES = 256;

/** Writes elements one after another, and gives them back as one buffer; lengths are minimal. */
export class BerWriter {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #at = 0;

  get length(): number {
    return this.#at;
  }

  /** All that was written since the last call. */
  take(): Buffer {
    const written = this.#bytes.subarray(0, this.#at);
    this.#bytes = Buffer.allocUnsafe(FIRST_BYTES);
    this.#at = 0;
    return written;
  }

  /** An element whose contents are what `write` writes. */
  constructed(tag: number, write: () => void): void {
    this.#room(2);
    this.#bytes[this.#at] = tag;
    this.#at += 2;
    const start = this.#at;
    write();
    const length = this.#at - start;
    if (length < 0x80) {
      this.#bytes[start - 1] = length;
      return;
    }
    // One octet was kept for the length. More are rare and few, and moving the contents costs a memory copy.
    const octets = lengthOctets(length);
    this.#room(octets);
    this.#bytes.copyWithin(start + octets, start, this.#at);
    this.#bytes[start - 1] = 0x80 | octets;
    this.#bytes.writeUIntBE(length, start, octets);
    this.#at += octets;
  }

  octets(value: AttributeValue, tag = OCTET_STRING): void {
    if (typeof value !== 'string') {
      this.#header(tag, value.length);
      this.#bytes.set(value, this.#at);
      this.#at += value.length;
      return;
    }
    if (value.length < SHORT_OCTETS && this.#shortText(value, tag)) return;
    const length = Buffer.byteLength(value, 'utf8');
    this.#header(tag, length);
    this.#bytes.write(value, this.#at, length, 'utf8');
    this.#at += length;
  }

  /** A few letters of ASCII, without a call of the engine's own code. False, and nothing is written, for any other text. */
  #shortText(value: string, tag: number): boolean {
    const length = value.length;
    this.#room(2 + length);
    const bytes = this.#bytes;
    const start = this.#at + 2;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code >= 0x80) return false;
      bytes[start + i] = code;
    }
    bytes[start - 2] = tag;
    bytes[start - 1] = length;
    this.#at = start + length;
    return true;
  }

  /** A whole number of 32 bits. */
  integer(value: number, tag = INTEGER): void {
    let octets = 1;
    while (octets < 4 && (value < -(2 ** (8 * octets - 1)) || value >= 2 ** (8 * octets - 1))) octets++;
    this.#header(tag, octets);
    this.#bytes.writeIntBE(value, this.#at, octets);
    this.#at += octets;
  }

  boolean(value: boolean, tag = BOOLEAN): void {
    this.#header(tag, 1);
    this.#bytes[this.#at++] = value ? 0xff : 0;
  }

  /** An element without contents. */
  empty(tag: number): void {
    this.#header(tag, 0);
  }

  #header(tag: number, length: number): void {
    const octets = length < 0x80 ? 0 : lengthOctets(length);
    this.#room(2 + octets + length);
    this.#bytes[this.#at++] = tag;
    if (octets === 0) {
      this.#bytes[this.#at++] = length;
      return;
    }
    this.#bytes[this.#at++] = 0x80 | octets;
    this.#bytes.writeUIntBE(length, this.#at, octets);
    this.#at += octets;
  }

  #room(count: number): void {
    const needed = this.#at + count;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}

function lengthOctets(length: number): number {
  if (length < 0x100) return 1;
  if (length < 0x10000) return 2;
  return length < 0x1000000 ? 3 : 4;
}
