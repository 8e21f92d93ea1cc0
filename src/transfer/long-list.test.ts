// A long list with a text of its own: what it has made of a message is stored once, and the writer is asked a bounded number of times.
//
//   LIST_MEMBERS=100000 ./test/run src/transfer/long-list.test.ts    for the long form

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addDomain, addGroup, addUser, userDn } from '../provisioning/testing.ts';
import { TestTransfer } from './testing.ts';

const MEMBERS = Number(process.env['LIST_MEMBERS'] ?? 2000);
const LIST = 'all@acme.example';
/** Entries of one change. */
const AT_ONCE = 500;
/** A slice of 500 members is one; the rest is accepting, deriving, and what is kept in order behind them. */
const transactionsMax = (members: number): number => 2 * Math.ceil(members / 500) + 20;

const names = Array.from({ length: MEMBERS }, (_, n) => `u${n}@acme.example`);

test(`a list of ${MEMBERS} with a suffix is stored in one copy`, async (context) => {
  const transfer = await TestTransfer.open({ policy: { retryMs: [20], expireMs: 3_600_000 } });
  context.after(() => transfer.close());
  const { directory } = transfer;
  await directory.apply(addDomain('acme.example'));
  for (let at = 0; at < names.length; at += AT_ONCE)
    await directory.apply(...names.slice(at, at + AT_ONCE).map((name) => addUser(name)));
  await directory.apply(addGroup(LIST, names.map(userDn), { mgrpMsgSuffixText: 'Leave by a word to us.' }));
  await transfer.start();

  const transactions = new Map<string, number>();
  const execute = directory.writer.execute.bind(directory.writer);
  directory.writer.execute = (operation, ...rest) => {
    transactions.set(operation.name, (transactions.get(operation.name) ?? 0) + 1);
    return execute(operation, ...rest);
  };
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  await transfer.accept({ from: 'carol@remote.example', to: [LIST], text: 'Subject: hello\r\n\r\nhello\r\n' });
  // However long it takes.
  while (transfer.queue().length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const { user, system } = process.cpuUsage(cpu);
  const figures = { seconds: (performance.now() - began) / 1000, cpuSeconds: (user + system) / 1e6 };
  context.diagnostic(JSON.stringify({ ...figures, ...Object.fromEntries(transactions) }));

  const copies = directory.reader.all(
    'SELECT message, count(*) AS n, count(DISTINCT account) AS accounts FROM mailbox_message GROUP BY message',
  );
  assert.deepEqual(
    copies.map(({ n, accounts }) => [n, accounts]),
    [[MEMBERS, MEMBERS]],
  );
  const kept = directory.reader.get('SELECT count(*) AS n FROM message WHERE refs > 0');
  assert.equal(kept?.['n'], 1);
  const asked = [...transactions.values()].reduce((sum, n) => sum + n, 0);
  assert.ok(asked <= transactionsMax(MEMBERS), `${asked} transactions`);
  assert.match((await transfer.inbox(names.at(-1)!))[0]!, /\r\nhello\r\nLeave by a word to us\.\r\n$/);
});
