// JSON of others: how deep it is, and that what is too deep does not reach the parser, which a wrong one would end with the process.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEPTH_MAX, jsonExtent, valueOfJson } from './json-extent.ts';

test('names, values and how deep they are, outside of strings', () => {
  const texts: readonly [text: string, values: number, depth: number][] = [
    ['1', 0, 0],
    ['[1,[2],{"a":[3]}]', 6, 3],
    ['["[{,","\\"[","\\\\",[]]', 5, 2],
    ['"[[', 0, 0],
    ['[[],[],[]]', 6, 2],
  ];
  for (const [text, values, depth] of texts) assert.deepEqual(jsonExtent(Buffer.from(text)), { values, depth }, text);
});

test('a value is nested 64 deep at most, correct or not', () => {
  const nested = (depth: number): Buffer => Buffer.from('['.repeat(depth) + ']'.repeat(depth));
  assert.equal(JSON.stringify(valueOfJson(nested(DEPTH_MAX))), nested(DEPTH_MAX).toString());
  const tooDeep = { name: 'SyntaxError', message: `JSON is nested more than ${DEPTH_MAX} deep` };
  assert.throws(() => valueOfJson(nested(DEPTH_MAX + 1)), tooDeep);
  for (const begin of ['["ann",', '{"a":', '[1,\n{"]}":'])
    assert.throws(() => valueOfJson(Buffer.from(`${begin.repeat(20_000)}["a"x`)), tooDeep, begin);
});
