// Answers in an absence, killed in many deliveries: each sender has one, because that it has been answered is written in the
// transaction that accepts the answer. Written in a transaction of its own, the test finds a second answer.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { TestTransfer } from '../../src/transfer/testing.ts';
import { kills } from '../support/kills.ts';
import { liveOn, placeOf } from './lives.ts';

const SENDERS = 40;

/** How many answers each sender has in the end. */
async function answersAfter(context: TestContext, mode: string[], count: number): Promise<number[]> {
  const at = placeOf(context, 'replied');
  const args = [SENDERS, ...mode];
  await liveOn(context, { child: 'replied-child.ts', at, args, kills: count, steps: 6, delayMs: 12 });
  const transfer = await TestTransfer.open({ at });
  try {
    const answers: number[] = [];
    for (let n = 0; n < SENDERS; n++)
      answers.push(
        (await transfer.inbox(`s${n}@acme.example`)).filter((text) => text.includes('Subject: Auto: x')).length,
      );
    return answers;
  } finally {
    await transfer.close();
  }
}

test('each sender is answered once, whenever the process is killed', { timeout: 600_000 }, async (context) => {
  const answers = await answersAfter(context, [], kills(4));
  assert.deepEqual(
    answers,
    Array.from({ length: SENDERS }, () => 1),
  );
});

test('the test can fail: a memory of its own transaction lets a second answer out', {
  timeout: 600_000,
}, async (context) => {
  // Whether a kill meets the moment between the two transactions is chance: another world has another.
  for (let worlds = 1; ; worlds++) {
    const answers = await answersAfter(context, ['apart'], 12);
    if (answers.some((count) => count > 1)) return;
    assert.ok(worlds < 5, JSON.stringify(answers));
  }
});
