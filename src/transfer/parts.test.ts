// One of several delivery options that waits: whatever becomes of its entry meanwhile, it has the message once, and others not again.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { operation } from '../database/operation.ts';
import { RemoteHost } from '../estate/remote-host.ts';
import { addDomain, addGroup, addUser, domainDn, replace, userDn } from '../provisioning/testing.ts';
import { rerouteRows } from './hold.ts';
import { TestTransfer } from './testing.ts';

const TEXT = 'Subject: x\r\n\r\nx\r\n';
const ANN = 'ann@acme.example';
const DAN = 'dan@acme.example';
const WRITER = 'x@remote.example';

const ofAnn = (values: Record<string, string | string[]>) => replace(userDn(ANN), values);

async function open(context: TestContext): Promise<TestTransfer> {
  const transfer = await TestTransfer.open({ policy: { retryMs: [50], expireMs: 60_000 } });
  context.after(() => transfer.close({ isSpoiled: true }));
  await transfer.directory.apply(addDomain('acme.example'), addUser(ANN), addUser(DAN));
  await transfer.start();
  return transfer;
}

const isEmpty = (transfer: TestTransfer) => () => transfer.queue().length === 0;
const isHeld = (transfer: TestTransfer) => () => transfer.queue().every(({ state }) => state === 'held');

const ways = [
  { name: 'her status is hold', away: ofAnn({ mailUserStatus: 'hold' }), back: ofAnn({ mailUserStatus: 'active' }) },
  {
    name: 'the status of her domain is hold',
    away: replace(domainDn('acme.example'), { mailDomainStatus: 'hold' }),
    back: replace(domainDn('acme.example'), { mailDomainStatus: 'active' }),
  },
  { name: 'the file is all she has', away: ofAnn({ mailDeliveryOption: ['file'] }), back: undefined },
];

for (const { name, away, back } of ways)
  test(`a file that waits gets the message, though meanwhile ${name}`, async (context) => {
    const transfer = await open(context);
    const path = join(transfer.filesPath, 'acme.example', 'box');
    mkdirSync(path, { recursive: true });
    await transfer.directory.apply(ofAnn({ mailDeliveryOption: ['mailbox', 'file'], mailDeliveryFileURL: 'box' }));
    await transfer.accept({ from: DAN, to: [ANN], text: TEXT });
    await transfer.until('it is tried', () => transfer.queue().some(({ attempts }) => attempts > 0));
    const { attempts } = transfer.queue()[0]!;
    await transfer.directory.apply(away);
    if (back === undefined)
      await transfer.until('it is tried again', () => transfer.queue().every((row) => row.attempts > attempts + 1));
    else await transfer.until('it is held', isHeld(transfer));
    assert.equal(transfer.queue().length, 1);
    rmdirSync(path);
    if (back !== undefined) await transfer.directory.apply(back);
    await transfer.until('the queue is empty', isEmpty(transfer));
    assert.equal(readFileSync(path, 'utf8').match(/^From /gm)?.length, 1);
    await transfer.directory.apply(ofAnn({ mailDeliveryOption: ['mailbox'] }));
    assert.equal((await transfer.inbox(ANN)).length, 1);
  });

/** Her mailbox is full, and the message has been sent on to dan. */
async function full(context: TestContext): Promise<TestTransfer> {
  const transfer = await open(context);
  await transfer.directory.apply(
    ofAnn({ mailQuota: '10', mailDeliveryOption: ['mailbox', 'forward'], mailForwardingAddress: [DAN] }),
  );
  await transfer.accept({ from: WRITER, to: [ANN], text: TEXT });
  await transfer.until('it is sent on', async () => (await transfer.inbox(DAN)).length === 1);
  await transfer.until('her mailbox waits', () => transfer.queue().some(({ attempts }) => attempts > 0));
  assert.equal(transfer.queue().length, 1);
  return transfer;
}

test('a mailbox that is full and is then no option any more sends nothing on again', async (context) => {
  const transfer = await full(context);
  await transfer.directory.apply(ofAnn({ mailDeliveryOption: ['forward'] }));
  await transfer.until('the queue is empty', isEmpty(transfer));
  assert.equal((await transfer.inbox(DAN)).length, 1);
});

for (const option of ['program', 'file'])
  test(`a mailbox that is full is not replaced by a ${option}`, async (context) => {
    const transfer = await full(context);
    await transfer.directory.apply(
      ofAnn({ mailDeliveryOption: [option], mailDeliveryFileURL: 'box', mailProgramDeliveryInfo: 'none' }),
    );
    await transfer.until('the queue is empty', isEmpty(transfer));
    assert.equal((await transfer.inbox(DAN)).length, 1);
  });

test('a mailbox that is full, and held, and released gets it; nothing is sent on again', async (context) => {
  const transfer = await full(context);
  await transfer.directory.apply(ofAnn({ mailUserStatus: 'hold' }));
  await transfer.until('it is held', isHeld(transfer));
  assert.equal(transfer.queue().length, 1);
  await transfer.directory.apply(ofAnn({ mailUserStatus: 'active', mailQuota: '-1' }));
  await transfer.until('the queue is empty', isEmpty(transfer));
  assert.equal((await transfer.inbox(ANN)).length, 1);
  assert.equal((await transfer.inbox(DAN)).length, 1);
});

test('a mailbox that waits gets it when it is the only option', async (context) => {
  const transfer = await full(context);
  await transfer.directory.apply(ofAnn({ mailDeliveryOption: ['mailbox'], mailQuota: '-1' }));
  await transfer.until('the queue is empty', isEmpty(transfer));
  assert.equal((await transfer.inbox(ANN)).length, 1);
  assert.equal((await transfer.inbox(DAN)).length, 1);
});

/** Mail waits for the one mailbox that she has. */
const waitsForHer = {
  'is full': { away: ofAnn({ mailQuota: '10' }), back: { mailQuota: '-1' } },
  'is full and then held': {
    away: ofAnn({ mailQuota: '10' }),
    meanwhile: ofAnn({ mailUserStatus: 'hold' }),
    back: { mailQuota: '-1', mailUserStatus: 'active' },
  },
  'is held by her status': { away: ofAnn({ mailUserStatus: 'hold' }), back: { mailUserStatus: 'active' } },
};

for (const [how, { away, back, ...more }] of Object.entries(waitsForHer)) {
  const waiting = async (context: TestContext) => {
    const transfer = await open(context);
    await transfer.directory.apply(away);
    // Two of them: who is refused alone is told at the dot.
    await transfer.accept({ from: WRITER, to: [ANN, DAN], text: TEXT });
    await transfer.until('it waits', () => transfer.queue().length === 1);
    if (!('meanwhile' in more)) return transfer;
    await transfer.until('it is tried', () => transfer.queue().every(({ attempts }) => attempts > 0));
    await transfer.directory.apply(more.meanwhile!);
    await transfer.until('it is held', isHeld(transfer));
    return transfer;
  };

  test(`an option that comes while mail waits for a mailbox that ${how} gets the next message, not that`, async (context) => {
    const transfer = await waiting(context);
    const options = { mailDeliveryOption: ['mailbox', 'forward'], mailForwardingAddress: [DAN] };
    await transfer.directory.apply(ofAnn({ ...options, ...back }));
    await transfer.until('the queue is empty', isEmpty(transfer));
    assert.equal((await transfer.inbox(ANN)).length, 1);
    assert.equal((await transfer.inbox(DAN)).length, 1, 'his own');
    await transfer.accept({ from: WRITER, to: [ANN], text: TEXT });
    await transfer.until('the queue is empty', isEmpty(transfer));
    assert.equal((await transfer.inbox(DAN)).length, 2);
  });

  test(`an option in the place of a mailbox that ${how} gets what waits for that`, async (context) => {
    const transfer = await waiting(context);
    await transfer.directory.apply(
      addUser('eve@acme.example'),
      ofAnn({ mailDeliveryOption: ['forward'], mailForwardingAddress: ['eve@acme.example'], ...back }),
    );
    await transfer.until('the queue is empty', isEmpty(transfer));
    assert.equal((await transfer.inbox('eve@acme.example')).length, 1);
    assert.equal((await transfer.inbox(DAN)).length, 1, 'his own');
  });
}

test('parts that are held together are released as those parts', async (context) => {
  const transfer = await open(context);
  const path = join(transfer.filesPath, 'acme.example', 'box');
  mkdirSync(path, { recursive: true });
  await transfer.directory.apply(
    ofAnn({
      mailQuota: '10',
      mailDeliveryOption: ['mailbox', 'forward', 'file'],
      mailForwardingAddress: [DAN],
      mailDeliveryFileURL: 'box',
    }),
  );
  await transfer.accept({ from: WRITER, to: [ANN], text: TEXT });
  await transfer.until('both are tried', () => transfer.queue().filter(({ attempts }) => attempts > 0).length === 2);
  await transfer.directory.apply(ofAnn({ mailUserStatus: 'hold' }));
  await transfer.until('both are held', isHeld(transfer));
  assert.equal(transfer.queue().length, 2);
  rmdirSync(path);
  await transfer.directory.apply(ofAnn({ mailUserStatus: 'active', mailQuota: '-1' }));
  await transfer.until('the queue is empty', isEmpty(transfer));
  assert.equal((await transfer.inbox(ANN)).length, 1);
  assert.equal((await transfer.inbox(DAN)).length, 1);
  assert.equal(readFileSync(path, 'utf8').match(/^From /gm)?.length, 1);
});

/** Takes mailboxes away from an account, or gives them back: nothing can be said of one that has none. */
const moveMailboxes = operation('test.moveMailboxes', async (tx, { from, to }: { from: number; to: number }) => {
  await tx.run('UPDATE mailbox SET account = ? WHERE account = ?', to, from);
});

test('a shared mailbox that cannot be reached for a while gets the message of a user who names it', async (context) => {
  const transfer = await open(context);
  await transfer.directory.apply(
    addUser('bob@acme.example'),
    addGroup('team@acme.example', [userDn('bob@acme.example')], { mailDeliveryOption: ['members', 'shared'] }),
    ofAnn({ mailDeliveryOption: ['mailbox', 'shared'], waypostSharedMailbox: ['team@acme.example'] }),
  );
  const shared = transfer.directory.resolve(ANN).targets.find(({ options: own }) => own['part'] === 'shared')!;
  const account = Number(shared.options['account']);
  const { writer } = transfer.directory;
  await writer.execute(moveMailboxes, { from: account, to: account + 1000 });
  const id = await transfer.accept({ from: WRITER, to: [ANN], text: TEXT });
  await transfer.until('it is tried', () => transfer.queue().some(({ attempts }) => attempts > 0));
  await writer.execute(moveMailboxes, { from: account + 1000, to: account });
  await transfer.until('the queue is empty', isEmpty(transfer));
  assert.deepEqual(
    transfer.events(id).filter((event) => event.startsWith('removed')),
    [],
  );
  await transfer.directory.apply(ofAnn({ mailDeliveryOption: ['shared'] }));
  assert.equal((await transfer.inbox(ANN)).length, 1);
  assert.equal((await transfer.inbox('bob@acme.example')).length, 0);
});

test('what is sent on says by whom, though its way is looked up again', async (context) => {
  const sink = await RemoteHost.start({ rcpt: '451 4.2.1 later' });
  const transfer = await TestTransfer.open({
    nextHop: { 'remote.example': sink.nextHop },
    policy: { retryMs: [3_600_000], expireMs: 86_400_000 },
  });
  context.after(async () => {
    await transfer.close({ isSpoiled: true });
    await sink.close();
  });
  await transfer.directory.apply(
    addDomain('acme.example'),
    addUser(ANN, { mailDeliveryOption: ['forward'], mailForwardingAddress: ['rex@remote.example'] }),
    addUser(DAN),
  );
  await transfer.start();
  await transfer.accept({ from: DAN, to: [ANN], text: TEXT });
  const isTried = () => transfer.queue().some(({ channel, attempts }) => channel === 'smtp' && attempts > 0);
  await transfer.until('it is tried', isTried);
  sink.script = {};
  const rows = transfer.queue().map(({ id }) => id);
  await transfer.directory.writer.execute(rerouteRows, { rows, at: Date.now() });
  await transfer.until('the queue is empty', isEmpty(transfer));
  assert.equal(sink.messages.length, 1);
  assert.ok(String(sink.messages[0]!.data).includes(`Delivered-To: ${ANN}`));
});

test('a list that writes something under a message sends it on once', async (context) => {
  const transfer = await open(context);
  await transfer.directory.apply(
    addGroup('news@acme.example', [userDn(ANN)], {
      mgrpMsgSuffixText: 'bye',
      mailDeliveryOption: ['members', 'forward'],
      mailForwardingAddress: DAN,
    }),
  );
  await transfer.accept({ from: WRITER, to: ['news@acme.example'], text: TEXT });
  await transfer.until('the queue is empty', isEmpty(transfer));
  assert.equal((await transfer.inbox(ANN)).length, 1);
  assert.equal((await transfer.inbox(DAN)).length, 1);
});

test('a member who sends on to a list with other options has its file written once, whatever the list makes of the message', async (context) => {
  for (const more of [{}, { mgrpMsgSuffixText: 'Bye' }]) {
    const transfer = await open(context);
    await transfer.directory.apply(
      ofAnn({ mailDeliveryOption: ['mailbox', 'forward'], mailForwardingAddress: 'list@acme.example' }),
      addGroup('list@acme.example', [userDn(ANN)], {
        mailDeliveryOption: ['members', 'file'],
        mailDeliveryFileURL: 'box',
        ...more,
      }),
    );
    await transfer.accept({ from: WRITER, to: ['list@acme.example'], text: TEXT });
    await transfer.until('an empty queue', isEmpty(transfer));
    const text = readFileSync(join(transfer.filesPath, 'acme.example/box'), 'latin1');
    assert.equal(text.split('\nSubject: x\n').length - 1, 1, JSON.stringify(more));
    assert.equal((await transfer.inbox(ANN)).length, 1);
  }
});
