// One life of a transfer unit whose channel answers every message: killed by the test at any moment, begun again.
//
//   made-mail-child.ts DIRECTORY MESSAGES     the first life brings so many messages in; each one delivers what is queued
//
// Out     a line `step` for each delivery, `drained` at the end

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { addDomain, addUser } from '../../src/provisioning/testing.ts';
import { SmtpChannel } from '../../src/transfer/channels/smtp.ts';
import { AnsweringChannel } from '../../src/transfer/channels/testing.ts';
import { TestTransfer } from '../../src/transfer/testing.ts';

const [at, messages] = process.argv.slice(2) as [string, string];
const isFirst = !existsSync(join(at, 'store.db'));
const transfer = await TestTransfer.open({ at, policy: { retryMs: [1], expireMs: 86_400_000 }, deliveriesMax: 5 });
if (isFirst) {
  await transfer.directory.apply(addDomain('acme.example'), addUser('ann@acme.example'));
  const text = 'Subject: x\r\n\r\nx\r\n';
  for (let n = 0; n < Number(messages); n++)
    await transfer.accept({ from: 'ann@acme.example', to: [`r${n}@d${n % 7}.example`], text });
}
const channel = new AnsweringChannel({
  name: SmtpChannel.kind.name,
  take: (from, text) => transfer.take(from, text),
  outcome: () => {
    console.log('step');
    return { result: 'delivered', status: '2.0.0', words: 'taken' };
  },
});
await transfer.start({ channels: [channel] });
while (transfer.queue().length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
await transfer.close();
console.log('drained');
