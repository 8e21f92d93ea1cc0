// When long work waits for mail: by what threads say of their time.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WayForMail } from './way-for-mail.ts';

function thread(name: string, times: readonly (readonly [active: number, idle: number] | undefined)[]) {
  let at = 0;
  return {
    name,
    utilization() {
      const time = times[at++];
      return time && { active: time[0], idle: time[1], utilization: 0 };
    },
  };
}

test('it waits as long as the commit took while a protocol thread was busy for more than half of the time since', () => {
  const way = new WayForMail([
    thread('protocol-1', [
      [900, 100],
      [950, 250],
      [1040, 260],
      [1100, 400],
    ]),
    thread('protocol-2', [
      [0, 1000],
      [1, 1199],
      [2, 1298],
      [3, 1500],
    ]),
  ]);
  assert.equal(way.pauseAfter(200), 0, 'nothing is known yet');
  assert.equal(way.pauseAfter(200), 0, '50 of 200 ms');
  assert.equal(way.pauseAfter(70), 70, '90 of 100 ms');
  assert.equal(way.pauseAfter(70), 0);
});

test('a pause has an end, other threads do not count, and a successor counts from nothing', () => {
  const busy = [
    [0, 0],
    [100, 0],
    [200, 0],
  ] as const;
  assert.equal(new WayForMail([thread('dns', busy), thread('transfer', busy)]).pauseAfter(5), 0);
  const way = new WayForMail([thread('protocol-1', [[500, 0], [600, 0], undefined, [10, 0], [90, 0]])]);
  assert.deepEqual(
    [5000, 5000, 5000, 5000, 5000].map((ms) => way.pauseAfter(ms)),
    [0, 1000, 0, 0, 1000],
  );
});
