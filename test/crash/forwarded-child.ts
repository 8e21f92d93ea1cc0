// One life of a transfer unit that sends a user's mail on: killed by the test at any moment, begun again.
//
//   forwarded-child.ts DIRECTORY MESSAGES HOP     the first life brings so many messages in; each one delivers what is queued
//
// Out     a line `went` for each row that has gone, `drained` at the end

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { addDomain, addUser } from '../../src/provisioning/testing.ts';
import { TestTransfer } from '../../src/transfer/testing.ts';

const [at, messages, hop] = process.argv.slice(2) as [string, string, string];
const isFirst = !existsSync(join(at, 'store.db'));
const transfer = await TestTransfer.open({
  at,
  nextHop: { 'remote.example': hop },
  policy: { retryMs: [5], expireMs: 86_400_000 },
});
if (isFirst) {
  const onward = { mailDeliveryOption: ['mailbox', 'forward'], mailForwardingAddress: 'x@remote.example' };
  await transfer.directory.apply(addDomain('acme.example'), addUser('ann@acme.example', onward));
  for (let n = 0; n < Number(messages); n++)
    await transfer.accept({
      from: 'carol@other.example',
      to: ['ann@acme.example'],
      text: `Subject: n${n}.\r\n\r\nx\r\n`,
    });
}
await transfer.start();
let last = transfer.queue().length;
while (last > 0) {
  await new Promise((resolve) => setTimeout(resolve, 2));
  const left = transfer.queue().length;
  for (; last > left; last--) console.log('went');
}
await transfer.close();
console.log('drained');
