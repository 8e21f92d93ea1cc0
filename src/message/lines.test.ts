import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { countLineFeeds } from './lines.ts';

test('line feeds are counted in a range, across chunks, in long lines and short ones', () => {
  const bytes = Buffer.from(`${'x'.repeat(75)}\r\n`.repeat(3000) + '\n'.repeat(200_000) + 'x'.repeat(100_000));
  assert.equal(countLineFeeds(bytes, 0, bytes.length), 203_000);
  assert.equal(countLineFeeds(bytes, 76, 77), 1);
  assert.equal(countLineFeeds(bytes, 75, 76), 0);
  assert.equal(countLineFeeds(bytes, 5, 5), 0);
});

test('property: the count is that of a plain loop', () => {
  fc.assert(
    fc.property(fc.uint8Array({ max: 12, maxLength: 300 }), fc.nat(300), (array, start) => {
      const bytes = Buffer.from(array);
      const plain = [...bytes.subarray(start)].filter((byte) => byte === 10).length;
      assert.equal(countLineFeeds(bytes, start, bytes.length), plain);
    }),
  );
});
