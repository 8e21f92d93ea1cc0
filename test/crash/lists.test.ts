// Lists that make a message of their own, and lists that ask a moderator, killed in many deliveries: each member has each
// message once, what waits for a moderator stays held over a start, and a word that comes after it counts.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { TestTransfer } from '../../src/transfer/testing.ts';
import { kills } from '../support/kills.ts';
import { liveOn, placeOf } from './lives.ts';

const PEOPLE = 20;
const MESSAGES = 20;
/** A fault is met in nearly every one. */
const WORLDS_MAX = 5;
const LONG = { timeout: 600_000 };

function lives(context: TestContext, at: string, mode: string, count: number): Promise<void> {
  const args = [MESSAGES, mode];
  return liveOn(context, { child: 'lists-child.ts', at, args, kills: count, steps: 6, delayMs: 12 });
}

/** What is in an INBOX, by subject. */
async function subjects(transfer: TestTransfer, address: string): Promise<string[]> {
  const inbox = await transfer.inbox(address);
  return inbox.map((text) => /^Subject: (.*)\r$/m.exec(text)?.[1] ?? '').sort();
}

const numbered = (list: string): string[] => Array.from({ length: MESSAGES }, (_, n) => `${list}${n}`);

/** What each of the people has. */
async function derived(context: TestContext, mode: string, count: number): Promise<string[][]> {
  const at = placeOf(context, 'lists');
  await lives(context, at, mode, count);
  const transfer = await TestTransfer.open({ at });
  try {
    const found: string[][] = [];
    for (let n = 0; n < PEOPLE; n++) {
      const inbox = await transfer.inbox(`p${n}@acme.example`);
      for (const text of inbox) assert.ok(text.endsWith('hello\r\nLeave by a word to us.\r\n'), text);
      found.push(await subjects(transfer, `p${n}@acme.example`));
    }
    return found;
  } finally {
    // Names each row of store and queue that is in no legal state.
    await transfer.close();
  }
}

const ALL = [...numbered('named'), ...numbered('found')].sort();

test(
  'what a list makes of a message reaches each member once, whenever the process is killed',
  LONG,
  async (context) => {
    for (const got of await derived(context, 'derive', kills(4))) assert.deepEqual(got, ALL);
  },
);

test('the test can fail: a message that is made in a transaction of its own is there twice', LONG, async (context) => {
  // Whether a kill meets the moment between the two transactions is chance: another world has another.
  for (let worlds = 1; ; worlds++) {
    const found = await derived(context, 'apart', 12);
    if (found.some((got) => got.length > ALL.length)) return;
    assert.ok(worlds < WORLDS_MAX, JSON.stringify(found[0]));
  }
});

test('what waits for a moderator is asked once and held over starts; the word counts once', LONG, async (context) => {
  const at = placeOf(context, 'lists');
  await lives(context, at, 'ask', kills(3));
  const waiting = await TestTransfer.open({ at });
  await waiting.start();
  // Whatever a start lets go has time to go.
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.deepEqual(
    waiting.queue().map(({ heldBy }) => heldBy),
    numbered('').map(() => 'moderation'),
  );
  const questions = await waiting.inbox('ann@acme.example');
  const about = questions.map((text) => /^Subject: (asked\d+)\r$/m.exec(text)?.[1]);
  assert.deepEqual(about.sort(), numbered('asked').sort());
  assert.deepEqual(await waiting.inbox('p0@acme.example'), []);
  await waiting.close();

  await lives(context, at, 'decide', kills(3));
  const decided = await TestTransfer.open({ at });
  try {
    const approved = numbered('asked').filter((_, n) => n % 2 === 0);
    for (let n = 0; n < PEOPLE; n++)
      assert.deepEqual(await subjects(decided, `p${n}@acme.example`), [...approved].sort(), `p${n}`);
    const reports = await decided.inbox('sam@acme.example');
    assert.equal(reports.length, MESSAGES - approved.length);
    for (const report of reports) assert.match(report, /^Status: 5\.7\.1\r$/m);
  } finally {
    await decided.close();
  }
});
