// Reads and writes the octets of a DNS message at an offset: reading checks each bound, writing compresses names.
//
// Limits  pointers strictly backwards, never into the header; one hop for each label that a name can have; 65,535 octets
// Never   throws a RangeError: a message that is too short is a SyntaxFailure
// RFC 1035 §2.3.4 §4.1.4, RFC 3597 §4, RFC 9267

import { SyntaxFailure } from '../../base/cursor.ts';
import { Failure } from '../../base/failure.ts';
import { LABEL_BYTES, NAME_BYTES, octetText, PLAIN_OCTETS, putName, ROOT } from './name.ts';

export const DNS_HEADER_BYTES = 12;
/** The largest length that two octets can hold. */
export const MESSAGE_BYTES = 0xffff;
const HOPS_MAX = 127;
const POINTER = 0xc0;
/** A pointer has fourteen bits. */
const POINTER_OFFSETS = 0x4000;

export class DnsReader {
  readonly bytes: Uint8Array;
  offset: number;

  constructor(bytes: Uint8Array, offset = 0) {
    this.bytes = bytes;
    this.offset = offset;
  }

  get atEnd(): boolean {
    return this.offset >= this.bytes.length;
  }

  fail(expected: string): never {
    throw new SyntaxFailure(expected, this.offset);
  }

  #need(count: number): void {
    if (this.offset + count > this.bytes.length) this.fail(`${count} more octets`);
  }

  u8(): number {
    this.#need(1);
    return this.bytes[this.offset++]!;
  }

  u16(): number {
    this.#need(2);
    const value = (this.bytes[this.offset]! << 8) | this.bytes[this.offset + 1]!;
    this.offset += 2;
    return value;
  }

  u32(): number {
    return this.u16() * 0x10000 + this.u16();
  }

  /** A view, not a copy. */
  octets(count: number): Uint8Array {
    this.#need(count);
    const octets = this.bytes.subarray(this.offset, this.offset + count);
    this.offset += count;
    return octets;
  }

  /** The one text of the name here (name.ts), compressed or not, in its own case. */
  name(): string {
    const { bytes } = this;
    let at = this.offset;
    // Where the run of labels began that is being read: a pointer out of it must lead to before it, so none can loop.
    let runAt = at;
    let resumeAt = -1;
    let length = 1;
    let hops = 0;
    let text = '';
    for (;;) {
      const octet = bytes[at];
      if (octet === undefined) this.fail('the rest of a name');
      if (octet === 0) break;
      if (octet >= POINTER) {
        const low = bytes[at + 1];
        if (low === undefined) this.fail('the second octet of a pointer');
        const target = ((octet & 0x3f) << 8) | low;
        if (target >= runAt || target < DNS_HEADER_BYTES) this.fail('a pointer to an earlier name');
        if (++hops > HOPS_MAX) this.fail('fewer pointers');
        if (resumeAt < 0) resumeAt = at + 2;
        at = runAt = target;
        continue;
      }
      if (octet > LABEL_BYTES) this.fail('a label or a pointer');
      length += octet + 1;
      if (length > NAME_BYTES) this.fail(`a name of at most ${NAME_BYTES} octets`);
      if (at + octet >= bytes.length) this.fail('the rest of a label');
      if (text !== '') text += '.';
      const end = at + 1 + octet;
      for (at++; at < end; at++) {
        const code = bytes[at]!;
        text += PLAIN_OCTETS[code] === 1 ? String.fromCharCode(code) : octetText(code);
      }
    }
    this.offset = resumeAt < 0 ? at + 1 : resumeAt;
    return text === '' ? ROOT : text;
  }

  /** Over the name here, without following its pointer. */
  skipName(): void {
    for (;;) {
      const octet = this.u8();
      if (octet >= POINTER) {
        this.skip(1);
        return;
      }
      if (octet > LABEL_BYTES) this.fail('a label or a pointer');
      if (octet === 0) return;
      this.skip(octet);
    }
  }

  skip(count: number): void {
    this.#need(count);
    this.offset += count;
  }
}

/** The name that is being written: memory of its own for each would be most of what a message leaves to the collector. */
const NAME = new Uint8Array(NAME_BYTES);
/** Of each of its labels, from the first: where it begins in NAME, and the hash of what the name is from there on. */
const LABELS = new Uint8Array(NAME_BYTES);
const HASHES = new Int32Array(NAME_BYTES);
/** In the table of names: nothing yet, and what has been taken back. Nothing points to a name at these offsets, before a header's end. */
const FREE = 0;
const GONE = 1;
const FNV_PRIME = 0x01000193;

export class DnsWriter {
  #bytes: Uint8Array;
  #offset = 0;
  /**
   * Where names were written, by their hash; beyond a certain number no more are noted. By octets: a pointer to a name in another
   * case would change the case that is read back. No Map of texts: V8 keeps each text that a Map is asked for (base/few.ts).
   */
  readonly #names: Uint16Array;
  #namesLeft: number;

  /**
   * `bytes`: where it writes as long as there is room; `names`: a power of two. Memory that nobody else uses until it is done.
   */
  constructor(bytes = new Uint8Array(512), names = new Uint16Array(64)) {
    this.#bytes = bytes;
    this.#names = names.fill(FREE);
    this.#namesLeft = names.length * 0.75;
  }

  get offset(): number {
    return this.#offset;
  }

  #room(count: number): void {
    const needed = this.#offset + count;
    if (needed > MESSAGE_BYTES) throw new Failure('too-large', 'The DNS message is too large');
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.min(MESSAGE_BYTES, Math.max(needed, 2 * this.#bytes.length)));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }

  u8(value: number): void {
    this.#room(1);
    this.#bytes[this.#offset++] = value;
  }

  u16(value: number): void {
    this.#room(2);
    this.#bytes[this.#offset++] = value >>> 8;
    this.#bytes[this.#offset++] = value;
  }

  u32(value: number): void {
    this.u16(Math.floor(value / 0x10000));
    this.u16(value % 0x10000);
  }

  octets(octets: ArrayLike<number>): void {
    this.#room(octets.length);
    this.#bytes.set(octets, this.#offset);
    this.#offset += octets.length;
  }

  /** Sets the two octets at `offset`, for a length or a count that is known only later. */
  setU16(offset: number, value: number): void {
    this.#bytes[offset] = value >>> 8;
    this.#bytes[offset + 1] = value;
  }

  /** Throws a SyntaxFailure when the text is no name. The root is never compressed: it is shorter than a pointer. */
  name(text: string): void {
    const length = putName(NAME, text);
    let labels = 0;
    for (let at = 0; at < length; at += 1 + NAME[at]!) LABELS[labels++] = at;
    let known: number | undefined;
    // From the end: what is known of a name has its own end known, too.
    let isKnown = true;
    let first = labels;
    for (let label = labels - 1, end = length, hash = 0; label >= 0; label--) {
      const start = LABELS[label]!;
      for (let at = start; at < end; at++) hash = Math.imul(hash ^ NAME[at]!, FNV_PRIME);
      HASHES[label] = hash ^= hash >>> 15;
      end = start;
      const found: number | undefined = isKnown ? this.#find(hash, start, length) : undefined;
      isKnown = found !== undefined;
      if (!isKnown) continue;
      known = found;
      first = label;
    }
    this.#room(length);
    for (let label = 0; label < first; label++) {
      this.#note(HASHES[label]!);
      const start = LABELS[label]!;
      for (let at = start; at <= start + NAME[start]!; at++) this.#bytes[this.#offset++] = NAME[at]!;
    }
    if (known === undefined) this.u8(0);
    else this.u16((POINTER << 8) | known);
  }

  /** What NAME is from `start` on is written here. */
  #note(hash: number): void {
    if (this.#offset >= POINTER_OFFSETS || this.#namesLeft <= 0) return;
    const mask = this.#names.length - 1;
    let slot = hash & mask;
    while (this.#names[slot] !== FREE) slot = (slot + 1) & mask;
    this.#names[slot] = this.#offset;
    this.#namesLeft--;
  }

  /** Where what NAME is from `start` on was written before. */
  #find(hash: number, start: number, length: number): number | undefined {
    const mask = this.#names.length - 1;
    for (let slot = hash & mask; this.#names[slot] !== FREE; slot = (slot + 1) & mask) {
      const offset = this.#names[slot]!;
      if (offset !== GONE && this.#isAt(offset, start, length)) return offset;
    }
    return undefined;
  }

  #isAt(offset: number, start: number, length: number): boolean {
    const bytes = this.#bytes;
    for (let at = start; ; ) {
      while (bytes[offset]! >= POINTER) offset = ((bytes[offset]! & 0x3f) << 8) | bytes[offset + 1]!;
      if (at === length) return bytes[offset] === 0;
      for (const end = at + 1 + NAME[at]!; at < end; ) if (bytes[offset++] !== NAME[at++]) return false;
    }
  }

  /** RFC 3597 §4: in the data of types that are younger than RFC 1035 a name is written whole. */
  wholeName(text: string): void {
    const length = putName(NAME, text);
    this.#room(length + 1);
    for (let at = 0; at < length; at++) this.#bytes[this.#offset++] = NAME[at]!;
    this.u8(0);
  }

  /** Takes back all that was written from `offset` on. */
  cut(offset: number): void {
    this.#offset = offset;
    for (let slot = 0; slot < this.#names.length; slot++) {
      const at = this.#names[slot]!;
      if (at !== FREE && at >= offset) this.#names[slot] = GONE;
    }
  }

  /** What was written, in memory of its own. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#offset);
  }
}
