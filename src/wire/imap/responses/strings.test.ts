import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeNString, encodeString } from './strings.ts';

test('a string is quoted where it may be, a literal where it must be', () => {
  assert.equal(encodeString(''), '""');
  assert.equal(encodeString('a b\tc'), '"a b\tc"');
  assert.equal(encodeString('a "b" \\c'), '"a \\"b\\" \\\\c"');
  assert.equal(encodeString('\xc3\xbc'), '{2}\r\n\xc3\xbc');
  assert.equal(encodeString('a\r\nb"'), '{5}\r\na\r\nb"');
  assert.equal(encodeString('a\0b'), '"ab"');
  assert.equal(encodeString('\0\xff'), '{1}\r\n\xff');
  assert.equal(encodeNString(undefined), 'NIL');
  assert.equal(encodeNString('NIL'), '"NIL"');
});

/** Reads one string by RFC 3501 §9. */
function read(text: string): string {
  const literal = /^\{(\d+)\}\r\n/.exec(text);
  if (literal !== null) {
    assert.equal(text.length, literal[0].length + Number(literal[1]));
    return text.slice(literal[0].length);
  }
  assert.match(text, /^"(?:[^"\\\r\n\0\x80-\xff]|\\["\\])*"$/);
  return text.slice(1, -1).replace(/\\(.)/g, '$1');
}

test('property: a client reads back what was written, without NUL', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 255 })), (codes) => {
      const text = String.fromCharCode(...codes);
      assert.equal(read(encodeString(text)), text.replaceAll('\0', ''));
    }),
  );
});
