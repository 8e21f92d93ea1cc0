// Held mail, released in slices, and the process killed between and in them: everybody gets each message once.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { TestTransfer } from '../../src/transfer/testing.ts';
import { kills } from '../support/kills.ts';

const PEOPLE = 40;
const MESSAGES = 40;
const KILLS = kills(6);
const CHILD = join(import.meta.dirname, 'held-child.ts');

/** Runs one life, killed `delayMs` behind the line `slice` of this number; without a number it ends by itself. */
async function live(at: string, kill?: { readonly slice: number; readonly delayMs: number }): Promise<boolean> {
  const child = spawn(process.execPath, [CHILD, at, String(PEOPLE), String(MESSAGES)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let slices = 0;
  let isDrained = false;
  const ended = new Promise((resolve) => child.once('close', resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'drained') isDrained = true;
    if (line === 'slice' && ++slices === kill?.slice) setTimeout(() => child.kill('SIGKILL'), kill.delayMs);
  }
  await ended;
  return isDrained;
}

test('held mail is released once, whenever the process is killed', { timeout: 600_000 }, async (context) => {
  const at = mkdtempSync(join(tmpdir(), 'waypost-held-'));
  context.after(() => rmSync(at, { recursive: true, force: true }));
  const moments = Array.from({ length: KILLS }, () => ({
    slice: 1 + Math.floor(Math.random() * 6),
    delayMs: Math.floor(Math.random() * 8),
  }));
  context.diagnostic(JSON.stringify(moments));
  for (const moment of moments) if (await live(at, moment)) break;
  assert.ok(await live(at), 'the last life ends by itself');

  const transfer = await TestTransfer.open({ at });
  try {
    const expected = Array.from({ length: MESSAGES }, (_, n) => `m${n}`).sort();
    for (let n = 0; n < PEOPLE; n++) {
      const inbox = await transfer.inbox(`p${n}@acme.example`);
      const got = inbox.map((text) => /^Subject: (\S+)\r\n/m.exec(text)?.[1]);
      assert.deepEqual(got.sort(), expected, `p${n}`);
    }
  } finally {
    // Names each row of store and queue that is in no legal state.
    await transfer.close();
  }
});
