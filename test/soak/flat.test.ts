// What counts as flat.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge, type Sample } from './flat.ts';

const series = (count: number, value: (n: number) => number): Sample[] =>
  Array.from({ length: count }, (_, n) => ({ at: n * 10, value: value(n) }));
const verdict = (samples: readonly Sample[], allowance: Parameters<typeof judge>[2]) =>
  judge({ name: 'memory', unit: 'MiB' }, samples, allowance).verdict;
const GROWTH = { growth: { ratio: 1.1, more: 5 } };

test('what goes up and down is flat, and so is one outlier', () => {
  assert.equal(
    verdict(
      series(90, (n) => 100 + (n % 7)),
      GROWTH,
    ),
    'flat',
  );
  assert.equal(
    verdict(
      series(90, (n) => (n === 88 ? 10_000 : 100)),
      GROWTH,
    ),
    'flat',
  );
});

test('what goes up all the time grows; how much a minute is said', () => {
  const samples = series(90, (n) => 100 + n);
  const { first, last, perMinute, ...figure } = judge({ name: 'memory', unit: 'MiB' }, samples, GROWTH);
  assert.deepEqual([first, last, Math.round(perMinute), figure.verdict], [114.5, 174.5, 6, 'grows']);
});

test('of what sessions hold while they are open, the least has to grow', () => {
  const allowance = { growth: { ratio: 1, more: 4, of: 'least' } } as const;
  const busy = (held: (n: number) => number) => series(90, (n) => held(n) + (n > 60 && n % 9 !== 0 ? 50 : 0));
  assert.equal(
    verdict(
      busy(() => 100),
      allowance,
    ),
    'flat',
  );
  assert.equal(
    verdict(
      busy((n) => 100 + n / 10),
      allowance,
    ),
    'grows',
  );
});

test('up to the allowance it is flat, above it is not', () => {
  const steps = (last: number) => series(9, (n) => (n < 6 ? 100 : last));
  assert.equal(verdict(steps(115), GROWTH), 'flat');
  assert.equal(verdict(steps(115.1), GROWTH), 'grows');
});

test('what fills up to a bound may reach it, and no sample may be above', () => {
  const samples = (most: number) => series(30, (n) => (n === 12 ? most : n));
  assert.equal(verdict(samples(96), { most: 96 }), 'flat');
  assert.equal(verdict(samples(97), { most: 96 }), 'grows');
});

test('too few samples, or no allowance, is no verdict', () => {
  assert.equal(
    verdict(
      series(8, (n) => n * 1000),
      GROWTH,
    ),
    'not judged',
  );
  assert.equal(
    verdict(
      series(90, (n) => n * 1000),
      {},
    ),
    'not judged',
  );
  assert.equal(verdict([], GROWTH), 'not judged');
});
