import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { countBareLineFeeds } from '../../message/lines.ts';
import { MessageEncoder, TopCutter } from './multi-line.ts';

function encode(...chunks: readonly string[]): string {
  // As the row of the message says it.
  const encoder = new MessageEncoder(/(^|[^\r])\n/.test(chunks.join('')) ? 'any' : 'crlf');
  const sent = chunks.map((chunk) => encoder.push(Buffer.from(chunk, 'latin1')).toString('latin1'));
  return sent.join('') + encoder.end();
}

function top(lines: number, ...chunks: readonly string[]): string {
  const cutter = new TopCutter(lines);
  return chunks.map((chunk) => cutter.push(Buffer.from(chunk, 'latin1')).toString('latin1')).join('');
}

const encoded: readonly (readonly [what: string, message: string, sent: string])[] = [
  ['a message without dots', 'a: b\r\n\r\ntext\r\n', 'a: b\r\n\r\ntext\r\n.\r\n'],
  ['dots at the start of lines', '.\r\n..a\r\n.b.\r\n', '..\r\n...a\r\n..b.\r\n.\r\n'],
  ['a dot in a line', 'a.b\r\n', 'a.b\r\n.\r\n'],
  ['a last line without its end', 'a\r\nb', 'a\r\nb\r\n.\r\n'],
  ['a last line that ends with a bare LF', 'a\n', 'a\r\n.\r\n'],
  ['bare line feeds', '\n\na\r\nb\n\r\n', '\r\n\r\na\r\nb\r\n\r\n.\r\n'],
  ['a last line that ends with a bare CR', 'a\r', 'a\r\r\n.\r\n'],
  ['a dot behind a bare LF', 'a\n.\r\nb\r\n', 'a\r\n..\r\nb\r\n.\r\n'],
  ['a dot behind a bare CR', 'a\r.\r\n', 'a\r.\r\n.\r\n'],
  ['a dot alone', '.', '..\r\n.\r\n'],
  ['nothing', '', '.\r\n'],
];

for (const [what, message, sent] of encoded)
  test(`${what}: wherever the chunks are cut`, () => {
    for (let cut = 0; cut <= message.length; cut++)
      assert.equal(encode(message.slice(0, cut), message.slice(cut)), sent);
    assert.equal(encode(...message), sent);
  });

/** Characters that matter, and one that does not. */
const text = fc.string({ unit: fc.constantFrom('\r\n', '\r', '\n', '.', 'a', '\r\n.'), maxLength: 40 });
const cuts = fc.array(fc.nat(60), { maxLength: 5 });

function cutAt(message: string, places: readonly number[]): string[] {
  const sorted = [0, ...places.toSorted((a, b) => a - b), message.length];
  return sorted.slice(1).map((place, i) => message.slice(sorted[i], place));
}

test('a client that doubles nothing back gets what was stored with every line ended in CRLF', () => {
  fc.assert(
    fc.property(text, cuts, (message, places) => {
      const sent = encode(...cutAt(message, places));
      const body = sent.slice(0, -'.\r\n'.length);
      const read = body.replace(/(^|\n)\./g, '$1');
      const whole = message.replace(/\r?\n/g, '\r\n');
      assert.equal(read, whole === '' || whole.endsWith('\r\n') ? whole : `${whole}\r\n`);
      assert.equal(whole.length, message.length + countBareLineFeeds(Buffer.from(message, 'latin1')));
    }),
  );
});

test('the end is found where it is, also where the row is wrong and by a client that breaks lines at a bare LF', () => {
  fc.assert(
    fc.property(text, cuts, (message, places) => {
      const wrong = new MessageEncoder('crlf');
      const bytes = cutAt(message, places).map((chunk) => wrong.push(Buffer.from(chunk, 'latin1')).toString('latin1'));
      for (const sent of [encode(...cutAt(message, places)), bytes.join('') + wrong.end()]) {
        const lines = sent.split('\n').map((line) => line.replace(/\r$/, ''));
        assert.equal(lines.indexOf('.'), lines.length - 2);
      }
    }),
  );
});

test('TOP gives the header, the blank line and so many lines', () => {
  const message = 'a: b\r\nc: d\r\n\r\none\r\n\r\nthree\r\n';
  const header = 'a: b\r\nc: d\r\n\r\n';
  for (const [lines, body] of [
    [0, ''],
    [1, 'one\r\n'],
    [2, 'one\r\n\r\n'],
    [3, 'one\r\n\r\nthree\r\n'],
    [2_147_483_648, 'one\r\n\r\nthree\r\n'],
  ] as const) {
    assert.equal(top(lines, message), header + body);
    assert.equal(top(lines, ...message), header + body);
  }
});

test('TOP of a message that is all header, or all body, or has bare line feeds', () => {
  assert.equal(top(0, 'a: b\r\n'), 'a: b\r\n');
  assert.equal(top(0, '\r\nbody\r\n'), '\r\n');
  assert.equal(top(1, 'a: b\n\none\ntwo\n'), 'a: b\n\none\n');
});

test('a chunk of nothing but dots and line ends is doubled at most', () => {
  for (const piece of ['.\n', '\n', '.\r\n', '\n.']) {
    const chunk = Buffer.from(piece.repeat(32 * 1024));
    const sent = new MessageEncoder('any').push(chunk);
    assert.ok(sent.length <= chunk.length * 2 && sent.buffer.byteLength <= chunk.length * 2);
  }
});
