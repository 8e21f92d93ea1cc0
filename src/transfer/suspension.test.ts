// Suspended senders: what waits, is held by routing or for moderators goes nowhere until they are suspended no more.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { RemoteHost } from '../estate/remote-host.ts';
import { addDomain, addGroup, addUser, remove, replace, userDn } from '../provisioning/testing.ts';
import { queueRow } from './queue.ts';
import { Suspension } from './suspension.ts';
import { TestTransfer } from './testing.ts';

const ANN = 'ann@acme.example';
const BOB = 'bob@acme.example';
const CAT = 'cat@acme.example';
const REX = 'rex@remote.example';
const TEXT = 'Subject: x\r\n\r\nhello\r\n';

async function open(context: TestContext) {
  const sink = await RemoteHost.start();
  const policy = { retryMs: [3_600_000], expireMs: 86_400_000 };
  const transfer = await TestTransfer.open({ nextHop: { 'remote.example': sink.nextHop }, policy });
  context.after(async () => {
    await transfer.close();
    await sink.close();
  });
  await transfer.directory.apply(addDomain('acme.example'), addUser(ANN), addUser(BOB), addUser(CAT));
  const setOf = (user: string, attributes: Record<string, string | string[]>) =>
    transfer.directory.apply(replace(userDn(user), attributes));
  const suspend = (status: string | string[] = 'suspended') => setOf(ANN, { waypostSubmitStatus: status });
  const send = (to: string, from = ANN) => transfer.accept({ from, to: [to], text: TEXT });
  const isHeldBy = (by: string, to: string) =>
    transfer.until(`held by ${by}`, () =>
      transfer.queue().some(({ recipient, heldBy }) => recipient === to && heldBy === by),
    );
  return { sink, transfer, setOf, suspend, send, isHeldBy };
}

test('what an earlier run was not told of is held before anything is sent', async (context) => {
  const { sink, transfer, suspend, send } = await open(context);
  await send(REX);
  await suspend();
  await send('roy@remote.example', BOB);
  await transfer.start();
  await transfer.until('the other one has gone', () => sink.messages.length > 0 && transfer.queue().length < 2);
  assert.deepEqual(
    transfer.queue().map(({ recipient, heldBy }) => [recipient, heldBy]),
    [[REX, 'suspended']],
  );
  assert.equal(sink.messages.length, 1);
});

test('before the queue has been looked through, what is about to be sent is looked at, and no more of it', async (context) => {
  const { transfer, suspend, send } = await open(context);
  for (const to of [REX, 'roy@remote.example', 'ria@remote.example']) await send(to);
  await send('rob@remote.example', BOB);
  await suspend();
  const { reader, writer, cache } = transfer.directory;
  const parts = { reader, writer, routing: cache, site: cache.site, log: silentLog, clock: systemClock };
  const suspension = new Suspension(parts);
  const [first, , , last] = reader.all('SELECT * FROM queue ORDER BY id').map(queueRow);
  assert.deepEqual(await suspension.free([first!, last!]), [last]);
  const held = (): unknown[] => transfer.queue().map(({ heldBy }) => heldBy);
  assert.deepEqual(held(), ['suspended', null, null, null]);
  assert.equal(suspension.isThrough, false);
  suspension.start();
  await transfer.until('the queue is looked through', () => suspension.isThrough);
  await suspension.stop();
  assert.deepEqual(held(), ['suspended', 'suspended', 'suspended', null]);
  assert.deepEqual(await suspension.free([first!]), [first], 'from then on nobody is asked');
});

test('what routing holds is held on when what it waits for comes; released, it is resolved again', async (context) => {
  const { transfer, setOf, suspend, send, isHeldBy } = await open(context);
  await transfer.start();
  await setOf(BOB, { mailUserStatus: 'hold' });
  const message = await send(BOB);
  await isHeldBy('routing', BOB);
  await suspend();
  await isHeldBy('suspended', BOB);
  await setOf(BOB, { mailUserStatus: 'active' });
  // What comes now goes, so that all that was released has been picked.
  await send(CAT, BOB);
  await transfer.until('the other one', async () => (await transfer.inbox(CAT)).length === 1);
  assert.deepEqual(await transfer.inbox(BOB), []);
  await suspend([]);
  await transfer.drained();
  assert.equal((await transfer.inbox(BOB)).length, 1);
  const events = transfer.events(message);
  assert.ok(events.indexOf(`held ${BOB}`) < events.indexOf(`released ${BOB}`), events.join());
});

test('what a moderator approves is held while its sender is suspended', async (context) => {
  const { transfer, suspend, send, isHeldBy } = await open(context);
  const list = 'news@acme.example';
  await transfer.directory.apply(addGroup(list, [userDn(BOB)], { mgrpModerator: CAT }));
  await transfer.start();
  await send(list);
  await isHeldBy('moderation', list);
  await transfer.until('the question', async () => (await transfer.inbox(CAT)).length === 1);
  const [question] = await transfer.inbox(CAT);
  await suspend();
  await send(/^ {4}(\S+)\r$/m.exec(question!)![1]!, CAT);
  await isHeldBy('suspended', list);
  assert.deepEqual(await transfer.inbox(BOB), []);
  await suspend([]);
  await transfer.drained();
  assert.equal((await transfer.inbox(BOB)).length, 1);
});

test('a suspended user is removed: what was held comes back with 5.7.1 to who has sent it, replies go, and nothing is held any more', async (context) => {
  const { sink, transfer, setOf, suspend, send, isHeldBy } = await open(context);
  await transfer.start();
  await setOf(ANN, {
    mailDeliveryOption: ['mailbox', 'forward', 'autoreply'],
    mailForwardingAddress: [REX],
    mailAutoReplyText: ['away'],
  });
  await suspend();
  await send(ANN, BOB);
  await isHeldBy('suspended', REX);
  await transfer.directory.apply(remove(userDn(ANN)));
  await transfer.drained();
  const [report, ...more] = await transfer.inbox(BOB);
  assert.match(report ?? '', /^Action: failed\r\nStatus: 5\.7\.1\r\n/m);
  assert.deepEqual([more, sink.messages], [[], []]);
});
