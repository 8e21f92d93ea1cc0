// One life of a transfer unit with lists that make a message of their own, or ask a moderator: killed by the test at any
// moment, begun again.
//
//   lists-child.ts DIRECTORY MESSAGES derive|apart|ask|decide
//
// derive   the first life brings in so many messages for either list of all people; ends with an empty queue
// apart    as it must not be: what the list has made is accepted in a transaction of its own, before the outcome is
// ask      the first life brings in so many for a moderated list; ends when all of them are held
// decide   every life says a word about each of them, to even ones yes; ends with an empty queue
// Out      a line `step` for each delivery of the channel, `drained` at the end

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { addDomain, addGroup, addUser, userDn } from '../../src/provisioning/testing.ts';
import type { Channel } from '../../src/transfer/channels/channel.ts';
import { ListChannel } from '../../src/transfer/channels/list.ts';
import { TestTransfer } from '../../src/transfer/testing.ts';

const PEOPLE = 20;

const [at, messages, mode] = process.argv.slice(2) as [string, string, 'derive' | 'apart' | 'ask' | 'decide'];
const isFirst = !existsSync(join(at, 'store.db'));
const transfer = await TestTransfer.open({ at, policy: { retryMs: [1], expireMs: 86_400_000 } });
if (isFirst) await begin();

const lists = new ListChannel(transfer.autoreplyParts);
const channel: Channel = {
  ...ListChannel.kind,
  recipientsMax: lists.recipientsMax,
  async deliver(delivery) {
    console.log('step');
    const delivered = await lists.deliver(delivery);
    if (mode !== 'apart') return delivered;
    const outcomes = [];
    for (const { messages: made = [], ...outcome } of delivered.outcomes) {
      for (const submission of made) {
        await transfer.submit(submission);
        submission.message.pending.settle();
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
      outcomes.push(outcome);
    }
    return { ...delivered, outcomes };
  },
};
await transfer.start({ channels: [channel] });
if (mode === 'decide') await decide();
const isOver = (): boolean => {
  const rows = transfer.queue();
  return mode === 'ask' ? rows.every(({ heldBy }) => heldBy === 'moderation') : rows.length === 0;
};
while (!isOver()) await new Promise((resolve) => setTimeout(resolve, 5));
await transfer.close();
console.log('drained');

async function begin(): Promise<void> {
  const people = Array.from({ length: PEOPLE }, (_, n) => `p${n}@acme.example`);
  const text = { mgrpMsgSuffixText: 'Leave by a word to us.' };
  await transfer.directory.apply(
    addDomain('acme.example'),
    ...['ann@acme.example', 'sam@acme.example', ...people].map((name) => addUser(name)),
    addGroup('named@acme.example', people.map(userDn), text),
    addGroup('found@acme.example', [], {
      ...text,
      memberURL: 'ldap:///ou=People,dc=acme,dc=example,o=internet??sub?(uid=p*)',
    }),
    addGroup('asked@acme.example', people.map(userDn), { mgrpModerator: 'ann@acme.example' }),
  );
  const to = mode === 'ask' ? ['asked@acme.example'] : ['named@acme.example', 'found@acme.example'];
  for (let n = 0; n < Number(messages); n++)
    for (const list of to)
      await transfer.accept({
        from: 'sam@acme.example',
        to: [list],
        text: `Subject: ${list.slice(0, 5)}${n}\r\n\r\nhello\r\n`,
      });
}

async function decide(): Promise<void> {
  for (const question of await transfer.inbox('ann@acme.example')) {
    const number = /^Subject: asked(\d+)\r$/m.exec(question)?.[1];
    // An answer to a word of an earlier life.
    if (number === undefined) continue;
    const [approve, refuse] = [...question.matchAll(/^ {4}(\S+)\r$/gm)].map((match) => match[1]!);
    const to = Number(number) % 2 === 0 ? approve! : refuse!;
    await transfer.accept({ from: 'ann@acme.example', to: [to], text: 'Subject: re\r\n\r\nx\r\n' });
  }
}
