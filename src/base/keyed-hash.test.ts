import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { keyedHash } from './keyed-hash.ts';

const KEY = { low: 0x03020100, high: 0x07060504 };

/** Octets 0, 1, 2, ... as the authors' vectors have them, two a code unit. */
function counting(octets: number): string {
  return Buffer.from(Array.from({ length: octets }, (_, i) => i)).toString('utf16le');
}

function hexOf({ low, high }: { low: number; high: number }): string {
  const octets = Buffer.alloc(8);
  octets.writeInt32LE(low, 0);
  octets.writeInt32LE(high, 4);
  return octets.toString('hex');
}

test("the authors' first vector", () => {
  assert.equal(hexOf(keyedHash(KEY, counting(0))), '218d1f59b9b83cc8');
});

/** Word by word as the paper has it, over octets. */
function naive(key: { low: number; high: number }, text: string): string {
  const octets = Buffer.from(text, 'utf16le');
  const [k0, k1] = [key.low >>> 0, key.high >>> 0];
  const v = [k0, k1 ^ 0xee, (0x6c796765 ^ k0) >>> 0, (0x74656462 ^ k1) >>> 0] as [number, number, number, number];
  const add = (a: number, b: number) => (a + b) % 2 ** 32;
  const rotate = (x: number, by: number) => ((x << by) | (x >>> (32 - by))) >>> 0;
  const xor = (a: number, b: number) => (a ^ b) >>> 0;
  const round = () => {
    v[0] = add(v[0], v[1]);
    v[1] = xor(rotate(v[1], 5), v[0]);
    v[0] = rotate(v[0], 16);
    v[2] = add(v[2], v[3]);
    v[3] = xor(rotate(v[3], 8), v[2]);
    v[0] = add(v[0], v[3]);
    v[3] = xor(rotate(v[3], 7), v[0]);
    v[2] = add(v[2], v[1]);
    v[1] = xor(rotate(v[1], 13), v[2]);
    v[2] = rotate(v[2], 16);
  };
  const padded = Buffer.alloc((Math.floor(octets.length / 4) + 1) * 4);
  octets.copy(padded);
  padded[padded.length - 1] = octets.length & 0xff;
  for (let at = 0; at < padded.length; at += 4) {
    const m = padded.readUInt32LE(at);
    v[3] = xor(v[3], m);
    round();
    round();
    v[0] = xor(v[0], m);
  }
  v[2] = xor(v[2], 0xee);
  for (let i = 0; i < 4; i++) round();
  const low = xor(v[1], v[3]);
  v[1] = xor(v[1], 0xdd);
  for (let i = 0; i < 4; i++) round();
  return hexOf({ low: low | 0, high: xor(v[1], v[3]) | 0 });
}

test('any text under any key is what a naive judge says', () => {
  const half = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  const text = fc.string({ unit: 'binary', maxLength: 300 });
  fc.assert(
    fc.property(half, half, text, (low, high, said) => {
      assert.equal(hexOf(keyedHash({ low, high }, said)), naive({ low, high }, said));
    }),
    { numRuns: 1000 },
  );
});
