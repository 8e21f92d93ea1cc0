// Looks: one at a time, none forgotten, and a pause after a failure.

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Looks } from './looks.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('what comes before the start, and in a look, is looked for; many calls are one look', async () => {
  let [looks, atOnce] = [0, 0];
  let end: () => void = () => {};
  const own = new Looks({
    async look() {
      looks++;
      assert.equal(++atOnce, 1);
      await new Promise<void>((resolve) => {
        end = resolve;
      });
      atOnce--;
      return undefined;
    },
    failed: (error) => assert.fail(String(error)),
  });
  own.wake();
  own.wake();
  assert.equal(looks, 0);
  own.start();
  assert.equal(looks, 1);
  own.wake();
  own.wake();
  end();
  await turn();
  assert.equal(looks, 2);
  end();
  await turn();
  assert.equal(looks, 2);
  own.wake();
  const stopped = own.stop();
  end();
  await stopped;
  own.wake();
  assert.equal(looks, 3);
});

test('a look that has more to do comes again; one that fails waits, longer each time, whoever calls', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const pauses: number[] = [];
    let looks = 0;
    const own = new Looks({
      async look() {
        looks++;
        if (looks === 1) return true;
        if (looks < 5) throw new Error('not now');
        return undefined;
      },
      failed: (_, pauseMs) => pauses.push(pauseMs),
    });
    own.start();
    for (const expected of [2, 3, 4, 5]) {
      await turn();
      assert.equal(looks, expected);
      own.wake();
      await turn();
      assert.equal(looks, expected === 5 ? 6 : expected);
      mock.timers.tick(pauses.at(-1)!);
    }
    assert.deepEqual(pauses, [1000, 2000, 4000]);
    await own.stop();
  } finally {
    mock.timers.reset();
  }
});
