import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { LongWork } from './long-work.ts';

test('of all that wait one has its turn in each turn of the event loop, in the order of asking', async () => {
  const work = new LongWork();
  const order: number[] = [];
  let turn = 0;
  const had: number[] = [];
  const all = [1, 2, 3, 4, 5].map(async (each) => {
    await work.turn();
    order.push(each);
    had.push(turn);
  });
  for (; order.length < 5; turn++) await nextTurn();
  await Promise.all(all);
  assert.deepEqual(order, [1, 2, 3, 4, 5]);
  assert.equal(new Set(had).size, 5);
});
