// Lines of a message for programs and mbox files, whatever the pieces are that it is read in.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { idOf } from '../base/ids.ts';
import type { StoredMessage } from '../store/messages.ts';
import { lfMessage } from './lf-text.ts';

/** Bytes of a message that are read at a time. */
const PIECE_BYTES = 256 * 1024;
const RETURN_PATH = 'Return-Path: <>\n';

async function converted(text: string, isMbox: boolean): Promise<string> {
  const bytes = Buffer.from(text, 'latin1');
  const message = {
    blob: { segment: idOf(1), offset: 0, length: bytes.length },
    traceBytes: 0,
  } as unknown as StoredMessage;
  const blobs = { read: async (_: unknown, start = 0, length = bytes.length) => bytes.subarray(start, start + length) };
  const envelope = { sender: undefined, recipients: [], body: '7BIT' } as const;
  const pieces: Buffer[] = [];
  for await (const piece of lfMessage(blobs, { message, envelope }, { isMbox })) pieces.push(piece);
  return Buffer.concat(pieces).toString('latin1');
}

/** Line by line, with all of it in memory. */
function judged(text: string, isMbox: boolean): string {
  const whole = text.endsWith('\n') || text === '' ? text : `${text}\n`;
  const lines = whole
    .split('\n')
    .map((line, index, all) => (line.endsWith('\r') && index < all.length - 1 ? line.slice(0, -1) : line));
  return RETURN_PATH + lines.map((line) => (isMbox && /^>*From /.test(line) ? `>${line}` : line)).join('\n');
}

const tokens = fc.array(fc.constantFrom('>', 'From ', 'Fro', '\r\n', '\n', 'x', ' ', 'F'), { maxLength: 12 });

test('lines are those of a naive reading, wherever a piece ends', async () => {
  await fc.assert(
    fc.asyncProperty(
      tokens,
      tokens,
      fc.nat(12),
      fc.boolean(),
      fc.boolean(),
      async (before, behind, back, isLong, isMbox) => {
        const filler = isLong ? `${'y'.repeat(PIECE_BYTES - back - 2)}\r\n` : '';
        const text = filler + before.join('') + behind.join('');
        const got = await converted(text, isMbox);
        assert.ok(got === judged(text, isMbox), JSON.stringify([got.slice(-80), judged(text, isMbox).slice(-80)]));
      },
    ),
    { numRuns: 300 },
  );
});
