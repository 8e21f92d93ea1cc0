// One life of a transfer unit that answers for a user who is away: killed by the test at any moment, begun again.
//
//   replied-child.ts DIRECTORY SENDERS [apart]     the first life brings in two messages of each sender
//
// `apart`  as it must not be: that a sender has been answered is written in a transaction of its own, behind the answer
// Out      a line `step` for each delivery of the channel, `drained` at the end

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Operation, operation } from '../../src/database/operation.ts';
import { addDomain, addUser } from '../../src/provisioning/testing.ts';
import { AutoreplyChannel } from '../../src/transfer/channels/autoreply.ts';
import type { Channel, Delivered, Delivery } from '../../src/transfer/channels/channel.ts';
import type { Outcome } from '../../src/transfer/outcome.ts';
import { TestTransfer } from '../../src/transfer/testing.ts';

const [at, senders, mode] = process.argv.slice(2) as [string, string, string | undefined];
const isFirst = !existsSync(join(at, 'store.db'));
const transfer = await TestTransfer.open({ at, policy: { retryMs: [1], expireMs: 86_400_000 } });
const { reader, writer } = transfer.directory;
if (isFirst) {
  const away = { mailDeliveryOption: ['mailbox', 'autoreply'], mailAutoReplyText: 'away' };
  await transfer.directory.apply(addDomain('acme.example'), addUser('ann@acme.example', away));
  for (let n = 0; n < Number(senders); n++) await transfer.directory.apply(addUser(`s${n}@acme.example`));
  const text = 'To: ann@acme.example\r\nSubject: x\r\n\r\nx\r\n';
  for (let round = 0; round < 2; round++)
    for (let n = 0; n < Number(senders); n++)
      await transfer.accept({ from: `s${n}@acme.example`, to: ['ann@acme.example'], text });
}

const remember: Operation<{ readonly sender: string }, void> = operation('test.remember', async (tx, { sender }) => {
  await tx.run("INSERT OR REPLACE INTO replied (tenant, account, sender, hash, at) VALUES (0, 0, ?, x'00', 0)", sender);
});

const answering = new AutoreplyChannel(transfer.autoreplyParts);
let written: Promise<void> = Promise.resolve();

async function deliver(delivery: Delivery): Promise<Delivered> {
  console.log('step');
  if (mode !== 'apart') return answering.deliver(delivery);
  await written;
  const { outcomes } = await answering.deliver(delivery);
  const senders: string[] = [];
  const apart = outcomes.map((outcome): Outcome => {
    const sender = String(outcome.operation?.args['sender']);
    if (reader.get('SELECT 1 FROM replied WHERE sender = ?', sender) !== undefined)
      return { ...outcome, operation: { ...outcome.operation!, args: { ignored: 'lately' } } };
    senders.push(sender);
    const { operation: _, ...rest } = outcome;
    return rest;
  });
  const release = (): void => {
    written = (async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      for (const sender of senders) await writer.execute(remember, { sender });
    })();
  };
  return { outcomes: apart, release };
}

const channel: Channel = { ...AutoreplyChannel.kind, recipientsMax: answering.recipientsMax, deliver };
await transfer.start({ channels: [channel] });
while (transfer.queue().length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
await written;
await transfer.close();
console.log('drained');
