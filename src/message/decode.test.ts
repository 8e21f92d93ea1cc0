import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, mutatedText } from '../../test/support/nearly-right.ts';
import { decodeCharset, decodeExtended, decodeRaw, decodeWords, eachDecoded, eachDecodedText } from './decode.ts';
import { encodeQuotedPrintable } from './quoted-printable.ts';

function text(body: string | Buffer, encoding: string, charset: string): string {
  const bytes = typeof body === 'string' ? Buffer.from(body, 'latin1') : body;
  return [...eachDecodedText(bytes, encoding, charset)].join('');
}

test('bodies are decoded by encoding and charset', () => {
  assert.equal(text('Grüße', '8bit', 'iso-8859-1'), 'Grüße');
  assert.equal(text('Gr\xc3\xbc\xc3\x9fe', '8bit', 'UTF-8'), 'Grüße');
  assert.equal(text('R3LDvMOfZQ==\r\n', 'base64', 'utf-8'), 'Grüße');
  assert.equal(text('Gr=C3=BC=\r\n=C3=9Fe', 'quoted-printable', 'utf-8'), 'Grüße');
  assert.equal(text('\x1b$B$3$s\x1b(B', '7bit', 'iso-2022-jp'), 'こん');
  assert.equal(text('Gr\xfcn', 'x-unknown', 'x-unknown'), 'Grün');
  assert.equal(text('a\xffb', '8bit', 'utf-8'), 'a\ufffdb');
  assert.equal(text('', 'base64', 'utf-8'), '');
  assert.equal(decodeCharset(Buffer.from([0x80]), 'latin1'), '€');
});

test('broken base64 gives what can be read', () => {
  assert.equal(text('QUJD*\r\n RE\tVG', 'base64', 'us-ascii'), 'ABCDEF');
  assert.equal(text('QUI=QUI=', 'base64', 'us-ascii'), 'ABAB');
  assert.equal(text('=QQ===Q=QUI', 'base64', 'us-ascii'), 'AAB');
  assert.equal(text('aGVsbG8=\r\nbGlzdA==\r\n', 'base64', 'us-ascii'), 'hellolist');
  assert.equal(text('Q', 'base64', 'us-ascii'), '');
});

test('without a charset, in US-ASCII or in an unknown one a body is UTF-8 when it is that, else Windows-1252', () => {
  for (const charset of ['', 'us-ascii', 'x-unknown', 'ANSI_X3.4-1968']) {
    assert.equal(text('Stra\xc3\x9fe', '8bit', charset), 'Straße');
    assert.equal(text('Stra\xdfe \x80', '8bit', charset), 'Straße €');
    assert.equal(text('U3RyYcOfZQ==', 'base64', charset), 'Straße');
    assert.equal(text('Stra=C3=9Fe', 'quoted-printable', charset), 'Straße');
    assert.equal(text(Buffer.from(`${'x'.repeat(65_535)}ß`), '8bit', charset).at(-1), 'ß');
    assert.equal(text(Buffer.from(`${'ß'.repeat(65_535)}\xff`, 'latin1'), '8bit', charset).at(-1), 'ÿ');
  }
  assert.equal(decodeCharset(Buffer.from('ß'), 'us-ascii'), 'ß');
  assert.equal(decodeExtended("utf-8'de'Stra%C3%9Fe"), 'Straße');
  assert.equal(decodeExtended("''Stra%C3%9Fe"), 'Straße');
  assert.equal(decodeExtended('Stra%DFe'), 'Straße');
});

test('property: runs of base64, each padded or not, broken anywhere, are all decoded', () => {
  const run = fc.tuple(fc.uint8Array({ maxLength: 20 }), fc.constantFrom('', '\r\n', ' ', '*\t'));
  fc.assert(
    fc.property(fc.array(run, { maxLength: 6 }), fc.integer({ min: 1, max: 9 }), (runs, width) => {
      const digits = runs.map(([bytes, gap]) => Buffer.from(bytes).toString('base64') + gap).join('');
      // Without padding a run goes on in the next: only whole ones are judged.
      const body = digits.replace(new RegExp(`(.{${width}})`, 'g'), '$1\r\n');
      const read = Buffer.concat([...eachDecoded(Buffer.from(body), 'base64')]);
      assert.deepEqual(read, Buffer.concat(runs.map(([bytes]) => bytes)));
    }),
  );
});

test('a body of several pieces is decoded as one', () => {
  const words = 'Ein Satz über Grüße — 日本語. '.repeat(20_000);
  const utf8 = Buffer.from(words);
  const base64 = utf8.toString('base64').replace(/.{75}/g, '$&\r\n');
  const quoted = encodeQuotedPrintable(utf8).toString('latin1');
  for (const [body, encoding] of [
    [utf8, '8bit'],
    [Buffer.from(base64), 'base64'],
    [Buffer.from(quoted), 'quoted-printable'],
    [Buffer.from(quoted.replaceAll('=\r\n', '')), 'quoted-printable'],
  ] as const) {
    assert.ok([...eachDecoded(body, encoding)].length > 5);
    assert.equal(text(body, encoding, 'utf-8'), words);
  }
});

test('encoded words', () => {
  const cases: readonly [string, string][] = [
    ['plain', 'plain'],
    ['=?utf-8?Q?Gr=C3=BC=C3=9Fe?=', 'Grüße'],
    ['=?UTF-8?b?R3LDvMOfZQ==?=', 'Grüße'],
    ['=?iso-8859-1?q?a_b=5F?= c', 'a b_ c'],
    ['a =?utf-8?q?b?= c', 'a b c'],
    ['=?utf-8?q?a?= =?utf-8?q?b?=\r\n =?utf-8?q?c?=', 'abc'],
    ['=?utf-8?q?a?= =?iso-8859-1?q?=FC?=', 'aü'],
    ['=?utf-8?q?a?= x =?utf-8?q?b?=', 'a x b'],
    ['=?utf-8?b?44Gd?= =?utf-8?b?4w==?= =?utf-8?b?gZ0=?=', 'そそ'],
    ['=?utf-8*de?q?a?=', 'a'],
    ['=?utf-8?q?a b?=', 'a b'],
    ['=?utf-8?x?a?=', '=?utf-8?x?a?='],
    ['=?utf-8?q?a', '=?utf-8?q?a'],
    ['=?=?utf-8?q?a?=', '=?a'],
    ['=??q?a?=', '=??q?a?='],
    ['=?x-unknown?q?=FC?=', 'ü'],
    ['Gr\xc3\xbcn', 'Grün'],
    ['Gr\xfcn', 'Grün'],
    ['', ''],
  ];
  for (const [value, expected] of cases) assert.equal(decodeWords(value), expected, value);
  assert.equal(decodeRaw('\x80'), '€');
});

test('a header of encoded words, or of their beginnings, is read once', () => {
  assert.equal(decodeWords('=?utf-8?q?a?= '.repeat(20_000)).trim().length, 20_000);
  for (const piece of ['=?', '=?a?q?', '=?a?q?b', '?=', '=?a?b?c?=']) decodeWords(piece.repeat(50_000));
});

test('property: any value and any body is decoded, and plain text is itself', () => {
  const piece = fc.constantFrom(
    '=?',
    '?=',
    '?',
    'utf-8',
    'q',
    'B',
    '=FC',
    '_',
    ' ',
    '\xff',
    'x',
    '\0',
    '*',
    '=?utf-8?q?x?=',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const value = pieces.join('');
      const decoded = decodeWords(value);
      if (!value.includes('?=') && !value.includes('\xff')) assert.equal(decoded, value);
      for (const encoding of ['base64', 'quoted-printable', '7bit', '']) text(value, encoding, 'utf-8');
    }),
    { numRuns: 500 },
  );
});

test('any value near one of encoded words, and any body near an encoded one, is decoded', () => {
  const seeds = [
    '=?utf-8?q?z=C3=B6?= =?iso-2022-jp?B?GyRCJDMkcyRLJEEkTxsoQg==?= plain',
    "utf-8'de'z%C3%B6",
    'aGVsbG8=\r\naGVsbG8',
    'z=C3=B6=\r\nx=3d',
  ];
  const charsets = ['utf-8', 'iso-2022-jp', 'windows-1252', 'utf-16', 'none', ''];
  fc.assert(
    fc.property(mutatedText(seeds), fc.constantFrom(...charsets), (value, charset) => {
      assert.ok(decodeWords(value).isWellFormed());
      for (const encoding of ['base64', 'quoted-printable', '7bit', '']) text(value, encoding, charset);
    }),
    fuzzCases(1500),
  );
});
