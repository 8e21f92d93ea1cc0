// Held mail, released in slices, and the process killed between and in them: everybody gets each message once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestTransfer } from '../../src/transfer/testing.ts';
import { kills } from '../support/kills.ts';
import { liveOn, placeOf } from './lives.ts';

const PEOPLE = 40;
const MESSAGES = 40;

test('held mail is released once, whenever the process is killed', { timeout: 600_000 }, async (context) => {
  const at = placeOf(context, 'held');
  await liveOn(context, { child: 'held-child.ts', at, args: [PEOPLE, MESSAGES], kills: kills(4), steps: 6 });

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
