import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Deadline } from './deadline.ts';

const step = fc.oneof(
  fc.record({ do: fc.constant('set' as const), which: fc.nat(9), afterMs: fc.integer({ min: 1, max: 100 }) }),
  fc.record({ do: fc.constant('clear' as const), which: fc.nat(9), afterMs: fc.constant(0) }),
  fc.record({ do: fc.constant('pass' as const), which: fc.constant(0), afterMs: fc.integer({ min: 1, max: 60 }) }),
);

test('each deadline comes at its time and no other, whatever was set, moved and cleared, and one timer serves them all', (context) => {
  let now = 0;
  let timers = 0;
  context.mock.method(performance, 'now', () => now);
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const { setTimeout: start, clearTimeout: stop } = globalThis;
  const running = new Set<unknown>();
  context.mock.method(globalThis, 'setTimeout', (late: () => void, ms: number) => {
    const timer = start(() => {
      running.delete(timer);
      late();
    }, ms);
    running.add(timer);
    timers = Math.max(timers, running.size);
    return timer;
  });
  context.mock.method(globalThis, 'clearTimeout', (timer: NodeJS.Timeout) => {
    running.delete(timer);
    stop(timer);
  });
  const pass = (ms: number) => {
    for (let i = 0; i < ms; i++) {
      now++;
      context.mock.timers.tick(1);
    }
  };
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const deadlines = Array.from({ length: 10 }, () => new Deadline());
      const due = new Map<number, number>();
      for (const { do: what, which, afterMs } of steps) {
        if (what === 'set') {
          due.set(which, now + afterMs);
          deadlines[which]!.set(afterMs, () => {
            const at = due.get(which);
            assert.ok(at !== undefined && now >= at - 1 && now <= at, `${which} at ${now}, due at ${at}`);
            due.delete(which);
          });
        } else if (what === 'clear') {
          due.delete(which);
          deadlines[which]!.clear();
        } else {
          pass(afterMs);
          for (const at of due.values()) assert.ok(at >= now, `due at ${at}, and it is ${now}`);
        }
      }
      pass(101);
      assert.equal(due.size, 0);
    }),
    { numRuns: 300 },
  );
  assert.equal(timers, 1);
});
