// One life of a transfer unit that releases held mail: killed by the test at any moment, begun again.
//
//   held-child.ts DIRECTORY PEOPLE MESSAGES   the first life holds so many messages for each of so many people, and lets the
//                                             domain go; a half of the people stays held by a status of their own
//
// Out     a line `step` for each operation that releases or delivers, `drained` at the end

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { addDomain, addUser, domainDn, replace, userDn } from '../../src/provisioning/testing.ts';
import { TestTransfer } from '../../src/transfer/testing.ts';

const [at, people, messages] = process.argv.slice(2) as [string, string, string];
const isFirst = !existsSync(join(at, 'store.db'));
const transfer = await TestTransfer.open({ at, policy: { retryMs: [1], expireMs: 86_400_000 } });
const names = Array.from({ length: Number(people) }, (_, n) => `p${n}@acme.example`);
const status = (mailUserStatus: string) =>
  transfer.directory.apply(
    ...names.filter((_, n) => n % 2 === 0).map((name) => replace(userDn(name), { mailUserStatus })),
  );
if (isFirst) {
  await transfer.directory.apply(
    addDomain('acme.example', { mailDomainStatus: 'hold' }),
    ...names.map((name) => addUser(name)),
  );
  await status('hold');
  for (let n = 0; n < Number(messages); n++)
    await transfer.accept({ from: '', to: names, text: `Subject: m${n}\r\n\r\nx\r\n` });
}
const execute = transfer.directory.writer.execute.bind(transfer.directory.writer);
transfer.directory.writer.execute = async (operation, ...rest) => {
  const result = await execute(operation, ...rest);
  if (operation.name === 'transfer.release' || operation.name === 'transfer.record') console.log('step');
  return result;
};
await transfer.start();
await transfer.directory.apply(replace(domainDn('acme.example'), { mailDomainStatus: 'active' }));
// Those that are held by themselves are held again, and then let go.
const waiting = () => transfer.queue().filter(({ waitsFor }) => waitsFor === null || waitsFor.startsWith('route'));
while (waiting().length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
await status('active');
while (transfer.queue().length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
await transfer.close();
console.log('drained');
