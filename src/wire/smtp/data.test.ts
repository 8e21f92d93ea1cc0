import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, inPieces, mutatedOctets, pieceSizes } from '../../../test/support/nearly-right.ts';
import { type BadData, DataReader, stuffDots } from './data.ts';

/** The rule byte by byte, as RFC 5321 §4.5.2 says it: slow and plainly right. */
function naive(input: Buffer): { message: Buffer; rest: Buffer | undefined; bad: boolean } {
  const text = input.toString('latin1');
  const end = text.startsWith('.\r\n') ? 0 : text.indexOf('\r\n.\r\n') + 2;
  const ended = end === 0 || end >= 2;
  const body = ended && (end > 1 || end === 0) ? text.slice(0, end) : text;
  const lines = body.split(/(?<=\r\n)/);
  const message = lines.map((line) => (line.startsWith('.') ? line.slice(1) : line)).join('');
  const bad = /\r(?!\n)|(?<!\r)\n|\0/.test(body);
  return { message: Buffer.from(message, 'latin1'), rest: ended ? input.subarray(end + 3) : undefined, bad };
}

function read(chunks: readonly Buffer[]): { message: Buffer; rest: Buffer | undefined; bad: BadData | undefined } {
  const reader = new DataReader();
  const runs: Buffer[] = [];
  for (let i = 0; i < chunks.length; i++) {
    const progress = reader.push(chunks[i]!);
    runs.push(...progress.runs);
    if (progress.rest !== undefined)
      return {
        message: Buffer.concat(runs),
        rest: Buffer.concat([progress.rest, ...chunks.slice(i + 1)]),
        bad: reader.bad,
      };
  }
  return { message: Buffer.concat(runs), rest: undefined, bad: reader.bad };
}

const bytes = fc
  .array(fc.constantFrom('\r\n', '\r\n', '.', 'a', 'bc', '\r', '\n', '\0', '\r\n.\r\n', '..'), { maxLength: 30 })
  .map((parts) => Buffer.from(parts.join(''), 'latin1'));

test('any data cut anywhere reads as the rule says', () => {
  fc.assert(
    fc.property(bytes, fc.array(fc.nat(40), { maxLength: 6 }), (input, cuts) => {
      const expected = naive(input);
      // A CR or dot at the very end may still be the beginning of the end: only whole data is compared.
      fc.pre(expected.rest !== undefined);
      const places = [0, ...cuts.filter((cut) => cut < input.length).sort((a, b) => a - b), input.length];
      const chunks = places.slice(1).map((place, i) => input.subarray(places[i], place));
      const got = read(chunks);
      assert.equal(got.bad !== undefined, expected.bad);
      assert.deepEqual(got.rest, expected.rest);
      if (!expected.bad) assert.deepEqual(got.message, expected.message);
    }),
    { numRuns: 5000 },
  );
});

test('every smuggled end is refused and none of them ends the data', () => {
  for (const end of ['\n.\n', '\n.\r\n', '\r\n.\n', '\r.\r', '\r\n.\r', '\r\n\0.\r\n', '\n.\r']) {
    const got = read([Buffer.from(`Subject: x\r\n\r\nbody${end}MAIL FROM:<a@b>\r\n.\r\n`, 'latin1')]);
    assert.ok(got.bad !== undefined, JSON.stringify(end));
    assert.equal(got.rest?.length, 0);
  }
});

test('stuffed dots are taken back', () => {
  const message = Buffer.from('.first\r\n..\r\nx.y\r\n.\r\n.', 'latin1');
  const sent = Buffer.concat([...stuffDots(message, true), Buffer.from('\r\n.\r\n')]);
  assert.deepEqual(read([sent]).message.subarray(0, -2), message);
});

test('any octets are read as the rule says, whatever the pieces', () => {
  const seeds = [
    'Subject: x\r\n\r\nhello\r\n..dots\r\n.stuffed\r\n.\r\nMAIL FROM:<a@b.example>\r\n',
    '.\r\nQUIT\r\n',
    'x\r\n.\n.\r\n\r\n.\r\r\n.\r\n',
  ];
  fc.assert(
    fc.property(mutatedOctets(seeds), pieceSizes, (input, sizes) => {
      const expected = naive(input);
      const got = read(inPieces(input, sizes));
      assert.deepEqual(got.rest, expected.rest);
      if (expected.rest === undefined) return;
      assert.equal(got.bad !== undefined, expected.bad);
      if (!expected.bad) assert.ok(got.message.equals(expected.message));
    }),
    fuzzCases(2000),
  );
});

test('lines that all begin with a dot come as few runs', () => {
  const reader = new DataReader();
  const { runs, isEnd } = reader.push(Buffer.from('..x\r\n'.repeat(10_000)));
  assert.ok(runs.length <= 16, `${runs.length} runs`);
  assert.equal(isEnd, false);
  assert.equal(Buffer.concat(runs).toString(), '.x\r\n'.repeat(10_000));
});
