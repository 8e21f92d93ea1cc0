import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Failure } from '../base/failure.ts';
import { HashGate } from './hash-gate.ts';

/** Tasks that the test ends, and how many were running at once. */
function tasks() {
  const ends: (() => void)[] = [];
  const counts = { running: 0, most: 0, started: 0 };
  const task = async () => {
    counts.started++;
    counts.most = Math.max(counts.most, ++counts.running);
    await new Promise<void>((resolve) => ends.push(resolve));
    counts.running--;
  };
  return { ends, counts, task };
}

const turns = async () => {
  for (let i = 0; i < 20; i++) await new Promise<void>((resolve) => setImmediate(resolve));
};

describe('the hash gate', () => {
  it('lets as many run as it has slots, the others in their order', async () => {
    const { ends, counts, task } = tasks();
    const gate = new HashGate({ slots: 2 });
    const order: number[] = [];
    const all = [1, 2, 3, 4, 5].map((n) =>
      gate.run(() => {
        order.push(n);
        return task();
      }),
    );
    await turns();
    assert.equal(counts.started, 2);
    while (counts.started < 5) {
      ends.shift()?.();
      await turns();
    }
    for (const end of ends) end();
    await Promise.all(all);
    assert.equal(counts.most, 2);
    assert.deepEqual(order, [1, 2, 3, 4, 5]);
  });

  it('refuses beyond what may wait, and takes again afterwards', async () => {
    const { ends, task } = tasks();
    const gate = new HashGate({ slots: 1, waitingMax: 2 });
    const running = gate.run(task);
    await turns();
    const waiting = [gate.run(task), gate.run(task)];
    await assert.rejects(gate.run(task), (error) => error instanceof Failure && error.kind === 'unavailable');
    while (ends.length > 0) {
      ends.shift()!();
      await turns();
    }
    await Promise.all([running, ...waiting]);
    await gate.run(async () => {});
  });

  it('frees the slot of a hash that fails', async () => {
    const gate = new HashGate({ slots: 1 });
    await assert.rejects(gate.run(() => Promise.reject(new Error('x'))));
    assert.equal(await gate.run(async () => 7), 7);
  });

  it('counts all threads that share its cells', async () => {
    const cells = new Int32Array(new SharedArrayBuffer(8));
    const { ends, counts, task } = tasks();
    const [a, b] = [0, 1].map((thread) => new HashGate({ cells, thread, slots: 1 }));
    const first = a!.run(task);
    await turns();
    const second = b!.run(task);
    await turns();
    assert.equal(counts.started, 1);
    ends.shift()!();
    await first;
    while (ends.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    ends.shift()!();
    await second;
    assert.equal(counts.most, 1);
    assert.deepEqual([...cells], [0, 0]);
  });
});
