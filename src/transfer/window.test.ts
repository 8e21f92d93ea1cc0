// The window of a destination, beside a naive one that is the sentence of its head comment.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { outcome } from './outcome.ts';
import { DestinationWindow } from './window.ts';

const MAX = 8;
const STEP = 100;
const DOWN = outcome('deferred', '4.4.1', 'no connection');

test('it grows with what reaches the host, shrinks with what does not, and closes at 0', () => {
  const steps = fc.array(
    fc.record({ wait: fc.integer({ min: 0, max: 60 }), how: fc.constantFrom('good', 'bad', 'none', 'probe') }),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(steps, (all) => {
      const window = new DestinationWindow();
      let now = 0;
      let size = 5;
      let closedUntil: number | undefined;
      for (const { wait, how } of all) {
        now += wait;
        const isOver = closedUntil !== undefined && (now >= closedUntil || how === 'probe' || how === 'good');
        if (isOver) [size, closedUntil] = [1, undefined];
        window.size(now);
        if (how === 'good') size = Math.min(MAX, size + 1 / size);
        if (how === 'bad' && closedUntil === undefined) {
          size -= 1;
          if (size < 1) [size, closedUntil] = [0, now + STEP];
        }
        if (how === 'good') window.good(MAX);
        if (how === 'bad') window.bad(DOWN, now + STEP);
        if (how === 'probe') window.probe();
        assert.equal(window.size(now), Math.floor(size));
        assert.equal(window.outcome(now), closedUntil === undefined ? undefined : DOWN);
      }
    }),
  );
});
