// JSON of strangers: a value, or none; and nothing that would be written down as something else.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, mutatedOctets } from '../../../test/support/nearly-right.ts';
import { Failure } from '../../base/failure.ts';
import { DEPTH_MAX } from '../../base/json-extent.ts';
import { exactJsonOf, jsonOf, VALUES_MAX } from './json.ts';

test('half of a surrogate pair is a value, but none that is kept', () => {
  for (const text of ['{"a":"\\ud83d"}', '{"\\uDCEE":1}', '["\\udcee\\ud83d"]']) {
    assert.notEqual(jsonOf(Buffer.from(text)), undefined);
    assert.equal(exactJsonOf(Buffer.from(text)), undefined, text);
  }
  for (const text of ['"\\ud83d\\udcee"', '"\\\\ud83d"', '"\ufeff"'])
    assert.deepEqual(exactJsonOf(Buffer.from(text)), { value: JSON.parse(text) });
});

test('any octets are a value that is written and read again as it is, or none', () => {
  const seeds = [
    '{"domain":"acme.example","names":["ann","b\u00f6b"],"limit":10,"deep":{"a":[[[]]],"b":null,"c":true}}',
    '{"text":"\\ud83d\\udcee \\n \\u00fc","__proto__":{"x":1},"constructor":{"prototype":1},"a":1e308,"b":-0.0}',
    '\ufeff[1,2.5e-7,"x",""]',
    '"\\uDC00\\uD800"',
  ];
  fc.assert(
    fc.property(mutatedOctets(seeds), (octets) => {
      let loose: ReturnType<typeof jsonOf>;
      let exact: ReturnType<typeof exactJsonOf>;
      try {
        loose = jsonOf(octets);
        exact = exactJsonOf(octets);
      } catch (error) {
        return assert.ok(error instanceof Failure && error.kind === 'too-large', String(error));
      }
      if (exact === undefined) return;
      assert.ok(loose !== undefined && !Object.hasOwn(Object.prototype, 'x'));
      const text = JSON.stringify(exact.value);
      // What stands alone is written as an escape, the backslash of which is no text.
      assert.ok(!/(?<!\\)(?:\\\\)*\\ud[89a-f]/.test(text), text);
      assert.equal(JSON.stringify(exactJsonOf(Buffer.from(text))?.value), text);
      assert.equal(JSON.stringify(loose.value), text);
    }),
    fuzzCases(3000),
  );
});

test('of too many values none is made', () => {
  const many = (value: string, count: number): Buffer => Buffer.from(`[${Array(count).fill(value).join()}]`);
  const tooLarge = { kind: 'too-large' };
  assert.notEqual(jsonOf(many('1', VALUES_MAX)), undefined);
  assert.throws(() => jsonOf(many('1', VALUES_MAX + 1)), tooLarge);
  assert.throws(() => exactJsonOf(many('[]', VALUES_MAX / 2 + 1)), tooLarge);
  assert.throws(() => jsonOf(Buffer.from('['.repeat(VALUES_MAX + 1))), tooLarge);
  assert.throws(() => jsonOf(Buffer.from('{"a":'.repeat(VALUES_MAX + 1))), tooLarge);
  // What stands in a string is text, wherever that ends.
  const text = '[{,'.repeat(VALUES_MAX);
  for (const before of ['', '\\\\', '\\"'])
    assert.equal(jsonOf(Buffer.from(`{"a":"${before}${text}"}`)) === undefined, false, before);
  assert.throws(() => jsonOf(Buffer.from(`["\\\\",${text}`)), tooLarge);
  assert.equal(jsonOf(Buffer.from(`["${text}`)), undefined);
});

test('what is nested too deep is refused before the parser sees it, which a wrong one would end with the process', () => {
  const nested = (depth: number): Buffer => Buffer.from(`${'['.repeat(depth)}${']'.repeat(depth)}`);
  const tooDeep = { kind: 'too-large', message: `the body is nested more than ${DEPTH_MAX} deep` };
  assert.notEqual(jsonOf(nested(DEPTH_MAX)), undefined);
  assert.throws(() => jsonOf(nested(DEPTH_MAX + 1)), tooDeep);
  assert.throws(() => exactJsonOf(nested(DEPTH_MAX + 1)), tooDeep);
  for (const begin of ['["ann",', '{"a":', '\ufeff[ ', '[1,\n{"]}":'])
    assert.throws(() => jsonOf(Buffer.from(`${begin.repeat(20_000)}["a"x`)), tooDeep, begin);
  // Beside each other they may be many, and in a string they are text.
  assert.notEqual(jsonOf(Buffer.from(`[${Array(1000).fill('[{}]').join()}]`)), undefined);
  assert.notEqual(jsonOf(Buffer.from(`["${'['.repeat(1000)}"]`)), undefined);
  // Its first octet is wrong already.
  assert.equal(jsonOf(Buffer.from(`]}${'['.repeat(DEPTH_MAX)}`)), undefined);
});
