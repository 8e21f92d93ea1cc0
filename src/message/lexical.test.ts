import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Cursor } from '../base/cursor.ts';
import { comment, quotedString, skipCfws } from './lexical.ts';

function take(read: (cursor: Cursor) => string, text: string): [value: string, rest: string] {
  const cursor = new Cursor(text);
  return [read(cursor), cursor.rest()];
}

test('comments nest and give their text', () => {
  assert.deepEqual(take(comment, '(a) b'), ['a', ' b']);
  assert.deepEqual(take(comment, '(a (b) \\) \\\\) c'), ['a (b) ) \\', ' c']);
  assert.deepEqual(take(comment, '()'), ['', '']);
  assert.deepEqual(take(comment, '(a (b)'), ['a (b)', '']);
  assert.deepEqual(take(comment, '(a\\'), ['a', '']);
});

test('quoted strings give what they mean', () => {
  assert.deepEqual(take(quotedString, '"a" b'), ['a', ' b']);
  assert.deepEqual(take(quotedString, '"a\\"\\\\\\b"'), ['a"\\b', '']);
  assert.deepEqual(take(quotedString, '""x'), ['', 'x']);
  assert.deepEqual(take(quotedString, '"a'), ['a', '']);
  assert.deepEqual(take(quotedString, '"a\\'), ['a', '']);
});

test('white space and comments are skipped', () => {
  const cursor = new Cursor(' \t(a) \r\n (b(c))x (d)');
  skipCfws(cursor);
  assert.equal(cursor.peek(), 'x'.charCodeAt(0));
});

test('property: a quoted text is read back, and no token runs past the end', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii' }), (text) => {
      const quoted = `"${text.replace(/["\\]/g, '\\$&')}"`;
      assert.deepEqual(take(quotedString, `${quoted}rest`), [text, 'rest']);
      for (const read of [quotedString, comment]) {
        const cursor = new Cursor(`(${text}`);
        read(cursor);
        assert.ok(cursor.at <= text.length + 1);
      }
    }),
  );
});
