// A channel that makes mail, killed in two hundred deliveries: what it makes exists once, with the outcome that it stands in.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestTransfer } from '../../src/transfer/testing.ts';
import { kills } from '../support/kills.ts';
import { liveOn, placeOf } from './lives.ts';

const MESSAGES = 200;
const KILLS = kills(4);

test(`mail that a channel makes exists once, whenever the process is killed`, { timeout: 600_000 }, async (context) => {
  const at = placeOf(context, 'made-mail');
  await liveOn(context, { child: 'made-mail-child.ts', at, args: [MESSAGES], kills: KILLS, steps: MESSAGES / KILLS });

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
