// Lines of a message as a program has them, cut anywhere.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, inPieces, mutatedOctets, pieceSizes } from '../../../test/support/nearly-right.ts';
import { Failure } from '../../base/failure.ts';
import { LineEnds } from './line-ends.ts';

/** Undefined where it is refused. */
function read(pieces: readonly Buffer[]): string | undefined {
  const lines = new LineEnds();
  try {
    return Buffer.concat([...pieces.map((piece) => lines.push(piece)), lines.end()]).toString('latin1');
  } catch (error) {
    assert.ok(error instanceof Failure && error.kind === 'syntax', String(error));
    return undefined;
  }
}

test('any octets have lines that end in CRLF, or a bare CR or NUL; the same however they are cut', () => {
  const seeds = ['Subject: x\n\nhello\nthere', 'Subject: x\r\n\r\nhello\r\n\nmixed\r\n', '\n\r\n\r\n\n', 'x'];
  fc.assert(
    fc.property(mutatedOctets(seeds), pieceSizes, (octets, sizes) => {
      const text = octets.toString('latin1');
      const whole = /\0|\r(?!\n)/.test(text) ? undefined : text.replace(/\r?\n/g, '\r\n');
      assert.equal(read([octets]), whole);
      assert.equal(read(inPieces(octets, sizes)), whole);
    }),
    fuzzCases(2000),
  );
});
