// A channel that makes mail, killed in two hundred deliveries: what it makes exists once, with the outcome that it stands in.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { TestTransfer } from '../../src/transfer/testing.ts';
import { kills } from '../support/kills.ts';

const MESSAGES = 200;
const KILLS = kills(6);
const CHILD = join(import.meta.dirname, 'made-mail-child.ts');

/** Runs one life, killed `delayMs` behind the line `asked` of this number; without a number it ends by itself. */
async function live(at: string, kill?: { readonly asked: number; readonly delayMs: number }): Promise<boolean> {
  const child = spawn(process.execPath, [CHILD, at, String(MESSAGES)], { stdio: ['ignore', 'pipe', 'inherit'] });
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

test(`mail that a channel makes exists once, whenever the process is killed`, { timeout: 600_000 }, async (context) => {
  const at = mkdtempSync(join(tmpdir(), 'waypost-made-mail-'));
  context.after(() => rmSync(at, { recursive: true, force: true }));
  const moments = Array.from({ length: KILLS }, () => ({
    asked: 1 + Math.floor(Math.random() * (MESSAGES / KILLS)),
    delayMs: Math.floor(Math.random() * 8),
  }));
  context.diagnostic(JSON.stringify(moments));
  for (const moment of moments) if (await live(at, moment)) break;
  assert.ok(await live(at), 'the last life ends by itself');

  const transfer = await TestTransfer.open({ at });
  try {
    const inbox = await transfer.inbox('ann@acme.example');
    const answers = inbox.flatMap((text) => /^Subject: answer of (\S+) /m.exec(text)?.[1] ?? []);
    const expected = Array.from({ length: MESSAGES }, (_, n) => `r${n}@d${n % 7}.example`);
    assert.deepEqual(answers.sort(), expected.sort());
  } finally {
    // Names each row of store and queue that is in no legal state.
    await transfer.close();
  }
});
