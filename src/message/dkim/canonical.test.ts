import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseHeader } from '../header.ts';
import { RelaxedBody, relaxedField } from './canonical.ts';
import { numberedMessage, ORACLE_LINE } from './testing.ts';

function bodyHash(...pieces: readonly string[]): string {
  const body = new RelaxedBody();
  for (const piece of pieces) body.push(Buffer.from(piece, 'latin1'));
  return body.digest().toString('base64');
}

function hashOf(text: string): string {
  return createHash('sha256').update(text, 'latin1').digest('base64');
}

function fieldsOf(text: string): string[] {
  const header = parseHeader(Buffer.from(text, 'latin1'));
  return header.fields.map((field) => relaxedField(header, field));
}

test("the RFC's own example, RFC 6376 §3.4.5", () => {
  assert.deepEqual(fieldsOf('A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n'), ['a:X', 'b:Y Z']);
  assert.equal(bodyHash(' C \r\nD \t E\r\n\r\n\r\n'), hashOf(' C\r\nD E\r\n'));
});

for (const [body, canonical] of [
  ['', ''],
  ['\r\n\r\n', ''],
  [' \t\r\n', ''],
  ['a', 'a\r\n'],
  ['a  ', 'a\r\n'],
  ['\r\n\r\na', '\r\n\r\na\r\n'],
  ['a\nb\n\n', 'a\r\nb\r\n'],
  ['a \rb\r', 'a \rb\r\r\n'],
  ['a\r b\r\r\n', 'a\r b\r\r\n'],
] as const)
  test(`the body ${JSON.stringify(body)}`, () => assert.equal(bodyHash(body), hashOf(canonical)));

test('fields without a value, of folds alone, with a lone CR', () => {
  assert.deepEqual(fieldsOf('A:\r\nB: \r\n \r\nC:\td\re \r\n\r\n'), ['a:', 'b:', 'c:d\re']);
});

/** As the RFC writes it, on the whole text. */
function naiveBody(text: string): string {
  const lines = text.split(/\r?\n/).map((line) => line.replace(/[ \t]+/g, ' ').replace(/ $/, ''));
  while (lines.at(-1) === '') lines.pop();
  return lines.map((line) => `${line}\r\n`).join('');
}

test('a body says the same in whatever pieces it comes, and what the RFC says', () => {
  const piece = fc
    .array(fc.constantFrom('a', 'b', ' ', '\t', '\r\n', '\n', '\r', '\x00', '\xff'))
    .map((all) => all.join(''));
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      assert.equal(bodyHash(...pieces), hashOf(naiveBody(pieces.join(''))));
    }),
    { numRuns: 2000 },
  );
});

test('a body larger than what is made at once, and of many empty lines', () => {
  const text = `${'a\r\n'.repeat(100_000)}${'\r\n'.repeat(100_000)}b${' c'.repeat(100_000)}`;
  assert.equal(bodyHash(text), hashOf(`${text}\r\n`));
});

test('mailauth says the same of ten thousand messages', () => {
  const expected = readFileSync(new URL('oracle.txt', import.meta.url), 'utf8')
    .trim()
    .split('\n');
  assert.equal(expected.length, 100);
  expected.forEach((digest, line) => {
    const all = createHash('sha256');
    for (let number = line * ORACLE_LINE; number < (line + 1) * ORACLE_LINE; number++) {
      const bytes = numberedMessage(number);
      const header = parseHeader(bytes);
      for (const field of header.fields) all.update(`${relaxedField(header, field)}\r\n`, 'latin1');
      const body = new RelaxedBody();
      body.push(bytes.subarray(header.end));
      all.update(body.digest());
    }
    assert.equal(all.digest('hex'), digest, `messages from ${line * ORACLE_LINE}`);
  });
});
