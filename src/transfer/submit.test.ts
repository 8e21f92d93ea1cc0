// Each recipient has its reply, whatever the door does with it; and what waits is resolved again as it was accepted.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { RECEIVED_MAX } from '../base/limits.ts';
import { silentLog } from '../base/log.ts';
import { operation } from '../database/operation.ts';
import { ANONYMOUS } from '../directory/caller.ts';
import { RemoteHost } from '../estate/remote-host.ts';
import { formatAddress } from '../message/address.ts';
import { addDomain, addGroup, addUser, domainDn, remove, replace, userDn } from '../provisioning/testing.ts';
import { replies } from '../routing/replies.ts';
import { retryAll } from './manage.ts';
import { refusalOf, type Submission, type Submitted } from './submit.ts';
import { addressOf, TestTransfer, type TestTransferOptions } from './testing.ts';

const TEXT = 'Subject: hello\r\n\r\nhello\r\n';

async function open(context: TestContext, options: TestTransferOptions = {}): Promise<TestTransfer> {
  const transfer = await TestTransfer.open(options);
  context.after(() => transfer.close());
  await transfer.directory.apply(addDomain('acme.example'), addUser('ann@acme.example'), addUser('bob@acme.example'));
  return transfer;
}

/** From Ann, by a door of strangers unless said otherwise. */
async function submit(
  transfer: TestTransfer,
  to: readonly string[],
  more: Partial<Submission> = {},
  text = TEXT,
): Promise<Submitted> {
  const sender = addressOf('ann@acme.example');
  const message = await transfer.take(sender, text);
  try {
    return await transfer.submit({
      envelope: { sender, recipients: to.map((one) => ({ address: addressOf(one), original: one })), body: '7BIT' },
      message,
      caller: ANONYMOUS,
      mayRelay: false,
      door: 'smtp',
      refused: 'report',
      ...more,
    });
  } finally {
    message.pending.settle();
  }
}

/** `recipient how code enhanced`, a line each. */
function said({ results }: Submitted): string[] {
  return results.map(
    ({ recipient, how, reply }) => `${formatAddress(recipient.address)} ${how} ${reply.code} ${reply.enhanced}`,
  );
}

const count = ({ directory }: TestTransfer, table: string): unknown =>
  directory.reader.get(`SELECT count(*) AS n FROM ${table}`)?.['n'];

test('each recipient has its reply, in order; those that are refused get a report to the sender', async (context) => {
  const transfer = await open(context);
  await transfer.directory.apply(
    addUser('cat@acme.example', { mailUserStatus: 'inactive' }),
    addGroup('all@acme.example', [userDn('bob@acme.example'), userDn('cat@acme.example')]),
  );
  const to = ['bob', 'nobody', 'cat', 'all'].map((name) => `${name}@acme.example`);
  const submitted = await submit(transfer, [...to, 'rex@remote.example']);
  assert.deepEqual(said(submitted), [
    'bob@acme.example delivered 250 2.1.5',
    'nobody@acme.example refused 550 5.1.1',
    'cat@acme.example refused 450 4.2.1',
    'all@acme.example queued 250 2.1.5',
    'rex@remote.example refused 550 5.7.1',
  ]);
  assert.equal(refusalOf(submitted.results), undefined);
  assert.deepEqual(
    transfer.queue().map(({ recipient, state }) => `${recipient} ${state}`),
    ['nobody@acme.example failed', 'cat@acme.example waiting', 'cat@acme.example waiting', 'rex@remote.example failed'],
  );
  assert.equal((await transfer.inbox('bob@acme.example')).length, 1, 'once, though the list names him, too');
});

test('a door that can say it to each recipient keeps nothing of those that are refused', async (context) => {
  const transfer = await open(context);
  await transfer.directory.apply(addUser('cat@acme.example', { mailUserStatus: 'inactive' }));
  const to = ['bob', 'nobody', 'cat'].map((name) => `${name}@acme.example`);
  const submitted = await submit(transfer, to, { door: 'lmtp', refused: 'return' });
  assert.deepEqual(said(submitted), [
    'bob@acme.example delivered 250 2.1.5',
    'nobody@acme.example refused 550 5.1.1',
    'cat@acme.example refused 450 4.2.1',
  ]);
  assert.deepEqual(transfer.queue(), []);
});

test('all are refused: nothing is kept, and the one reply says whether it may be tried again', async (context) => {
  const transfer = await open(context);
  await transfer.directory.apply(addUser('cat@acme.example', { mailUserStatus: 'inactive' }));
  const before = count(transfer, 'journey');
  const gone = await submit(transfer, ['nobody@acme.example', 'rex@remote.example']);
  assert.equal(refusalOf(gone.results)?.code, replies.noSuchUser.code);
  const later = await submit(transfer, ['nobody@acme.example', 'cat@acme.example']);
  assert.equal(refusalOf(later.results)?.code, replies.inactive.code);
  for (const table of ['queue', 'message']) assert.equal(count(transfer, table), 0, table);
  assert.equal(count(transfer, 'journey'), before);
});

test('what this program makes itself is kept though all are refused: no client gets the replies', async (context) => {
  const transfer = await open(context);
  const submitted = await submit(transfer, ['nobody@acme.example'], { door: 'internal' });
  assert.deepEqual(said(submitted), ['nobody@acme.example refused 550 5.1.1']);
  await transfer.start();
  await transfer.drained();
  const [report] = await transfer.inbox('ann@acme.example');
  assert.match(report ?? '', /^Final-Recipient: rfc822; nobody@acme\.example\r\n/m);
});

test('a message in a loop is refused to every recipient', async (context) => {
  const transfer = await open(context);
  const text = 'Received: from somewhere\r\n'.repeat(RECEIVED_MAX) + TEXT;
  const { results } = await submit(transfer, ['ann@acme.example', 'bob@acme.example'], {}, text);
  assert.deepEqual(
    results.map(({ how, reply }) => [how, reply.enhanced]),
    [
      ['refused', '5.4.6'],
      ['refused', '5.4.6'],
    ],
  );
  assert.equal(count(transfer, 'message'), 0);
});

test('a recipient that goes between its resolution and the transaction is not delivered to', async (context) => {
  const transfer = await open(context);
  const submitted = await submit(transfer, ['ann@acme.example', 'bob@acme.example'], {
    message: await slow(transfer),
  });
  assert.deepEqual(said(submitted), ['ann@acme.example delivered 250 2.1.5', 'bob@acme.example refused 550 5.1.1']);
});

/** A message that takes Bob away when it is looked at, which is before its recipients are resolved. */
async function slow(transfer: TestTransfer): Promise<Submission['message']> {
  const taken = await transfer.take(undefined, TEXT);
  const { parsed } = taken;
  return {
    ...taken,
    get parsed() {
      // Not done yet when the recipients are resolved, and before the message is accepted: operations go in order.
      void transfer.directory.apply(remove(userDn('bob@acme.example')));
      return parsed;
    },
  };
}

test('a domain that has become foreign: the sender might relay, or might not', async (context) => {
  const sink = await RemoteHost.start({});
  context.after(() => sink.close());
  const policy = { retryMs: [3_600_000], expireMs: 86_400_000 };
  const transfer = await open(context, { policy, nextHop: { 'b.example': sink.nextHop } });
  await transfer.directory.apply(
    addDomain('b.example'),
    addUser('cat@b.example', { mailUserStatus: 'inactive' }),
    addUser('dan@b.example', { mailUserStatus: 'inactive' }),
  );
  await submit(transfer, ['ann@acme.example', 'cat@b.example'], { mayRelay: true, door: 'submission' });
  await submit(transfer, ['ann@acme.example', 'dan@b.example']);
  await transfer.start();
  await transfer.until('both were tried', () => transfer.queue().every(({ attempts }) => attempts === 1));
  await transfer.directory.apply(
    remove(userDn('cat@b.example')),
    remove(userDn('dan@b.example')),
    replace(domainDn('b.example'), { objectClass: ['domain'] }),
  );
  await retryAll(transfer.directory.writer);
  await transfer.drained();
  assert.deepEqual(
    sink.messages.map(({ recipients }) => recipients),
    [['cat@b.example']],
  );
  const [, , report] = await transfer.inbox('ann@acme.example');
  assert.match(report ?? '', /^Final-Recipient: rfc822; dan@b\.example\r\nAction: failed\r\nStatus: 5\.7\.1\r\n/m);
});

test('a row that cannot be read waits, holds up no other, and the log says why', async (context) => {
  const errors: string[] = [];
  const log = { ...silentLog, error: (event: string) => void errors.push(event) };
  const transfer = await open(context, { policy: { retryMs: [3_600_000], expireMs: 86_400_000 }, log });
  await transfer.directory.apply(
    addUser('cat@acme.example', { mailUserStatus: 'inactive' }),
    addUser('dan@acme.example', { mailUserStatus: 'inactive' }),
  );
  await submit(transfer, ['ann@acme.example', 'cat@acme.example', 'dan@acme.example']);
  const spoil = operation('test.spoil', async (tx, _args: object) => {
    await tx.run("UPDATE queue SET options = '{}' WHERE recipient = 'cat@acme.example'");
  });
  await transfer.directory.writer.execute(spoil, {});
  assert.deepEqual(
    (await transfer.problems()).map((problem) => problem.split(':')[0]),
    ['options'],
  );
  await transfer.directory.apply(replace(userDn('dan@acme.example'), { mailUserStatus: 'active' }));
  await transfer.start();
  await transfer.until('the other is there', () => transfer.queue().length === 1);
  assert.equal((await transfer.inbox('dan@acme.example')).length, 1);
  assert.match(transfer.queue()[0]?.lastError ?? '', /^Internal error/);
  assert.deepEqual(errors, ['transfer.deliver']);
  await transfer.removeAll();
});

test('a mailbox that is not there now: the recipient is refused for now, and waits in the queue', async (context) => {
  const transfer = await open(context, { policy: { retryMs: [1], expireMs: 86_400_000 } });
  const hide = operation('test.hide', async (tx, args: { readonly from: string; readonly to: string }) => {
    await tx.run('UPDATE mailbox SET account = ? WHERE account = ?', args.to, args.from);
  });
  const account = String(transfer.directory.resolve('bob@acme.example').targets[0]?.options['account']);
  await transfer.directory.writer.execute(hide, { from: account, to: '999999' });
  const submitted = await submit(transfer, ['ann@acme.example', 'bob@acme.example']);
  assert.deepEqual(said(submitted), ['ann@acme.example delivered 250 2.1.5', 'bob@acme.example refused 450 4.3.0']);
  await transfer.start();
  await transfer.until('attempts', () => (transfer.queue()[0]?.attempts ?? 0) > 1);
  await transfer.directory.writer.execute(hide, { from: '999999', to: account });
  await transfer.drained();
  assert.equal((await transfer.inbox('bob@acme.example')).length, 1);
});
