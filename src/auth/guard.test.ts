import assert from 'node:assert/strict';
import { it } from 'node:test';
import { delayFailures } from './guard.ts';

it('delays each failure of one client and name more, up to a bound, and no other login', async () => {
  const waited: number[] = [];
  let now = 0;
  const guard = delayFailures({
    clock: { now: () => 0, monotonic: () => now },
    wait: async (ms) => void waited.push(ms),
  });
  const fail = async (peer: string, name = 'ann@acme.example') =>
    (await guard.begin(peer, name, 'u1')).wrong(Buffer.from('wrong'));
  for (let i = 0; i < 8; i++) await fail('192.0.2.1', i % 2 === 0 ? 'ann@acme.example' : 'Ann@ACME.example');
  assert.deepEqual(waited.splice(0), [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  await fail('192.0.2.2');
  await fail('192.0.2.1', 'bob@acme.example');
  assert.deepEqual(waited.splice(0), [100, 100]);
  (await guard.begin('192.0.2.1', 'ann@acme.example', 'u1')).undecided();
  await fail('192.0.2.1');
  (await guard.begin('192.0.2.1', 'ann@acme.example', 'u1')).right();
  await fail('192.0.2.1');
  assert.deepEqual(waited.splice(0), [5000, 100]);
  await fail('192.0.2.1');
  now = 15 * 60_000;
  await fail('192.0.2.1');
  assert.deepEqual(waited.splice(0), [200, 100]);
});
