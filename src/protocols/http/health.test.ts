import assert from 'node:assert/strict';
import { test } from 'node:test';
import { healthApp } from './health.ts';

for (const path of ['/metrics', '/readyz'])
  test(`${path}: a hundred requests at once get one answer; a later one, another`, async () => {
    let asked = 0;
    const one = async (): Promise<number> => {
      const mine = ++asked;
      await new Promise((turn) => setImmediate(turn));
      return mine;
    };
    const app = healthApp({
      ready: async () => {
        await one();
      },
      metrics: async () => ({ type: 'text/plain', text: String(await one()) }),
    });
    const answers = await Promise.all(Array.from({ length: 100 }, () => app.request(path)));
    assert.ok(answers.every(({ status }) => status === 200));
    assert.equal(asked, 1);
    assert.equal((await app.request(path)).status, 200);
    assert.equal(asked, 2);
  });

test('a failure is the answer to all that wait for it, and does not stay', async () => {
  let isBroken = true;
  const app = healthApp({
    ready: async () => {
      if (isBroken) throw new Error('the disk is full');
    },
    metrics: async () => ({ type: 'text/plain', text: '' }),
  });
  const answers = await Promise.all([app.request('/readyz'), app.request('/readyz')]);
  for (const answer of answers) {
    assert.equal(answer.status, 503);
    assert.equal(await answer.text(), 'not ready: the disk is full\n');
  }
  isBroken = false;
  assert.equal((await app.request('/readyz')).status, 200);
});
