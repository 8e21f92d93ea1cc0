// What is recorded of a row that is not any more what the attempt was made for.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addDomain, addUser, replace, testSite, userDn } from '../provisioning/testing.ts';
import { storeChannel } from './channels/store.ts';
import { LOCAL_DELIVERY } from './local-delivery.ts';
import { type Outcome, outcome } from './outcome.ts';
import { recordOperation } from './record.ts';
import { TestTransfer } from './testing.ts';

test('local delivery of a row that has failed meanwhile delivers nothing, and the row keeps its report', async (context) => {
  const transfer = await TestTransfer.open();
  context.after(() => transfer.close());
  const { directory } = transfer;
  await directory.apply(addDomain('acme.example'), addUser('ann@acme.example'), addUser('bob@acme.example'));
  await directory.apply(replace(userDn('bob@acme.example'), { mailUserStatus: 'inactive' }));
  const to = ['ann@acme.example', 'bob@acme.example'];
  const message = await transfer.accept({ from: 'ann@acme.example', to, text: 'Subject: x\r\n\r\nx\r\n' });
  await directory.apply(replace(userDn('bob@acme.example'), { mailUserStatus: 'active' }));
  const [row] = transfer.queue();
  const record = recordOperation({ site: testSite, localChannels: new Map([['store', storeChannel]]) });
  const recordAs = (attempted: Outcome) =>
    directory.writer.execute(record, {
      message,
      written: { id: message, received: 0, sizeBytes: 20 },
      outcomes: [{ row: row!.id, recipient: row!.recipient, outcome: attempted }],
      timing: { retryMs: [20], expireMs: 60_000, now: 0, startedAt: 0 },
      at: 0,
    });
  assert.deepEqual(await recordAs(outcome('failed', '5.1.1', 'gone')), ['failed']);
  const byOperation = { name: LOCAL_DELIVERY, args: {} };
  assert.deepEqual(await recordAs({ ...outcome('delivered', '2.1.5', 'mailbox'), operation: byOperation }), ['failed']);
  assert.deepEqual(
    transfer.queue().map(({ state, lastError }) => [state, lastError]),
    [['failed', 'gone']],
  );
  assert.deepEqual(await transfer.inbox('bob@acme.example'), []);
});
