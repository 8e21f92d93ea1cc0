// Reports of a success, of a delay and of failures, and the process killed between and in them: each is made once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestTransfer } from '../../src/transfer/testing.ts';
import { kills } from '../support/kills.ts';
import { liveOn, placeOf } from './lives.ts';

const MESSAGES = 60;
const KILLS = kills(4);

test('a report is made once, whenever the process is killed', { timeout: 600_000 }, async (context) => {
  const at = placeOf(context, 'reports');
  const steps = (MESSAGES * 12) / KILLS;
  await liveOn(context, { child: 'reports-child.ts', at, args: [MESSAGES], kills: KILLS, steps });

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
