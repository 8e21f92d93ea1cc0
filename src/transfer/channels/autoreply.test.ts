// The answer to a sender who takes no mail for now: it waits, since it is remembered as given.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addDomain, addUser, replace, userDn } from '../../provisioning/testing.ts';
import { TestTransfer } from '../testing.ts';

const ANN = 'ann@acme.example';
const DAN = 'dan@acme.example';

test('a sender who takes no mail for now gets the answer later', async (context) => {
  const transfer = await TestTransfer.open({ policy: { retryMs: [50], expireMs: 60_000 } });
  context.after(() => transfer.close());
  const away = { mailDeliveryOption: ['mailbox', 'autoreply'], mailAutoReplyText: 'I am away' };
  await transfer.directory.apply(addDomain('acme.example'), addUser(ANN, away), addUser(DAN));
  await transfer.directory.apply(replace(userDn(DAN), { mailUserStatus: ['inactive'] }));
  await transfer.start();
  const id = await transfer.accept({ from: DAN, to: [ANN], text: `To: ${ANN}\r\nSubject: hello\r\n\r\nhello\r\n` });
  await transfer.until('the answer', () => transfer.events(id).some((event) => event.startsWith('replied')));
  await transfer.directory.apply(replace(userDn(DAN), { mailUserStatus: ['active'] }));
  await transfer.drained();
  const [answer, ...more] = await transfer.inbox(DAN);
  assert.match(answer ?? '', /^Auto-Submitted: auto-replied\r$/m);
  assert.deepEqual(more, []);
});
