import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, inPieces, mutatedOctets, pieceSizes } from '../../../test/support/nearly-right.ts';
import { CommandFramer, type ImapFrame, literalHead, sessionFramerLimits } from './command-framer.ts';
import { startsMessage } from './message-start.ts';

type Seen = ImapFrame | { kind: 'taken'; text: string };

/** Frames of the chunks; messages up to 100 bytes are accepted, larger ones skipped or refused as the client allows. */
function frames(chunks: readonly Buffer[]): Seen[] {
  const framer = new CommandFramer((text) => startsMessage(text, false));
  framer.limits = { lineBytes: 200, literalBytes: 50, commandBytes: 300, droppedBytes: 1000 };
  const seen: Seen[] = [];
  let taken: string | undefined;
  for (const chunk of chunks) {
    framer.push(chunk);
    for (;;) {
      if (taken !== undefined) {
        const bytes = framer.takeMessage();
        if (bytes !== undefined) {
          taken += bytes.toString('latin1');
          continue;
        }
        if (!framer.messageComplete()) break;
        seen.push({ kind: 'taken', text: taken });
        taken = undefined;
      }
      const frame = framer.next();
      if (frame === undefined) break;
      seen.push(frame);
      if (frame.kind === 'fatal') return seen;
      if (frame.kind !== 'message') continue;
      if (frame.sizeBytes <= 100) taken = '';
      else if (frame.synchronizing) framer.refuse();
      else framer.skipMessage();
    }
  }
  return seen;
}

const command = (text: string): Seen => ({ kind: 'command', text });
const proceed: Seen = { kind: 'continue' };
const fatal: Seen = { kind: 'fatal', reason: 'literal-too-large' };
const bad = (reason: 'too-long' | 'nul' | 'bare-cr' | 'bare-lf' | 'literal-too-large', head: string): Seen => ({
  kind: 'bad',
  reason,
  head,
});
const message = (text: string, sizeBytes: number, synchronizing = true, isBinary = false): Seen => ({
  kind: 'message',
  text,
  sizeBytes,
  synchronizing,
  isBinary,
});
/** Behind a message. */
const rest = (text = ''): Seen => command(`\r\n${text}`);

const cases: readonly [input: string, expected: readonly Seen[]][] = [
  ['A NOOP\r\nB LOGOUT\r\n', [command('A NOOP'), command('B LOGOUT')]],
  ['A NOOP', []],
  ['A LOGIN {3}\r\nann {4}\r\nx\r\ny\r\n', [proceed, proceed, command('A LOGIN {3}\r\nann {4}\r\nx\r\ny')]],
  ['A LOGIN {3+}\r\nann {0+}\r\n\r\nB NOOP\r\n', [command('A LOGIN {3}\r\nann {0}\r\n'), command('B NOOP')]],
  ['A LOGIN {51}\r\nB NOOP\r\n', [bad('literal-too-large', 'A LOGIN '), command('B NOOP')]],
  ['A LOGIN {1001+}\r\nB NOOP\r\n', [fatal]],
  [
    `A LOGIN {51+}\r\n${'x'.repeat(51)} {2+}\r\nab\r\nB NOOP\r\n`,
    [bad('literal-too-large', 'A LOGIN '), command('B NOOP')],
  ],
  ['A LOGIN ~{1}\r\nx\r\n', [proceed, command('A LOGIN ~{1}\r\nx')]],
  ['A LOGIN {4294967296+}\r\n', [fatal]],
  ['A LOGIN {9007199254740993}\r\n', [bad('literal-too-large', 'A LOGIN ')]],
  ['A LOGIN {18446744073709551616}\r\nB NOOP\r\n', [bad('literal-too-large', 'A LOGIN '), command('B NOOP')]],
  [`A X${' {40+}\r\n'.padEnd(48, 'x').repeat(9)}\r\n`, [bad('literal-too-large', 'A X ')]],
  [
    'A APPEND INBOX {5}\r\nhello\r\nB NOOP\r\n',
    [message('A APPEND INBOX ', 5), { kind: 'taken', text: 'hello' }, rest(), command('B NOOP')],
  ],
  [
    'A APPEND {5+}\r\nINBOX (\\Seen) {2+}\r\n\r\n\r\n',
    [message('A APPEND {5}\r\nINBOX (\\Seen) ', 2, false), { kind: 'taken', text: '\r\n' }, rest()],
  ],
  [
    'A APPEND INBOX {5+}\r\nhello {6+}\r\nB NOOP\r\nC NOOP\r\n',
    [
      message('A APPEND INBOX ', 5, false),
      { kind: 'taken', text: 'hello' },
      message('\r\n ', 6, false),
      { kind: 'taken', text: 'B NOOP' },
      rest(),
      command('C NOOP'),
    ],
  ],
  [
    `A APPEND INBOX ~{3}\r\n\0ab (\\Seen) {101+}\r\n${'x'.repeat(101)}) a\r\nB NOOP\r\n`,
    [
      message('A APPEND INBOX ', 3, true, true),
      { kind: 'taken', text: '\0ab' },
      message('\r\n (\\Seen) ', 101, false),
      rest(') a'),
      command('B NOOP'),
    ],
  ],
  [
    'A APPEND INBOX {1+}\r\nx {101}\r\nB NOOP\r\n',
    [message('A APPEND INBOX ', 1, false), { kind: 'taken', text: 'x' }, message('\r\n ', 101), command('B NOOP')],
  ],
  [
    'A APPEND INBOX {1+}\r\nx \0 {3+}\r\nabc\r\nB NOOP\r\n',
    [message('A APPEND INBOX ', 1, false), { kind: 'taken', text: 'x' }, bad('nul', '\r\n'), command('B NOOP')],
  ],
  ['A APPEND INBOX {101}\r\nB NOOP\r\n', [message('A APPEND INBOX ', 101), command('B NOOP')]],
  [
    `A APPEND INBOX {101+}\r\n${'x'.repeat(101)}\r\nB NOOP\r\n`,
    [message('A APPEND INBOX ', 101, false), rest(), command('B NOOP')],
  ],
  ['A APPEND INBOX {99999999999}\r\n', [message('A APPEND INBOX ', Number.POSITIVE_INFINITY)]],
  ['A NO\0OP\r\nB NOOP\r\n', [bad('nul', 'A NO'), command('B NOOP')]],
  ['A NO\rOP\r\nB NOOP\r\n', [bad('bare-cr', 'A NO'), command('B NOOP')]],
  ['A NOOP\nB NOOP\r\nC NOOP\r\n', [bad('bare-lf', 'A NOOP'), command('C NOOP')]],
  ['A LOGIN "\0" {9+}\r\nX LOGOUT\r\n y\r\nB NOOP\r\n', [bad('nul', 'A LOGIN "'), command('B NOOP')]],
  ['A LOGIN "\0" {9}\r\nB NOOP\r\n', [bad('nul', 'A LOGIN "'), command('B NOOP')]],
  ['A LOGIN "\0" {1001+}\r\nB NOOP\r\n', [bad('nul', 'A LOGIN "'), fatal]],
  ['A \0 {1+}\r\nx\0 {2+}\r\nyy {3+}\r\nzzz\r\nB NOOP\r\n', [bad('nul', 'A '), command('B NOOP')]],
];

for (const [input, expected] of cases) {
  test(`frames of ${JSON.stringify(input.slice(0, 70))}, split anywhere`, () => {
    const all = Buffer.from(input, 'latin1');
    assert.deepEqual(frames([all]), expected);
    for (let i = 1; i < all.length; i++)
      assert.deepEqual(frames([all.subarray(0, i), all.subarray(i)]), expected, `split at ${i}`);
    assert.deepEqual(frames([...all].map((byte) => Buffer.from([byte]))), expected);
  });

  test(`frames of ${JSON.stringify(input.slice(0, 70))}, cut anywhere, are the first of them`, () => {
    const all = Buffer.from(input, 'latin1');
    for (let i = 0; i < all.length; i++) {
      const seen = frames([all.subarray(0, i)]);
      assert.deepEqual(seen, expected.slice(0, seen.length), `cut at ${i}`);
    }
  });
}

test('a line that is too long is dropped with the literal it announces', () => {
  const long = 'x'.repeat(300);
  assert.deepEqual(frames([Buffer.from(`A ${long} {8+}\r\nB LOGOUT\r\nC NOOP\r\n`)]).slice(1), [command('C NOOP')]);
  assert.deepEqual(frames([Buffer.from(`A ${long}\r\nC NOOP\r\n`)]).slice(1), [command('C NOOP')]);
});

test('any bytes in any chunks give the frames of the whole', () => {
  const parts = fc.array(
    fc.constantFrom(
      'A ',
      'APPEND INBOX ',
      ' ~',
      'LOGIN ',
      '{3}\r\n',
      '{3+}\r\n',
      '{60+}\r\n',
      '{70}\r\n',
      '\r\n',
      '\n',
      '\r',
      '\0',
      'abc',
    ),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(parts, fc.array(fc.nat(200), { maxLength: 5 }), (texts, cuts) => {
      const all = Buffer.from(texts.join(''), 'latin1');
      const places = [0, ...cuts.map((cut) => cut % (all.length + 1)).sort((a, b) => a - b), all.length];
      const chunks = places.slice(1).map((place, i) => all.subarray(places[i]!, place));
      assert.deepEqual(frames(chunks), frames([all]));
    }),
    { numRuns: 500 },
  );
});

test('many literals in one command cost no more than their bytes', () => {
  const framer = new CommandFramer((text) => startsMessage(text, false));
  framer.limits = sessionFramerLimits(1000);
  framer.push(Buffer.from(`A SEARCH${' TEXT {1+}\r\nx'.repeat(15_000)}\r\n`));
  assert.equal(framer.next()?.kind, 'command');
});

test('the announcement of a literal at the end of a line', () => {
  const table: readonly [string, unknown][] = [
    ['A {5}', { at: 2, sizeBytes: 5, synchronizing: true, isBinary: false }],
    ['A {5+}', { at: 2, sizeBytes: 5, synchronizing: false, isBinary: false }],
    ['{0}', { at: 0, sizeBytes: 0, synchronizing: true, isBinary: false }],
    ['{4294967295}', { at: 0, sizeBytes: 4294967295, synchronizing: true, isBinary: false }],
    ['{4294967296}', { at: 0, sizeBytes: Infinity, synchronizing: true, isBinary: false }],
    ['{00000000001}', { at: 0, sizeBytes: Infinity, synchronizing: true, isBinary: false }],
    ['A ~{5+}', { at: 2, sizeBytes: 5, synchronizing: false, isBinary: true }],
    ['~{5}', { at: 0, sizeBytes: 5, synchronizing: true, isBinary: true }],
    ['{}', undefined],
    ['{+}', undefined],
    ['{5-}', undefined],
    ['5}', undefined],
    ['{5', undefined],
    ['{-5}', undefined],
    ['', undefined],
    ['}', undefined],
  ];
  for (const [text, expected] of table) assert.deepEqual(literalHead(text), expected, text);
});

test('any octets near commands give the frames of the whole, however they are cut', () => {
  const seeds = [
    'A LOGIN {3}\r\nann {3+}\r\nabc\r\nB NOOP\r\nC APPEND INBOX (\\Seen) {5}\r\nhello ~{2+}\r\nab\r\nD LOGOUT\r\n',
    'A SEARCH TEXT {60+}\r\nx\r\nB FETCH 1:* (BODY[HEADER.FIELDS (TO)])\r\nC NO\rOP\r\nD X\n',
  ];
  fc.assert(
    fc.property(mutatedOctets(seeds), pieceSizes, (octets, sizes) => {
      assert.deepEqual(frames(inPieces(octets, sizes)), frames([octets]));
    }),
    fuzzCases(1000),
  );
});
