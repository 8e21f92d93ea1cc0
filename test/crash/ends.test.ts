// The judge of ends finds what is lost, doubled, or in two places, and lets a repeat at another host pass.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type End, Ends, endKey, type Found } from './ends.ts';
import type { Fate } from './ledger.ts';

const REX = 'rex@remote.example';
const key = endKey('m1', REX);

function judged(fate: Fate, counts: Partial<Record<End, number>>): { problems: string[]; repeated: number } {
  const ends = new Ends();
  ends.open('m1', [REX], { fate });
  const found = Object.entries(counts).map(([end, count]) => [end, new Map([[key, count]]) satisfies Found] as const);
  const problems = ends.check(Object.fromEntries(found));
  return { problems, repeated: ends.repeated };
}

test('one end is right, whichever; none is lost; two are one too many', () => {
  for (const end of ['mailbox', 'file', 'remote', 'queue', 'report'] as const) {
    assert.deepEqual(judged('acknowledged', { [end]: 1 }).problems, []);
    assert.equal(judged('refused', { [end]: 1 }).problems.length, 1);
    assert.deepEqual(judged('open', { [end]: 1 }).problems, []);
  }
  assert.match(judged('acknowledged', {}).problems[0] ?? '', /has ended nowhere/);
  assert.deepEqual(judged('open', {}).problems, []);
  assert.match(judged('acknowledged', { remote: 1, report: 1 }).problems[0] ?? '', /has ended in remote and report/);
  assert.match(judged('acknowledged', { mailbox: 2 }).problems[0] ?? '', /2 times in: mailbox/);
});

test('a repeat at another host is counted apart', () => {
  assert.deepEqual(judged('acknowledged', { remote: 3 }), { problems: [], repeated: 2 });
});
