// Octets behind BDAT, cut anywhere, against a look at all of them at once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ChunkReader } from './chunk.ts';

test('property: chunks are the message, octet by octet, and what stands behind is not', () => {
  const pieces = fc.array(fc.constantFrom('a', 'bc', '\r\n', '\r', '\n', '.', '\r\n.\r\n', '\0'), { maxLength: 12 });
  fc.assert(
    fc.property(pieces, fc.nat(8), fc.array(fc.nat(7), { minLength: 1 }), (parts, sizes, cuts) => {
      const text = parts.join('');
      const reader = new ChunkReader();
      let read = '';
      let rest: Buffer | undefined;
      let isEnd = false;
      // BDAT after BDAT, each with so many octets, each read in chunks of other sizes.
      for (let at = 0, cut = 0; !isEnd; ) {
        const octets = Math.min(sizes + 1, text.length - at);
        const isLast = at + octets === text.length;
        reader.expect(octets, isLast);
        const stream = Buffer.from(`${text.slice(at, at + octets)}QUIT`, 'latin1');
        for (let from = 0; ; ) {
          const to = reader.isFilled ? stream.length : Math.min(stream.length, from + cuts[cut++ % cuts.length]! + 1);
          const progress = reader.push(stream.subarray(from, to));
          read += progress.runs.map((run) => run.toString('latin1')).join('');
          from = to;
          isEnd = progress.isEnd;
          if (progress.rest === undefined) continue;
          rest = Buffer.concat([progress.rest, stream.subarray(to)]);
          break;
        }
        assert.equal(rest.toString('latin1'), 'QUIT');
        at += octets;
        if (!isEnd) assert.ok(!isLast);
      }
      assert.equal(read, text);
      const isClean = !/\0|\r(?!\n)|(?<!\r)\n/.test(text);
      assert.equal(reader.bad === undefined, isClean, `${JSON.stringify(text)}: ${reader.bad}`);
    }),
    { numRuns: 500 },
  );
});
