import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeQuotedPrintable, encodeQuotedPrintable } from './quoted-printable.ts';

function encode(text: string): string {
  return encodeQuotedPrintable(Buffer.from(text, 'latin1')).toString('latin1');
}

function decode(text: string): string {
  return decodeQuotedPrintable(Buffer.from(text, 'latin1')).toString('latin1');
}

test('codes, soft breaks and what is none of them', () => {
  assert.equal(decode('a=3Db=3db'), 'a=b=b');
  assert.equal(decode('J=C3=B6rg'), 'J\xc3\xb6rg');
  assert.equal(decode('one=\r\ntwo= \t\r\nthree=\nfour'), 'onetwothreefour');
  assert.equal(decode('a=b c=, =4 =G1 =='), 'a=b c=, =4 =G1 ==');
  assert.equal(decode('end='), 'end=');
  assert.equal(decode('end=4'), 'end=4');
  assert.equal(decode(''), '');
});

test('no line begins with a dash: none is taken for a delimiter', () => {
  assert.equal(encode('--b\r\n-'), '=2D-b\r\n=2D');
  const [, second] = encode(`${'a'.repeat(75)}--b`).split('\r\n');
  assert.equal(second, '=2D-b');
});

test('lines are short and end in nothing invisible', () => {
  assert.equal(encode('a b \r\nc=\t'), 'a b=20\r\nc=3D=09');
  assert.equal(encode('\r\n\n\r\0\xff'), '\r\n=0A=0D=00=FF');
});

test('property: what is encoded is decoded, in lines of 76', () => {
  const text = fc.array(
    fc.oneof(
      fc.constantFrom('\r\n', ' ', '=', 'a'.repeat(30), '-', 'b'.repeat(40_000), '\xff'),
      fc.string({ unit: 'binary-ascii' }),
    ),
  );
  fc.assert(
    fc.property(text, (pieces) => {
      const value = pieces.join('');
      const encoded = encode(value);
      assert.equal(decode(encoded), value);
      assert.match(encoded, /^[\x20-\x7e\t\r\n]*$/);
      for (const line of encoded.split('\r\n')) assert.ok(line.length <= 76 && !/^-|[ \t]$/.test(line), line);
    }),
  );
});

test('property: any bytes are decoded, also when cut', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      for (let end = 0; end <= bytes.length; end++)
        assert.ok(decodeQuotedPrintable(Buffer.from(bytes.subarray(0, end))).length <= end);
    }),
  );
});
