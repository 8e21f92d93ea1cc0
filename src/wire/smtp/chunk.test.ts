// Octets behind BDAT, cut anywhere, against a look at all of them at once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, inPieces, mutatedOctets, pieceSizes } from '../../../test/support/nearly-right.ts';
import { SyntaxFailure } from '../../base/cursor.ts';
import { Framer } from '../framer.ts';
import { ChunkReader } from './chunk.ts';
import { parseCommand, type SmtpCommand } from './commands.ts';
import { DataReader } from './data.ts';

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

/** Lines and messages out of a connection's octets, as a session takes them: what is a command, what is of a message. */
function conversation(pieces: readonly Buffer[]) {
  const framer = new Framer();
  const chunks = new ChunkReader();
  const said: string[] = [];
  let message: { readonly source: ChunkReader | DataReader; text: string } | undefined;
  for (const [at, piece] of pieces.entries()) {
    framer.push(piece);
    // Several may have come before it is looked at.
    if (at % 3 !== 0 && at < pieces.length - 1) continue;
    for (;;) {
      if (message === undefined) {
        const line = framer.line(1000);
        if (line === undefined) break;
        said.push(line.kind === 'line' ? `line ${line.text}` : `${line.reason} ${line.head}`);
        message = line.kind === 'line' ? beginning(line.text, chunks) : undefined;
        continue;
      }
      const isFilled = message.source === chunks && chunks.isFilled;
      const chunk = isFilled ? Buffer.alloc(0) : framer.chunk();
      if (chunk === undefined) break;
      const { runs, rest, isEnd } = message.source.push(chunk);
      message.text += runs.map((run) => run.toString('latin1')).join('');
      if (rest === undefined) continue;
      framer.putBack(rest);
      const isBad = isEnd && message.source.bad !== undefined;
      said.push(`${isEnd ? 'end' : 'part'}${isBad ? ' bad' : ''} ${isBad ? '' : message.text}`);
      message = undefined;
    }
  }
  return { said, waiting: framer.waitingBytes };
}

function beginning(line: string, chunks: ChunkReader) {
  let command: SmtpCommand;
  try {
    command = parseCommand(line);
  } catch (error) {
    assert.ok(error instanceof SyntaxFailure, String(error));
    return undefined;
  }
  if (command.verb === 'DATA') return { source: new DataReader(), text: '' };
  if (command.verb !== 'BDAT' || !command.isSound || command.octets === undefined) return undefined;
  chunks.expect(command.octets, command.isLast);
  return { source: chunks, text: '' };
}

test('any octets are the same commands and the same messages, by BDAT and by DATA, however they are cut', () => {
  const seeds = [
    'MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nBDAT 9\r\nSubject: BDAT 8 LAST\r\nx\r\n\r\nhi\r\nQUIT\r\n',
    'BDAT 0\r\nBDAT 0 LAST\r\nBDAT 5\r\nhell\rBDAT 3 LAST\r\n\nx\rRSET\r\n',
    'DATA\r\nSubject: x\r\n\r\n..\r\n.\r\nBDAT 4 LAST\r\n.\r\n.NOOP\r\nDATA\r\n.\r\nQUIT\r\n',
    'BDAT 99999999999999999999\r\nBDAT\r\nBDAT -1\r\nBDAT 1 FIRST\r\nbdat 2 last  \r\nab',
  ];
  fc.assert(
    fc.property(mutatedOctets(seeds), pieceSizes, (octets, sizes) => {
      const whole = conversation([octets]);
      const pieced = conversation(inPieces(octets, sizes));
      assert.deepEqual(pieced.said, whole.said);
      assert.ok(pieced.waiting <= octets.length);
    }),
    fuzzCases(1500),
  );
});
