// What is queued goes out, is tried again, comes back, and nothing of it is lost or done twice: against scripted hosts.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { freePort } from '../../test/support/free-ports.ts';
import type { QueueRowId } from '../base/ids.ts';
import { operation } from '../database/operation.ts';
import { RemoteHost } from '../estate/remote-host.ts';
import { CLOSE, type RemoteHostScript } from '../estate/remote-script.ts';
import { addDomain, addGroup, addUser, remove, replace, userDn } from '../provisioning/testing.ts';
import { removeRows, retryAll, retryRows } from './manage.ts';
import { TestTransfer, type TestTransferOptions } from './testing.ts';

const TEXT = 'From: ann@acme.example\r\nMessage-ID: <one@acme.example>\r\nSubject: hello\r\n\r\nhello\r\n';

/** acme.example with ann and bob is ours; remote.example is the sink's. */
async function open(context: TestContext, script: RemoteHostScript = {}, options: TestTransferOptions = {}) {
  // It may be ended, and started again where it was.
  const sink = await RemoteHost.start(script, '127.0.0.2', await freePort());
  const transfer = await TestTransfer.open({ nextHop: { 'remote.example': sink.nextHop }, ...options });
  await transfer.directory.apply(addDomain('acme.example'), addUser('ann@acme.example'), addUser('bob@acme.example'));
  context.after(async () => {
    await transfer.close();
    await sink.close();
  });
  return { sink, transfer };
}

const toRemote = (...names: readonly string[]) => ({
  from: 'ann@acme.example',
  to: names.map((name) => `${name}@remote.example`),
  text: TEXT,
});

test('a message for another host goes there, once, without our Return-Path line', async (context) => {
  const { sink, transfer } = await open(context);
  await transfer.start();
  const message = await transfer.accept(toRemote('rex'));
  await transfer.drained();
  assert.equal(sink.messages.length, 1);
  const [sunk] = sink.messages;
  assert.equal(sunk?.sender, 'ann@acme.example');
  assert.deepEqual(sunk?.recipients, ['rex@remote.example']);
  assert.equal(sunk?.data, `Received: from test\r\n${TEXT}`);
  assert.deepEqual(transfer.events(message), [
    'accepted rex@remote.example',
    'queued rex@remote.example',
    'relayed rex@remote.example',
  ]);
  assert.equal(transfer.counts.get('smtp delivered'), 1);
  // No row refers to it any more.
  assert.equal(transfer.directory.reader.get('SELECT count(*) AS n FROM message')?.['n'], 0);
});

test('recipients at one destination share a transaction, a hundred at most', async (context) => {
  const { sink, transfer } = await open(context);
  await transfer.start();
  await transfer.accept(toRemote(...Array.from({ length: 150 }, (_, i) => `r${i}`)));
  await transfer.drained();
  assert.deepEqual(sink.messages.map(({ recipients }) => recipients.length).sort(), [100, 50]);
});

test('each recipient has its own end: taken, put off, refused', async (context) => {
  let isFull = true;
  const rcpt = (address: string): string => {
    if (address.startsWith('no')) return '550 5.1.1 no such user';
    return address.startsWith('later') && isFull ? '452 4.2.2 full' : '250 2.1.5 ok';
  };
  const { sink, transfer } = await open(context, { rcpt });
  await transfer.start();
  const message = await transfer.accept(toRemote('yes', 'later', 'no'));
  await transfer.until('one row is left', () => transfer.queue().length === 1);
  const [row] = transfer.queue();
  assert.equal(row?.recipient, 'later@remote.example');
  assert.match(row?.lastError ?? '', /^127\.0\.0\.2: 452 4\.2\.2 full|^\[127\.0\.0\.2\]: 452 4\.2\.2 full/);
  isFull = false;
  await transfer.drained();
  assert.deepEqual(
    sink.messages.map(({ recipients }) => recipients),
    [['yes@remote.example'], ['later@remote.example']],
  );
  const events = transfer.events(message);
  for (const event of ['relayed yes', 'deferred later', 'relayed later', 'failed no', 'notified no'])
    assert.ok(events.includes(`${event}@remote.example`), event);
  const [report] = await transfer.inbox('ann@acme.example');
  assert.match(report ?? '', /^Final-Recipient: rfc822; no@remote\.example\r\nAction: failed\r\nStatus: 5\.1\.1\r\n/m);
  assert.match(report ?? '', /^Diagnostic-Code: smtp; 550 5\.1\.1 no such user\r\n/m);
  assert.match(report ?? '', /^In-Reply-To: <one@acme\.example>\r\n/m);
  assert.match(report ?? '', /^Subject: hello\r\n/m);
  assert.doesNotMatch(report ?? '', /later@|yes@/);
});

test('several that fail together are in one report', async (context) => {
  const { transfer } = await open(context, { rcpt: '550 5.1.1 nobody' });
  await transfer.start();
  await transfer.accept(toRemote('a', 'b', 'c'));
  await transfer.drained();
  const reports = await transfer.inbox('ann@acme.example');
  assert.equal(reports.length, 1);
  assert.equal(reports[0]?.match(/^Final-Recipient:/gm)?.length, 3);
});

test('a host that is down is tried again until it is there', async (context) => {
  const { sink, transfer } = await open(context);
  const { host, port } = sink;
  await sink.close();
  await transfer.start();
  const message = await transfer.accept(toRemote('rex'));
  await transfer.until('two attempts', () => (transfer.queue()[0]?.attempts ?? 0) >= 2);
  assert.match(transfer.queue()[0]?.lastError ?? '', /ECONNREFUSED/);
  const again = await RemoteHost.start({}, host, port);
  context.after(() => again.close());
  await transfer.drained();
  assert.equal(again.messages.length, 1);
  assert.ok(transfer.events(message).includes('deferred rex@remote.example'));
});

test('what cannot be delivered in time comes back', async (context) => {
  const policy = { retryMs: [10], expireMs: 60 };
  const { transfer } = await open(context, { rcpt: '451 4.3.0 not now' }, { policy });
  await transfer.start();
  await transfer.accept(toRemote('rex'));
  await transfer.drained();
  const [report] = await transfer.inbox('ann@acme.example');
  assert.match(report ?? '', /^Action: failed\r\nStatus: 4\.4\.7\r\n/m);
  assert.match(report ?? '', /the last attempt: 4\.3\.0 451 4\.3\.0 not\s+now/);
});

test('a report to a sender elsewhere goes out by the queue, from the null sender', async (context) => {
  const { sink, transfer } = await open(context);
  await transfer.start();
  const message = await transfer.accept({ from: 'rex@remote.example', to: ['ann@acme.example'], text: TEXT });
  // Gone between its 250 and the dot of a second message to it.
  await transfer.directory.apply(remove(userDn('bob@acme.example')));
  await transfer.accept({ from: 'rex@remote.example', to: ['ann@acme.example', 'bob@acme.example'], text: TEXT });
  await transfer.drained();
  assert.equal(sink.messages.length, 1);
  assert.equal(sink.messages[0]?.sender, '');
  assert.deepEqual(sink.messages[0]?.recipients, ['rex@remote.example']);
  assert.match(sink.messages[0]?.data ?? '', /^Final-Recipient: rfc822; bob@acme\.example\r\n/m);
  assert.deepEqual(transfer.events(message), ['accepted ann@acme.example', 'delivered ann@acme.example']);
});

test('a failure to the null sender goes to the site postmaster, once', async (context) => {
  const { transfer } = await open(context, { mail: '550 5.7.1 not you' });
  await transfer.start();
  await transfer.accept({ ...toRemote('rex'), from: '' });
  await transfer.drained();
  const [report, ...more] = await transfer.inbox('postmaster');
  assert.equal(more.length, 0);
  assert.match(report ?? '', /^To: <postmaster@mail\.test\.example>\r\n/m);
});

test('a sender that is gone: its report goes to the site postmaster', async (context) => {
  const { transfer } = await open(context, { rcpt: '550 5.1.1 nobody' });
  await transfer.accept(toRemote('rex'));
  await transfer.directory.apply(remove(userDn('ann@acme.example')));
  await transfer.start();
  await transfer.drained();
  const reports = await transfer.inbox('postmaster');
  assert.equal(reports.length, 1);
  assert.match(reports[0] ?? '', /^Final-Recipient: rfc822; ann@acme\.example\r\n/m);
});

test('a report that no one can get is logged and dropped, nothing goes round for ever', async (context) => {
  const { transfer } = await open(context, { rcpt: '550 5.1.1 nobody' });
  const message = await transfer.accept({ ...toRemote('rex'), from: '' });
  await transfer.directory.apply(replace('uid=postmaster,ou=Waypost,o=internet', { mailUserStatus: 'disabled' }));
  await transfer.start();
  await transfer.drained();
  assert.deepEqual(await transfer.inbox('ann@acme.example'), []);
  assert.ok(transfer.events(message).includes('notified rex@remote.example'));
});

test('rows of the store channel: over quota waits, then is delivered; gone comes back', async (context) => {
  const { transfer } = await open(context);
  await transfer.directory.apply(
    addUser('cat@acme.example', { mailUserStatus: 'overquota' }),
    addUser('dan@acme.example', { mailUserStatus: 'overquota' }),
    addGroup(
      'all@acme.example',
      ['ann', 'cat', 'dan'].map((name) => userDn(`${name}@acme.example`)),
    ),
  );
  await transfer.start();
  const message = await transfer.accept({ from: 'bob@acme.example', to: ['all@acme.example'], text: TEXT });
  assert.equal((await transfer.inbox('ann@acme.example')).length, 1);
  await transfer.until('both were tried', () => transfer.queue().filter((row) => row.attempts > 0).length === 2);
  assert.match(transfer.queue()[0]?.lastError ?? '', /^452 4\.2\.2 /);
  await transfer.directory.apply(
    replace(userDn('cat@acme.example'), { mailUserStatus: 'active' }),
    replace(userDn('dan@acme.example'), { mailUserStatus: 'disabled' }),
  );
  await transfer.drained();
  assert.equal((await transfer.inbox('cat@acme.example')).length, 1);
  assert.equal((await transfer.inbox('ann@acme.example')).length, 1);
  const [report] = await transfer.inbox('bob@acme.example');
  assert.match(report ?? '', /^Final-Recipient: rfc822; dan@acme\.example\r\nAction: failed\r\nStatus: 5\.2\.1\r\n/m);
  assert.ok(transfer.events(message).includes('delivered cat@acme.example'));
  // One copy, for ann and cat; the report is the other message.
  const rows = transfer.directory.reader.all('SELECT refs FROM message ORDER BY id').map((row) => row['refs']);
  assert.deepEqual(rows, [2, 1]);
});

test('a long list is delivered in slices, from one copy', async (context) => {
  const { transfer } = await open(context);
  const names = Array.from({ length: 620 }, (_, i) => `u${i}@acme.example`);
  await transfer.directory.apply(
    ...names.map((name) => addUser(name)),
    addGroup('all@acme.example', names.map(userDn)),
  );
  await transfer.accept({ from: 'ann@acme.example', to: ['all@acme.example'], text: TEXT });
  assert.equal(transfer.queue().length, 1);
  await transfer.start();
  await transfer.drained();
  const { reader } = transfer.directory;
  assert.equal(reader.get('SELECT count(*) AS n FROM mailbox_message')?.['n'], 620);
  assert.deepEqual(
    reader.all('SELECT refs FROM message').map((row) => row['refs']),
    [620],
  );
});

test('a restart voids leases, and no row waits longer than its step', async (context) => {
  const { sink, transfer } = await open(context, { dot: CLOSE });
  await transfer.start({ policy: { retryMs: [3_600_000], expireMs: 86_400_000 } });
  await transfer.accept(toRemote('rex'));
  await transfer.until('an attempt', () => transfer.queue()[0]?.attempts === 1);
  // As a kill leaves it: leased, and as a wall clock in another century leaves it: due in ten years.
  const { writer, reader } = transfer.directory;
  const { operation } = await import('../database/operation.ts');
  const spoil = operation('test.spoil', async (tx, _args: object) => {
    await tx.run('UPDATE queue SET lease = 99, next_attempt = next_attempt + 315360000000');
  });
  await writer.execute(spoil, {});
  sink.script = {};
  const before = Date.now();
  const second = await transfer.start({ policy: { retryMs: [60_000], expireMs: 86_400_000 } });
  const row = reader.get('SELECT lease, next_attempt FROM queue');
  assert.equal(row?.['lease'], 0);
  assert.ok(Number(row?.['next_attempt']) <= before + 120_000);
  await second.stop();
  await transfer.start({ policy: { retryMs: [1], expireMs: 86_400_000 } });
  await transfer.drained();
  assert.equal(sink.messages.length, 1);
});

test('a wall clock that jumps neither expires mail nor stalls it', async (context) => {
  let jump = 0;
  const clock = { now: () => Date.now() + jump, monotonic: () => performance.now() };
  let isBusy = true;
  const { sink, transfer } = await open(
    context,
    { rcpt: () => (isBusy ? '451 4.3.0 not now' : '250 ok') },
    { clock, policy: { retryMs: [10], expireMs: 5_000_000 } },
  );
  await transfer.start();
  const first = await transfer.accept(toRemote('rex'));
  await transfer.until('an attempt', () => (transfer.queue()[0]?.attempts ?? 0) > 0);
  jump = 10 * 365 * 86_400_000;
  await transfer.until('attempts go on', () => (transfer.queue()[0]?.attempts ?? 0) > 3);
  jump = -86_400_000;
  await transfer.until('attempts go on', () => (transfer.queue()[0]?.attempts ?? 0) > 6);
  isBusy = false;
  await transfer.accept(toRemote('roy'));
  await transfer.drained();
  assert.equal(sink.messages.length, 2);
  assert.ok(!transfer.events(first).includes('failed rex@remote.example'));
});

test('an administrator has rows tried now, or takes them away', async (context) => {
  const { sink, transfer } = await open(
    context,
    { rcpt: '451 4.3.0 not now' },
    { policy: { retryMs: [3_600_000], expireMs: 86_400_000 } },
  );
  const { writer } = transfer.directory;
  await transfer.start();
  const message = await transfer.accept(toRemote('a', 'b'));
  await transfer.until('an attempt', () => transfer.queue().every(({ attempts }) => attempts === 1));
  const [a, b] = transfer.queue();
  assert.deepEqual(await writer.execute(removeRows, { rows: [b!.id, 999 as QueueRowId], at: Date.now() }), {
    changed: 1,
    busy: 0,
    unknown: [999],
  });
  assert.deepEqual(await writer.execute(retryRows, { rows: [a!.id, 998 as QueueRowId] }), {
    changed: 1,
    busy: 0,
    held: 0,
    unknown: [998],
  });
  await transfer.until('a second attempt', () => transfer.queue()[0]?.attempts === 2);
  sink.script = {};
  assert.equal(await retryAll(writer), 1);
  await transfer.drained();
  assert.deepEqual(sink.messages[0]?.recipients, ['a@remote.example']);
  assert.ok(transfer.events(message).includes('removed b@remote.example'));
});

test('a slow host does not keep others waiting', async (context) => {
  const slow = await RemoteHost.start({ greeting: { silence: true } }, '127.0.0.3');
  context.after(() => slow.close());
  const { sink, transfer } = await open(context, {}, { deliveriesMax: 4 });
  await transfer.start({
    nextHop: { 'slow.example': slow.nextHop, 'remote.example': sink.nextHop },
  });
  for (let i = 0; i < 10; i++)
    await transfer.accept({ from: 'ann@acme.example', to: [`s${i}@slow.example`], text: TEXT });
  await transfer.accept(toRemote('rex'));
  await transfer.until('the quick one is there', () => sink.messages.length === 1);
  assert.ok(slow.open <= 3);
});

test('what waits for a host that cannot be reached is put off together', async (context) => {
  const { sink, transfer } = await open(context, {}, { policy: { retryMs: [3_600_000], expireMs: 86_400_000 } });
  await sink.close();
  for (let i = 0; i < 30; i++) await transfer.accept(toRemote(`r${i}`));
  await transfer.start();
  await transfer.until('all were put off', () => transfer.queue().every(({ attempts }) => attempts === 1));
  assert.equal(transfer.queue().length, 30);
});

test('stopping cuts what has not sent its dot, and those rows are tried at the next start', async (context) => {
  const { sink, transfer } = await open(context, { rcpt: { silence: true } });
  const schedule = await transfer.start();
  await transfer.accept(toRemote('rex'));
  await transfer.until('RCPT was said', () => sink.commands.some((line) => line.startsWith('RCPT')));
  await schedule.stop();
  assert.equal(sink.open <= 1, true);
  assert.equal(transfer.queue()[0]?.attempts, 0);
  sink.script = {};
  await transfer.start();
  await transfer.drained();
  assert.equal(sink.messages.length, 1);
});

const renameTable = operation('test.renameTable', (tx, { from, to }: { readonly from: string; readonly to: string }) =>
  tx.run(`ALTER TABLE ${from} RENAME TO ${to}`),
);

test('a store that cannot be read for a while: what was leased is tried again without a restart', async (context) => {
  const { sink, transfer } = await open(context);
  const { writer } = transfer.directory;
  await transfer.accept(toRemote('rex'));
  await writer.execute(renameTable, { from: 'message', to: 'elsewhere' });
  try {
    await transfer.start();
    await transfer.until('it was put off', () => (transfer.queue()[0]?.attempts ?? 0) > 0);
  } finally {
    await writer.execute(renameTable, { from: 'elsewhere', to: 'message' });
  }
  await transfer.drained();
  assert.equal(sink.messages.length, 1);
});

test('a full disk: what was taken there is recorded when there is room, and goes once', async (context) => {
  const { sink, transfer } = await open(context);
  await transfer.start();
  transfer.refused.add('transfer.record');
  await transfer.accept(toRemote('rex'));
  await transfer.until('it is there', () => sink.messages.length === 1);
  assert.equal(transfer.queue()[0]?.state, 'active');
  transfer.refused.clear();
  await transfer.drained();
  assert.equal(sink.messages.length, 1);
});

test('a full disk: nothing begins that could not be recorded, and all of it goes on afterwards', async (context) => {
  const { sink, transfer } = await open(context, {
    rcpt: (address) => (address[0] === 'n' ? '550 5.1.1 no' : '250 ok'),
  });
  await transfer.start();
  transfer.refused.add('transfer.lease');
  await transfer.accept(toRemote('rex'));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(sink.connections, 0);
  transfer.refused.clear();
  transfer.refused.add('transfer.report');
  await transfer.accept(toRemote('nobody'));
  await transfer.until('it has failed', () => transfer.queue().some(({ state }) => state === 'failed'));
  transfer.refused.clear();
  await transfer.drained();
  assert.equal((await transfer.inbox('ann@acme.example')).length, 1);
});
