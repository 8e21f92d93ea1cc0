// `$5$` and `$6$` of crypt(3): rounds of SHA-256 and SHA-512, 5000 where none are named.
//
// In      the password's octets, a salt of at most sixteen, rounds
// Out     what stands behind the salt, 43 or 86 letters
// "Unix crypt using SHA-256 and SHA-512", Ulrich Drepper, version 0.6

import { hash } from 'node:crypto';
import { cryptText } from './letters.ts';

export interface ShaCryptSetting {
  readonly algorithm: 'sha256' | 'sha512';
  readonly salt: Buffer;
  readonly rounds: number;
}

const ORDERS = {
  sha256: [
    [0, 10, 20, 21, 1, 11, 12, 22, 2, 3, 13, 23, 24, 4, 14, 15, 25, 5, 6, 16, 26, 27, 7, 17, 18, 28, 8, 9, 19, 29],
    [-1, 31, 30],
  ].flat(),
  sha512: [
    [0, 21, 42, 22, 43, 1, 44, 2, 23, 3, 24, 45, 25, 46, 4, 47, 5, 26, 6, 27, 48, 28, 49, 7, 50, 8, 29, 9, 30, 51],
    [31, 52, 10, 53, 11, 32, 12, 33, 54, 34, 55, 13, 56, 14, 35, 15, 36, 57, 37, 58, 16, 59, 17, 38, 18, 39, 60],
    [40, 61, 19, 62, 20, 41, -1, -1, 63],
  ].flat(),
} as const;

export function shaCrypt(password: Buffer, { algorithm, salt, rounds }: ShaCryptSetting): string {
  const digestOf = (...parts: readonly Buffer[]): Buffer => hash(algorithm, Buffer.concat(parts), 'buffer');
  const { length } = password;
  const inner = digestOf(password, salt, password);
  const parts: Buffer[] = [password, salt, repeated(inner, length)];
  for (let bits = length; bits > 0; bits >>= 1) parts.push((bits & 1) === 1 ? inner : password);
  let digest = digestOf(...parts);
  const ofPassword = repeated(digestOf(repeated(password, length * length)), length);
  const ofSalt = repeated(digestOf(repeated(salt, salt.length * (16 + digest[0]!))), salt.length);
  for (let round = 0; round < rounds; round++) {
    const isOdd = round % 2 === 1;
    const made = [isOdd ? ofPassword : digest];
    if (round % 3 !== 0) made.push(ofSalt);
    if (round % 7 !== 0) made.push(ofPassword);
    made.push(isOdd ? digest : ofPassword);
    digest = digestOf(...made);
  }
  return cryptText(digest, ORDERS[algorithm]);
}

/** The octets, again and again, to this length. */
function repeated(octets: Buffer, length: number): Buffer {
  return length === 0 ? Buffer.alloc(0) : Buffer.alloc(length, octets);
}
