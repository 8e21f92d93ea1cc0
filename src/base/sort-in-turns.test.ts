import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sortInTurns } from './sort-in-turns.ts';

test('the order is that of a stable sort, whatever the length', () => {
  const lengths = fc.constantFrom(0, 1, 2, 511, 512, 513, 1024, 1025, 5000);
  fc.assert(
    fc.property(lengths, fc.integer({ min: 1, max: 300 }), (length, values) => {
      const items = Array.from({ length }, (_, place) => ({ value: (place * 7919) % values, place }));
      const steps = sortInTurns(items, (a, b) => a.value - b.value);
      for (let step = steps.next(); ; step = steps.next()) {
        if (step.done !== true) continue;
        assert.deepEqual(
          step.value,
          items.toSorted((a, b) => a.value - b.value),
        );
        break;
      }
    }),
    { numRuns: 60 },
  );
});
