import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ResponseRate } from './rate.ts';

function limiter() {
  const state = { now: 0 };
  return { state, rate: new ResponseRate(() => state.now) };
}

test('twenty equal answers a second to a network; every second one beyond is truncated', () => {
  const { state, rate } = limiter();
  const take = () => rate.take('192.0.2.7', 'answer', 'acme.example');
  assert.deepEqual(Array.from({ length: 24 }, take), [
    ...Array.from({ length: 20 }, () => 'send'),
    'drop',
    'truncate',
    'drop',
    'truncate',
  ]);
  // Four too many: they are paid for first.
  state.now = 200;
  assert.equal(take(), 'drop');
  state.now = 1000;
  assert.equal(take(), 'send');
});

test('a flood is in debt for a window at most', () => {
  const { state, rate } = limiter();
  for (let i = 0; i < 100_000; i++) rate.take('192.0.2.7', 'answer', 'acme.example');
  state.now = 15_000;
  assert.notEqual(rate.take('192.0.2.7', 'answer', 'acme.example'), 'send');
  state.now = 15_200;
  assert.equal(rate.take('192.0.2.7', 'answer', 'acme.example'), 'send');
});

test('a network is a /24 or a /56; names, and errors of a zone, are apart', () => {
  const { rate } = limiter();
  const isFull = (address: string, kind: 'answer' | 'error' = 'answer', name = 'a.example') =>
    rate.take(address, kind, name) !== 'send';
  for (let i = 0; i < 20; i++) rate.take('192.0.2.7', 'answer', 'a.example');
  assert.equal(isFull('192.0.2.200'), true);
  assert.equal(isFull('::ffff:192.0.2.9'), true);
  assert.equal(isFull('192.0.3.7'), false);
  assert.equal(isFull('192.0.2.7', 'answer', 'b.example'), false);
  assert.equal(isFull('192.0.2.7', 'error'), false);
  for (let i = 0; i < 20; i++) rate.take('2001:db8:0:1::1', 'answer', 'a.example');
  assert.equal(isFull('2001:db8:0:ff::2'), true);
  assert.equal(isFull('2001:db8:0:100::1'), false);
  assert.equal(isFull('fe80::1%lo'), false);
});

test('100,000 buckets; the one longest unused goes', () => {
  const { rate } = limiter();
  const fill = (name: string) => {
    for (let i = 0; i < 21; i++) rate.take('192.0.2.7', 'answer', name);
  };
  fill('first');
  fill('second');
  for (let i = 0; i < 99_998; i++) rate.take('192.0.2.7', 'answer', `n${i}`);
  // Used again, so the second is now the oldest.
  assert.notEqual(rate.take('192.0.2.7', 'answer', 'first'), 'send');
  rate.take('192.0.2.7', 'answer', 'one more');
  assert.notEqual(rate.take('192.0.2.7', 'answer', 'first'), 'send');
  assert.equal(rate.take('192.0.2.7', 'answer', 'second'), 'send');
});
