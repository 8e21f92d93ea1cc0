// However a body is cut into pieces, it is decoded as at once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeBase64 } from './base64.ts';
import { decodeQuotedPrintable, encodeQuotedPrintable } from './quoted-printable.ts';
import { openTransferDecoder } from './transfer-decoder.ts';

const cuts = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 30 });

function decode(encoding: string, body: Buffer, sizes: readonly number[]): Buffer {
  const decoder = openTransferDecoder(encoding)!;
  const pieces: Buffer[] = [];
  for (let at = 0, i = 0; at < body.length; i++) {
    const size = sizes[i % sizes.length]!;
    pieces.push(Buffer.from(decoder.push(body.subarray(at, at + size))));
    at += size;
  }
  pieces.push(decoder.end());
  return Buffer.concat(pieces);
}

test('what was encoded comes back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), cuts, (octets, sizes) => {
      const bytes = Buffer.from(octets);
      assert.deepEqual(decode('base64', encodeBase64(bytes), sizes), bytes);
      assert.deepEqual(decode('binary', bytes, sizes), bytes);
      const quoted = encodeQuotedPrintable(bytes);
      assert.deepEqual(decode('quoted-printable', quoted, sizes), decodeQuotedPrintable(quoted));
    }),
    { numRuns: 1000 },
  );
});

test('text that is nearly quoted-printable is decoded as at once', () => {
  const parts = fc.array(
    fc.constantFrom('=', '3D', '=4', '\r\n', '\n', ' ', '\t', 'a', '=\r\n', '=  \r\n', 'x'.repeat(90)),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(parts, cuts, (texts, sizes) => {
      const body = Buffer.from(texts.join(''));
      assert.deepEqual(decode('quoted-printable', body, sizes), decodeQuotedPrintable(body));
    }),
    { numRuns: 2000 },
  );
});

test('an encoding that nobody knows is none', () => {
  assert.equal(openTransferDecoder('x-uuencode'), undefined);
});
