// Answers to senders: one who takes no mail for now gets it later, one who has had it lately gets no other.

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

test('a sender has had the answer lately: a second message gets none', async (context) => {
  const transfer = await TestTransfer.open();
  context.after(() => transfer.close());
  const away = { mailDeliveryOption: ['mailbox', 'autoreply'], mailAutoReplyText: 'I am away' };
  await transfer.directory.apply(addDomain('acme.example'), addUser(ANN, away), addUser(DAN));
  await transfer.start();
  for (const subject of ['one', 'two'])
    await transfer.accept({ from: DAN, to: [ANN], text: `To: ${ANN}\r\nSubject: ${subject}\r\n\r\nhello\r\n` });
  await transfer.drained();
  assert.equal((await transfer.inbox(ANN)).length, 2);
  assert.equal((await transfer.inbox(DAN)).length, 1);
});
