// Reports of a success, of a delay and of failures, and the process killed between and in them: each is made once.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { TestTransfer } from '../../src/transfer/testing.ts';
import { kills } from '../support/kills.ts';

const MESSAGES = 60;
const KILLS = kills(6);
const CHILD = join(import.meta.dirname, 'reports-child.ts');

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

test('a report is made once, whenever the process is killed', { timeout: 600_000 }, async (context) => {
  const at = mkdtempSync(join(tmpdir(), 'waypost-reports-'));
  context.after(() => rmSync(at, { recursive: true, force: true }));
  const moments = Array.from({ length: KILLS }, () => ({
    asked: 1 + Math.floor((Math.random() * MESSAGES * 12) / KILLS),
    delayMs: Math.floor(Math.random() * 8),
  }));
  context.diagnostic(JSON.stringify(moments));
  for (const moment of moments) if (await live(at, moment)) break;
  assert.ok(await live(at), 'the last life ends by itself');

  const transfer = await TestTransfer.open({ at });
  try {
    const said: string[] = [];
    for (const text of await transfer.inbox('ann@acme.example')) {
      const [, message] = /^In-Reply-To: <(\S+)@acme\.example>\r$/m.exec(text)!;
      for (const [, recipient, action] of text.matchAll(/^Final-Recipient: rfc822; (\S+)\r\nAction: (\S+)\r$/gm))
        said.push(`${message} ${recipient} ${action}`);
    }
    const expected = Array.from({ length: MESSAGES }, (_, n) => [
      `m${n} bob@acme.example delivered`,
      `m${n} nobody@acme.example failed`,
      `m${n} rex@remote.example delayed`,
      `m${n} rex@remote.example failed`,
    ]).flat();
    assert.deepEqual(said.sort(), expected.sort());
    assert.equal((await transfer.inbox('bob@acme.example')).length, MESSAGES);
  } finally {
    // Names each row of store and queue that is in no legal state.
    await transfer.close();
  }
});
