// One life of a transfer unit that reports successes, delays and failures: killed by the test at any moment, begun again.
//
//   reports-child.ts DIRECTORY MESSAGES     the first life brings so many messages in; each one works on what is queued
//
// Out     a line `step` for each delivery to another host, `drained` at the end

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ANONYMOUS } from '../../src/directory/caller.ts';
import { addDomain, addUser } from '../../src/provisioning/testing.ts';
import type { Channel } from '../../src/transfer/channels/channel.ts';
import { SmtpChannel } from '../../src/transfer/channels/smtp.ts';
import { addressOf, TestTransfer } from '../../src/transfer/testing.ts';

const [at, messages] = process.argv.slice(2) as [string, string];
const isFirst = !existsSync(join(at, 'store.db'));
const policy = { retryMs: [50], delaysMs: [1], expireMs: 86_400_000 };
const transfer = await TestTransfer.open({ at, policy, deliveriesMax: 5 });
if (isFirst) {
  await transfer.directory.apply(addDomain('acme.example'), addUser('ann@acme.example'), addUser('bob@acme.example'));
  for (let n = 0; n < Number(messages); n++) {
    const sender = addressOf('ann@acme.example');
    const message = await transfer.take(sender, `Message-ID: <m${n}@acme.example>\r\n\r\nx\r\n`);
    const recipients = [
      { address: addressOf('bob@acme.example'), notify: ['SUCCESS'] as const },
      { address: addressOf('nobody@acme.example') },
      { address: addressOf('rex@remote.example') },
    ];
    await transfer.submit({
      envelope: { sender, recipients, body: '7BIT' },
      message,
      caller: ANONYMOUS,
      mayRelay: true,
      door: 'submission',
      refused: 'report',
    });
    message.pending.settle();
  }
}

/** Whether a report of its delay is made; however slow the machine is, it fails no sooner. */
function isDelayTold(row: number): boolean {
  return Number(transfer.directory.reader.get('SELECT delays FROM queue WHERE id = ?', row)?.['delays']) > 0;
}

/** Each recipient waits for a report of it, and fails. */
const failing: Channel = {
  name: SmtpChannel.kind.name,
  isLocal: false,
  recipientsMax: 1,
  deliver: async ({ rows }) => {
    console.log('step');
    const outcome =
      rows[0]!.attempts < 12 || !isDelayTold(rows[0]!.id)
        ? ({ result: 'deferred', status: '4.2.1', words: 'later' } as const)
        : ({ result: 'failed', status: '5.1.1', words: 'no' } as const);
    return { outcomes: [outcome] };
  },
};
await transfer.start({ channels: [failing] });
while (transfer.queue().length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
await transfer.close();
console.log('drained');
