// Answers in an absence, killed in many deliveries: each sender has one, because that it has been answered is written in the
// transaction that accepts the answer. Written in a transaction of its own, the test finds a second answer.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { TestTransfer } from '../../src/transfer/testing.ts';
import { kills } from '../support/kills.ts';

const SENDERS = 40;
const CHILD = join(import.meta.dirname, 'replied-child.ts');

/** Runs one life, killed `delayMs` behind the line `asked` of this number; without a number it ends by itself. */
async function live(
  at: string,
  mode: string[],
  kill?: { readonly asked: number; readonly delayMs: number },
): Promise<boolean> {
  const child = spawn(process.execPath, [CHILD, at, String(SENDERS), ...mode], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let asked = 0;
  let isDrained = false;
  const ended = new Promise((resolve) => child.once('close', resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'drained') isDrained = true;
    if (line === 'asked' && ++asked === kill?.asked) setTimeout(() => child.kill('SIGKILL'), kill.delayMs);
  }
  await ended;
  return isDrained;
}

/** How many answers each sender has in the end. */
async function answersAfter(context: TestContext, mode: string[], count: number): Promise<number[]> {
  const at = mkdtempSync(join(tmpdir(), 'waypost-replied-'));
  context.after(() => rmSync(at, { recursive: true, force: true }));
  for (let life = 0; life < count; life++)
    if (await live(at, mode, { asked: 1 + Math.floor(Math.random() * 6), delayMs: Math.floor(Math.random() * 12) }))
      break;
  assert.ok(await live(at, mode), 'the last life ends by itself');
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
  const answers = await answersAfter(context, [], kills(6));
  assert.deepEqual(
    answers,
    Array.from({ length: SENDERS }, () => 1),
  );
});

test('the test can fail: a memory of its own transaction lets a second answer out', {
  timeout: 600_000,
}, async (context) => {
  const answers = await answersAfter(context, ['apart'], 12);
  assert.ok(
    answers.some((count) => count > 1),
    JSON.stringify(answers),
  );
});
