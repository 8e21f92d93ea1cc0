import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, mutatedText } from '../../test/support/nearly-right.ts';
import { MIME_PARAMETERS_MAX } from '../base/limits.ts';
import {
  DEFAULT_CONTENT_TYPE,
  findParameter,
  parseContentType,
  parseDisposition,
  parseLanguages,
  parseTransferEncoding,
} from './parameters.ts';

const cases: readonly [value: string, type: string, ...parameters: string[]][] = [
  ['text/plain', 'text/plain'],
  ['TEXT/HTML; Charset=UTF-8', 'text/html', 'charset', 'UTF-8'],
  ['text/plain; charset=us-ascii (Plain text)', 'text/plain', 'charset', 'us-ascii'],
  ['text/plain; charset="us-ascii"', 'text/plain', 'charset', 'us-ascii'],
  ['(a) text (b) / (c) plain (d) ; (e) charset (f) = (g) utf-8 (h)', 'text/plain', 'charset', 'utf-8'],
  ['multipart/mixed; boundary="a;b=\\"c\\\\"', 'multipart/mixed', 'boundary', 'a;b="c\\'],
  ['multipart/mixed;boundary==_x', 'multipart/mixed', 'boundary', '=_x'],
  ['application/pdf; name=annual report.pdf; x=y', 'application/pdf', 'name', 'annual report.pdf', 'x', 'y'],
  ['application/pdf; name=report(1).pdf', 'application/pdf', 'name', 'report(1).pdf'],
  ["a/b; filename*0*=utf-8''%c3; x=y; filename*1=50%z", 'a/b', 'filename*', "utf-8''%c350%25z", 'x', 'y'],
  ['a/b; x=y; boundary*0="ab"; boundary*1="cd"', 'a/b', 'x', 'y', 'boundary', 'abcd'],
  ['a/b; name*1="B"; NAME*0="A"; name*3="D"; name*1="C"', 'a/b', 'name', 'AB'],
  ["a/b; name*0=a'b; name*1*=%20c", 'a/b', 'name*', "''a'b%20c"],
  ['a/b; name*1=b; name*2=c; x*=d; y*z=e; *0=f', 'a/b', 'name*1', 'b', 'name*2', 'c', 'x*', 'd', 'y*z', 'e', '*0', 'f'],
  ['text/plain; charset=utf-8 format=flowed', 'text/plain', 'charset', 'utf-8', 'format', 'flowed'],
  ['a/b; name="a.pdf" size=9; x=y', 'a/b', 'name', 'a.pdf', 'size', '9', 'x', 'y'],
  ['a/b; name="a.pdf"\tsize="9"(c) x=y', 'a/b', 'name', 'a.pdf', 'size', '9', 'x', 'y'],
  ['a/b; name=annual report 2024 size=9', 'a/b', 'name', 'annual report 2024', 'size', '9'],
  ['a/b; name="a"size=9; x=y', 'a/b', 'name', 'a', 'x', 'y'],
  ['a/b; name="a" size = 9; x=y', 'a/b', 'name', 'a', 'x', 'y'],
  ['a/b; name=a b =c', 'a/b', 'name', 'a b =c'],
  ['text/plain charset=utf-8', 'text/plain', 'charset', 'utf-8'],
  ['a/b; name="=?utf-8?Q?x?="', 'a/b', 'name', '=?utf-8?Q?x?='],
  ['a/b; name="\xc3\xbc"', 'a/b', 'name', '\xc3\xbc'],
  ['a/b;;;x=y;', 'a/b', 'x', 'y'],
  ['a/b; nonsense; x=y', 'a/b', 'x', 'y'],
  ['a/b; =y; x=', 'a/b', 'x', ''],
  ['a/b garbage; x=y', 'a/b', 'x', 'y'],
  ['a/b; x="unclosed', 'a/b', 'x', 'unclosed'],
  ['a/b; __proto__=y', 'a/b', '__proto__', 'y'],
];

test('content types are read with their parameters as they are meant', () => {
  for (const [value, expected, ...parameters] of cases) {
    const { type, subtype, parameters: found } = parseContentType(value);
    assert.deepEqual([`${type}/${subtype}`, ...found], [expected, ...parameters], value);
  }
});

test('a type that cannot be read is plain text', () => {
  for (const value of ['', 'text', 'text/', '/plain', ';', '"text"/plain', 'text plain; charset=utf-8'])
    assert.deepEqual(parseContentType(value), DEFAULT_CONTENT_TYPE, value);
});

test('dispositions, encodings and languages', () => {
  assert.deepEqual(parseDisposition('Attachment; filename="a b.txt"'), {
    type: 'attachment',
    parameters: ['filename', 'a b.txt'],
  });
  assert.equal(parseDisposition(''), undefined);
  assert.equal(parseDisposition('"x"'), undefined);
  assert.equal(parseTransferEncoding(' Quoted-Printable (x)'), 'quoted-printable');
  assert.equal(parseTransferEncoding(''), '7bit');
  assert.deepEqual(parseLanguages('de, en-GB (x) , "fr"'), ['de', 'en-GB', 'fr']);
  assert.equal(findParameter(['a', 'b', 'charset', 'utf-8', 'charset', 'x'], 'charset'), 'utf-8');
  assert.equal(findParameter(['charset', 'charset'], 'b'), undefined);
  assert.equal(findParameter(['boundary*', "us-ascii'en'a%20b%3"], 'boundary'), 'a b%3');
  assert.equal(findParameter(['boundary*', 'a%20b', 'boundary', 'c'], 'boundary'), 'c');
});

test('parameters are bounded, and long nonsense is read once', () => {
  const many = parseContentType(`a/b${';x=y'.repeat(200_000)}`);
  assert.equal(many.parameters.length, 2 * MIME_PARAMETERS_MAX);
  for (const piece of [';', '(', '"', ' ', 'x', '=', '\\', '; x', ',', ' x', ' x=', 'x*0=', ';x*1=']) {
    parseContentType(`a/b;x=${piece.repeat(200_000)}`);
    parseContentType(`a/b${piece.repeat(200_000)}`);
    parseLanguages(piece.repeat(200_000));
  }
});

test('property: any text is read', () => {
  const piece = fc.constantFrom('a', '/', ';', '=', '"', '\\', '(', ')', ' ', '\xff', '\0', '*', '\r\n');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const text = pieces.join('');
      assert.equal(parseContentType(text).parameters.length % 2, 0);
      parseDisposition(text);
      parseTransferEncoding(text);
      parseLanguages(text);
    }),
  );
});

test('property: a value cut into pieces, in any order and between others, is the value', () => {
  const cut = fc.record({
    value: fc.array(fc.constantFrom('a', ' ', '%', "'", '"', '\\', '\xe9', ';', '='), { maxLength: 12 }),
    lengths: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 12, maxLength: 12 }),
    extended: fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
    order: fc.infiniteStream(fc.nat()),
  });
  fc.assert(
    fc.property(cut, ({ value, lengths, extended, order }) => {
      const pieces: string[] = [];
      for (let at = 0, number = 0; at < value.length || number === 0; number++) {
        const text = value.slice(at, at + lengths[number]!);
        at += lengths[number]!;
        const escaped = text.map((c) => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`).join('');
        const quoted = `"${text.map((c) => (c === '"' || c === '\\' ? `\\${c}` : c)).join('')}"`;
        if (extended[number]) pieces.push(`boundary*${number}*=${number === 0 ? "utf-8'en'" : ''}${escaped}`);
        else pieces.push(`boundary*${number}=${quoted}`);
      }
      const shuffled = pieces.map((piece) => ({ piece, key: order.next().value })).sort((a, b) => a.key - b.key);
      const { parameters } = parseContentType(`a/b; ${shuffled.map(({ piece }) => `${piece}; x=y`).join('; ')}`);
      assert.equal(findParameter(parameters, 'boundary'), value.join(''));
    }),
  );
});

test('any text near a type, a disposition or languages is read', () => {
  const seeds = [
    'text/plain; charset="utf-8"; format=flowed; title*0*=us-ascii\'en\'This%20is; title*1="more" (comment)',
    'attachment; filename*=utf-8\'\'z%C3%B6.txt; filename="z\\"o.txt"; size=10',
    'de, en-US (x), fr;q=0.5',
    'quoted-printable (x)',
  ];
  fc.assert(
    fc.property(mutatedText(seeds), (written) => {
      assert.equal(parseContentType(written).parameters.length % 2, 0);
      assert.equal((parseDisposition(written)?.parameters.length ?? 0) % 2, 0);
      assert.equal(typeof parseTransferEncoding(written), 'string');
      for (const language of parseLanguages(written)) assert.notEqual(language, '');
    }),
    fuzzCases(1500),
  );
});
