// Mail that is sent on, killed at any moment, to a host that fails in each phase: the mailbox has each message once, the other host
// has each, and again no more often than there were connections at the kills.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { TestTransfer } from '../../src/transfer/testing.ts';
import { kills } from '../support/kills.ts';
import { CLOSE, type SinkAnswer, SmtpSink } from '../support/smtp-sink.ts';

const MESSAGES = 60;
const KILLS = kills(6);
/** A channel has so many to one destination at most. */
const CONNECTIONS_MAX = 20;
const CHILD = join(import.meta.dirname, 'forwarded-child.ts');

/** Runs one life, killed `delayMs` behind the line `went` of this number; without a number it ends by itself. */
async function live(args: string[], kill?: { readonly went: number; readonly delayMs: number }): Promise<boolean> {
  const child = spawn(process.execPath, [CHILD, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let went = 0;
  let isDrained = false;
  const ended = new Promise((resolve) => child.once('close', resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'drained') isDrained = true;
    if (line === 'went' && ++went === kill?.went) setTimeout(() => child.kill('SIGKILL'), kill.delayMs);
  }
  await ended;
  return isDrained;
}

/** One in ten says later, one in twenty is gone. */
function moody(answer: string): () => SinkAnswer {
  return () => (Math.random() < 0.05 ? CLOSE : Math.random() < 0.1 ? '451 4.2.1 later' : answer);
}

test('each message is in the mailbox once and is sent on, whenever the process is killed', {
  timeout: 600_000,
}, async (context) => {
  const at = mkdtempSync(join(tmpdir(), 'waypost-forwarded-'));
  const sink = await SmtpSink.start({
    mail: moody('250 ok'),
    rcpt: moody('250 ok'),
    data: moody('354 go on'),
    dot: moody('250 ok'),
  });
  context.after(async () => {
    await sink.close();
    rmSync(at, { recursive: true, force: true });
  });
  const args = [at, String(MESSAGES), sink.nextHop];
  let killed = 0;
  for (; killed < KILLS; killed++) {
    const moment = {
      went: 1 + Math.floor(Math.random() * (MESSAGES / KILLS)),
      delayMs: Math.floor(Math.random() * 10),
    };
    if (await live(args, moment)) break;
  }
  assert.ok(await live(args), 'the last life ends by itself');
  const transfer = await TestTransfer.open({ at });
  try {
    const stored = await transfer.inbox('ann@acme.example');
    const times = (texts: readonly string[], n: number): number =>
      texts.filter((text) => text.includes(`Subject: n${n}.`)).length;
    // Where MAIL or every recipient was refused and DATA was on its way, a dot alone follows.
    const sent = sink.messages.map(({ data }) => data).filter((data) => data !== '');
    for (let n = 0; n < MESSAGES; n++) {
      assert.equal(times(stored, n), 1, `message ${n} in the mailbox`);
      assert.ok(times(sent, n) >= 1, `message ${n} sent on`);
    }
    context.diagnostic(`${sent.length - MESSAGES} sent again, ${killed} kills`);
    assert.ok(sent.length <= MESSAGES + killed * CONNECTIONS_MAX);
    for (const data of sent) assert.match(data, /^Delivered-To: ann@acme\.example\r\n/);
  } finally {
    await transfer.close();
  }
});
