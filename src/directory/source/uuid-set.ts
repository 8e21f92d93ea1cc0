// UUIDs of a whole directory, to find out afterwards which entries were not named.
//
// In      UUIDs as text, in either case; of what is no UUID the text itself counts
// Out     whether one was added
// Limits  16 octets each, in tables at most three quarters full: a text in a Set takes 77. Many small tables: one that is full is
//         made anew, twice as large, in a millisecond or two, where a Set of a million takes a tenth of a second
// States  a slot of zeros is empty

import { randomInt } from 'node:crypto';

const WORDS = 4;
const TABLES = 256;
const SLOTS_MIN = 16;
const TEXT_LENGTH = 36;
const HYPHEN = '-'.charCodeAt(0);
const HYPHENS = [8, 13, 18, 23] as const;
const NONE = 255;

/** Of a character code. */
const DIGITS = new Uint8Array(256).fill(NONE);
for (let digit = 0; digit < 16; digit++)
  for (const text of [digit.toString(16), digit.toString(16).toUpperCase()]) DIGITS[text.charCodeAt(0)] = digit;

interface Table {
  slots: Uint32Array;
  count: number;
}

export class UuidSet {
  /** Nobody who chooses UUIDs knows where they come to stand. */
  readonly #seed = randomInt(2 ** 32);
  readonly #key = new Uint32Array(WORDS);
  readonly #tables: readonly Table[] = Array.from({ length: TABLES }, () => ({
    slots: new Uint32Array(WORDS * SLOTS_MIN),
    count: 0,
  }));
  readonly #others = new Set<string>();

  add(uuid: string): void {
    if (!this.#read(uuid)) {
      this.#others.add(uuid);
      return;
    }
    const hash = this.#hash();
    const table = this.#tables[hash % TABLES]!;
    const at = this.#find(table.slots, hash);
    if (!isEmpty(table.slots, at)) return;
    table.slots.set(this.#key, at);
    table.count++;
    if (table.count * WORDS * 4 > table.slots.length * 3) this.#grow(table);
  }

  has(uuid: string): boolean {
    if (!this.#read(uuid)) return this.#others.has(uuid);
    const hash = this.#hash();
    const { slots } = this.#tables[hash % TABLES]!;
    return !isEmpty(slots, this.#find(slots, hash));
  }

  /** Into the key. False: no UUID, or the one of zeros. */
  #read(uuid: string): boolean {
    if (uuid.length !== TEXT_LENGTH) return false;
    for (const at of HYPHENS) if (uuid.charCodeAt(at) !== HYPHEN) return false;
    const key = this.#key;
    let digits = 0;
    for (let at = 0; at < TEXT_LENGTH; at++) {
      const code = uuid.charCodeAt(at);
      if (code === HYPHEN) continue;
      const digit = code < DIGITS.length ? DIGITS[code]! : NONE;
      if (digit === NONE) return false;
      key[digits >> 3] = (key[digits >> 3]! << 4) | digit;
      digits++;
    }
    return digits === WORDS * 8 && !isEmpty(key, 0);
  }

  /** Of the key. */
  #hash(): number {
    let hash = this.#seed;
    for (let word = 0; word < WORDS; word++) {
      hash = Math.imul(hash ^ this.#key[word]!, 0x85ebca6b);
      hash ^= hash >>> 13;
    }
    return hash >>> 0;
  }

  /** Where the key stands, or would. */
  #find(slots: Uint32Array, hash: number): number {
    const mask = slots.length / WORDS - 1;
    const [a, b, c, d] = this.#key;
    for (let slot = Math.floor(hash / TABLES) & mask; ; slot = (slot + 1) & mask) {
      const at = slot * WORDS;
      if (slots[at] === a && slots[at + 1] === b && slots[at + 2] === c && slots[at + 3] === d) return at;
      if (isEmpty(slots, at)) return at;
    }
  }

  #grow(table: Table): void {
    const before = table.slots;
    table.slots = new Uint32Array(before.length * 2);
    for (let at = 0; at < before.length; at += WORDS) {
      if (isEmpty(before, at)) continue;
      this.#key.set(before.subarray(at, at + WORDS));
      table.slots.set(this.#key, this.#find(table.slots, this.#hash()));
    }
  }
}

function isEmpty(slots: Uint32Array, at: number): boolean {
  return (slots[at]! | slots[at + 1]! | slots[at + 2]! | slots[at + 3]!) === 0;
}
