import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Framer, type Line } from './framer.ts';

function lines(chunks: readonly Buffer[], maxBytes: number): Line[] {
  const framer = new Framer();
  const found: Line[] = [];
  for (const chunk of chunks) {
    framer.push(chunk);
    for (let line = framer.line(maxBytes); line !== undefined; line = framer.line(maxBytes)) found.push(line);
  }
  return found;
}

const line = (text: string): Line => ({ kind: 'line', text });
const bad = (reason: 'too-long' | 'bare-lf' | 'bare-cr' | 'nul', head: string): Line => ({
  kind: 'bad-line',
  reason,
  head,
});

const cases: readonly [bytes: string, expected: readonly Line[]][] = [
  ['', []],
  ['\r\n', [line('')]],
  ['NOOP\r\nQUIT\r\n', [line('NOOP'), line('QUIT')]],
  ['NOOP', []],
  ['NOOP\r', []],
  ['12345678\r\nNOOP\r\n', [line('12345678'), line('NOOP')]],
  ['123456789\r\nNOOP\r\n', [bad('too-long', '123456789'), line('NOOP')]],
  ['1234567890', [bad('too-long', '1234567890')]],
  ['12345678901234567890\nx\r\nNOOP\r\n', [bad('too-long', '1234567890'), line('NOOP')]],
  ['a\nb\r\nNOOP\r\n', [bad('bare-lf', 'a'), line('NOOP')]],
  ['a\n\r\nNOOP\r\n', [bad('bare-lf', 'a'), line('NOOP')]],
  ['\n\n\r\nNOOP\r\n', [bad('bare-lf', ''), line('NOOP')]],
  ['a\rb\r\nNOOP\r\n', [bad('bare-cr', 'a'), line('NOOP')]],
  ['a\r\r\nNOOP\r\n', [bad('bare-cr', 'a'), line('NOOP')]],
  ['a\0b\r\nNOOP\r\n', [bad('nul', 'a'), line('NOOP')]],
  ['\xe9\xff\r\n', [line('\xe9\xff')]],
];

/** The head of a line that is too long depends on how much has come when that is certain. */
function comparable(found: readonly Line[]): Line[] {
  return found.map((one) =>
    one.kind === 'bad-line' && one.reason === 'too-long' ? { ...one, head: one.head.slice(0, 10) } : one,
  );
}

for (const [bytes, expected] of cases) {
  test(`lines of ${JSON.stringify(bytes)}, split anywhere`, () => {
    const all = Buffer.from(bytes, 'latin1');
    for (let i = 0; i <= all.length; i++) {
      for (let k = i; k <= all.length; k++) {
        const chunks = [all.subarray(0, i), all.subarray(i, k), all.subarray(k)];
        assert.deepEqual(comparable(lines(chunks, 10)), comparable(expected), `split at ${i} and ${k}`);
      }
    }
    assert.deepEqual(
      comparable(
        lines(
          [...all].map((byte) => Buffer.from([byte])),
          10,
        ),
      ),
      comparable(expected),
    );
  });
}

test('any bytes in any chunks give the lines of the whole', () => {
  const bytes = fc.array(fc.constantFrom('\r', '\n', '\r\n', '\0', 'a', 'bcd', '\xff'), { maxLength: 40 });
  fc.assert(
    fc.property(bytes, fc.array(fc.nat(60), { maxLength: 6 }), (parts, cuts) => {
      const all = Buffer.from(parts.join(''), 'latin1');
      const places = [0, ...cuts.map((cut) => cut % (all.length + 1)).sort((a, b) => a - b), all.length];
      const chunks = places.slice(1).map((place, i) => all.subarray(places[i]!, place));
      assert.deepEqual(comparable(lines(chunks, 10)), comparable(lines([all], 10)));
    }),
  );
});

test('lines, blocks and streamed chunks take turns', () => {
  const all = Buffer.from('A {5}\r\nhello B {12}\r\nstreamed data\r\n');
  for (let size = 1; size <= all.length; size++) {
    const framer = new Framer();
    const found: string[] = [];
    let step = 0;
    let streamed = 0;
    for (let at = 0; at < all.length; at += size) {
      framer.push(all.subarray(at, at + size));
      for (;;) {
        if (step === 3) {
          const chunk = framer.chunk(12 - streamed);
          if (chunk === undefined) break;
          streamed += chunk.length;
          found[3] = (found[3] ?? '') + chunk.toString('latin1');
          if (streamed === 12) step++;
          continue;
        }
        const next = step === 1 ? framer.block(5) : framer.line(100);
        if (next === undefined) break;
        found[step++] = Buffer.isBuffer(next)
          ? next.toString('latin1')
          : next.kind === 'line'
            ? next.text
            : next.reason;
      }
    }
    assert.deepEqual(found, ['A {5}', 'hello', ' B {12}', 'streamed dat', 'a'], `chunks of ${size}`);
    assert.equal(framer.waitingBytes, 0);
  }
});

test('the end of a bad line is known, wherever it was split', () => {
  const ends: readonly [bytes: string, end: string][] = [
    ['0123456789abc {77+}\r\n', '0123456789abc {77+}'],
    ['a\rb {77+}\r\n', 'a\rb {77+}'],
    ['a\nb {7\n7+}\r\n', '7+}'],
    [`${'x'.repeat(100)}{77+}\r\n`, `${'x'.repeat(27)}{77+}`],
  ];
  for (const [bytes, end] of ends) {
    const all = Buffer.from(bytes);
    for (let i = 1; i < all.length; i++) {
      for (let k = i; k < all.length; k++) {
        const framer = new Framer();
        let bad: Line | undefined;
        for (const chunk of [all.subarray(0, i), all.subarray(i, k), all.subarray(k)]) {
          framer.push(chunk);
          bad ??= framer.line(10);
          if (bad !== undefined && chunk.length > 0 && framer.waitingBytes > 0) framer.finishBadLine();
        }
        assert.equal(bad?.kind, 'bad-line');
        assert.equal(framer.finishBadLine()!.slice(-32), end.slice(-32), `split at ${i} and ${k}`);
      }
    }
  }
});

test('what was put back comes first, also before the beginning of a line', () => {
  const framer = new Framer();
  framer.push(Buffer.from('data.\r\nQU'));
  framer.putBack(framer.chunk()!.subarray(7));
  assert.equal(framer.line(100), undefined);
  framer.push(Buffer.from('IT\r\nrest'));
  assert.deepEqual(framer.line(100), line('QUIT'));
  assert.equal(framer.line(100), undefined);
  assert.equal(framer.waitingBytes, 4);
  assert.equal(framer.chunk()!.toString(), 'rest');
});

test('a line without an end takes no memory beyond its limit', () => {
  const framer = new Framer();
  const chunk = Buffer.alloc(65_536, 0x61);
  let reports = 0;
  for (let i = 0; i < 1000; i++) {
    framer.push(chunk);
    if (framer.line(512) !== undefined) {
      reports++;
      assert.equal(framer.line(512), undefined);
    }
    assert.equal(framer.waitingBytes, 0);
  }
  assert.equal(reports, 1);
});

test('single octets that come while nobody reads are few chunks, and the same octets', () => {
  const framer = new Framer();
  const count = 128 * 1024;
  for (let i = 0; i < count; i++) framer.push(Buffer.from([i & 0xff]));
  let chunks = 0;
  let at = 0;
  for (let chunk = framer.chunk(); chunk !== undefined; chunk = framer.chunk()) {
    chunks++;
    for (const octet of chunk) if (octet !== (at++ & 0xff)) assert.fail(`octet ${at - 1}`);
  }
  assert.equal(at, count);
  assert.ok(chunks <= 100, `${chunks} chunks`);
});

test('chunks of any sizes that wait and are read in any turns are the octets that came, and what was given out stays', () => {
  const sizes = fc.array(fc.oneof(fc.constantFrom(1, 2, 511, 512, 513), fc.nat(5000)), {
    minLength: 60,
    maxLength: 200,
  });
  fc.assert(
    fc.property(sizes, fc.array(fc.nat(3000), { minLength: 1, maxLength: 20 }), (come, reads) => {
      const framer = new Framer();
      const given: Buffer[] = [];
      let octet = 0;
      let sent = 0;
      const take = (limit: number): boolean => {
        const chunk = framer.chunk(limit);
        if (chunk !== undefined) given.push(chunk);
        return chunk !== undefined;
      };
      come.forEach((size, index) => {
        framer.push(Buffer.from(Array.from({ length: size }, () => octet++ & 0xff)));
        sent += size;
        if (index % 3 === 0 && index > 100) take(1 + reads[index % reads.length]!);
      });
      assert.equal(framer.waitingBytes + given.reduce((sum, { length }) => sum + length, 0), sent);
      while (take(1 + reads[given.length % reads.length]!));
      const all = Buffer.concat(given);
      assert.equal(all.length, sent);
      for (let at = 0; at < all.length; at++) if (all[at] !== (at & 0xff)) assert.fail(`octet ${at}`);
    }),
    { numRuns: 30 },
  );
});
