// What RFC 5051 says of a character, one by one, is what the fast way makes of a text.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fold } from './unicode-casemap.ts';

/** Title case where it is one character, then decomposed. */
function naive(text: string): string {
  let cased = '';
  for (const character of text) {
    const upper = character.toUpperCase();
    cased += [...upper].length === 1 ? upper : character;
  }
  return cased.normalize('NFKD');
}

test('letters without regard to case, however they are composed', () => {
  const same: readonly [string, string][] = [
    ['Grüße', 'GRÜßE'],
    ['u\u0308', 'Ü'],
    ['ΣΊΣΥΦΟΣ', 'σίσυφος'],
    ['İ', 'I\u0307'],
    ['ǆ', 'Ǆ'],
    ['ＡＢＣ', 'abc'],
    ['𐐨', '𐐀'],
  ];
  for (const [one, other] of same) assert.equal(fold(one), fold(other), one);
  assert.notEqual(fold('ß'), fold('ss'));
  assert.equal(fold('plain Text 7'), 'PLAIN TEXT 7');
});

test('a text is its characters one by one', () => {
  const text = fc.string({
    unit: fc.oneof(fc.string({ unit: 'binary', minLength: 1 }), fc.constantFrom('ß', 'ŉ', 'ﬁ', 'ΐ', 'a', '\u0308')),
  });
  fc.assert(
    fc.property(text, (one) => assert.equal(fold(one), naive(one))),
    { numRuns: 2000 },
  );
});
