import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REFUSALS_MAX, REFUSALS_MS } from './limits.ts';
import { Refusals } from './refusals.ts';

test('ten thousand refusals are remembered for five minutes each; the oldest is forgotten first', () => {
  let nowMs = 0;
  const refusals = new Refusals({ now: () => 0, monotonic: () => nowMs });
  const name = (n: number) => `n${n}.example`;
  for (let n = 0; n < REFUSALS_MAX; n++) refusals.note(name(n));
  assert.ok(refusals.has(name(0)));
  // Noted again, it is the newest.
  refusals.note(name(0));
  refusals.note('one-more.example');
  assert.deepEqual(
    [name(0), name(1), name(2)].map((each) => refusals.has(each)),
    [true, false, true],
  );
  nowMs = REFUSALS_MS - 1;
  assert.ok(refusals.has('one-more.example'));
  nowMs = REFUSALS_MS;
  assert.ok(!refusals.has('one-more.example'));
  assert.deepEqual([REFUSALS_MAX, REFUSALS_MS], [10_000, 300_000]);
});
