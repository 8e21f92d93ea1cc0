// Queue time: what a row has waited, over restarts and jumps of the wall clock.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QueueClock, stepMs, type Timing, waitedMs } from './clock.ts';

const policy = { retryMs: [60, 300, 900], expireMs: 10_000 };

test('the last step repeats', () => {
  assert.deepEqual(
    [0, 1, 2, 3, 4, 100].map((attempts) => stepMs(policy, attempts)),
    [60, 60, 300, 900, 900, 900],
  );
});

test('queue time goes with the monotonic clock, wherever the wall clock jumps', () => {
  let wall = 1000;
  let monotonic = 5;
  const clock = new QueueClock({ now: () => wall, monotonic: () => monotonic });
  wall = -1e12;
  monotonic = 105.7;
  assert.equal(clock.now(), 1100);
  wall = 1e15;
  assert.equal(clock.now(), 1100);
});

test('a row waits while we run, and at most one step for an outage', () => {
  const timing = (now: number, startedAt: number): Timing => ({ ...policy, now, startedAt });
  const row = { attempts: 2, waitedMs: 100, lastAttemptAt: 5000 };
  assert.equal(waitedMs(timing(5400, 1000), row), 500);
  // Down from 5000 to 900,000: one step of 300, then 20 of this run.
  assert.equal(waitedMs(timing(900_020, 900_000), row), 420);
  // The wall clock of the last run was ahead.
  assert.equal(waitedMs(timing(3000, 2900), row), 100);
  assert.equal(waitedMs(timing(3000, 2900), { ...row, lastAttemptAt: undefined }), 100);
});
