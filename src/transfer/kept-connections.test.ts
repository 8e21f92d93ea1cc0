// Connections that are kept between two messages: how many there are, when the next message goes over one, what becomes of one
// that has died.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { freePort } from '../../test/support/free-ports.ts';
import { type Log, silentLog } from '../base/log.ts';
import { RemoteHost } from '../estate/remote-host.ts';
import { CLOSE, type RemoteHostScript } from '../estate/remote-script.ts';
import { add, addDomain, addUser, replace } from '../provisioning/testing.ts';
import { retryAll } from './manage.ts';
import { TestTransfer, type TestTransferOptions } from './testing.ts';

const ANN = 'ann@acme.example';
const TEXT = 'Subject: x\r\n\r\nx\r\n';
const LONG = { retryMs: [3_600_000], expireMs: 86_400_000 };

async function open(context: TestContext, script: RemoteHostScript = {}, options: TestTransferOptions = {}) {
  // It may be ended, and started again where it was.
  const sink = await RemoteHost.start(script, '127.0.0.2', await freePort());
  const transfer = await TestTransfer.open({
    nextHop: { 'remote.example': sink.nextHop },
    policy: LONG,
    ...options,
  });
  context.after(async () => {
    await transfer.close();
    await sink.close();
  });
  await transfer.directory.apply(addDomain('acme.example'), addUser(ANN));
  await transfer.start();
  return { sink, transfer };
}

const toRemote = (...names: readonly string[]) => ({
  from: ANN,
  to: names.map((name) => `${name}@remote.example`),
  text: TEXT,
});

test('many messages go over few connections, each once', async (context) => {
  const opened: unknown[] = [];
  const log: Log = {
    ...silentLog,
    debug: (event, fields) => {
      if (event === 'transfer.connect') opened.push(fields?.['host']);
    },
  };
  const { sink, transfer } = await open(context, {}, { log });
  await Promise.all(Array.from({ length: 300 }, (_, id) => transfer.accept(toRemote(`r${id}`))));
  await transfer.drained();
  assert.equal(new Set(sink.messages.map(({ recipients }) => recipients.join())).size, 300);
  assert.equal(sink.messages.length, 300);
  assert.ok(sink.connections <= 20, `${sink.connections} connections`);
  assert.deepEqual(opened, Array(sink.connections).fill(sink.host));
});

test('the next message over a connection waits until the outcome of the last one is committed', async (context) => {
  const { sink, transfer } = await open(context);
  transfer.refused.add('transfer.record');
  for (let id = 0; id < 30; id++) await transfer.accept(toRemote(`r${id}`));
  await transfer.until('the first deliveries', () => sink.messages.length >= 5);
  await transfer.until('a message on each', () => sink.messages.length >= sink.connections);
  await new Promise((resolve) => setTimeout(resolve, 200));
  // A kill now would repeat these, and no connection has had two.
  assert.ok(sink.messages.length <= sink.connections);
  transfer.refused.clear();
  await transfer.drained();
  assert.equal(sink.messages.length, 30);
});

test('a connection that the host has closed is replaced in the same attempt', async (context) => {
  const { sink, transfer } = await open(context);
  for (const mail of [CLOSE, '421 4.4.2 idle for too long'] as const) {
    await transfer.accept(toRemote('first'));
    await transfer.drained();
    const before = sink.connections;
    // Not known before MAIL is said: only a new connection is let in.
    sink.script = { mail: () => (sink.connections > before ? '250 ok' : mail) };
    const message = await transfer.accept(toRemote('second'));
    await transfer.drained();
    assert.equal(sink.connections, before + 1);
    assert.deepEqual(
      transfer.events(message).filter((event) => event.startsWith('deferred')),
      [],
    );
    sink.script = {};
  }
});

test('a host that is restarted: what is kept is thrown away', async (context) => {
  const { sink, transfer } = await open(context);
  const { host, port } = sink;
  await transfer.accept(toRemote('first'));
  await transfer.drained();
  await sink.close();
  const again = await RemoteHost.start({}, host, port);
  context.after(() => again.close());
  await transfer.accept(toRemote('second'));
  await transfer.drained();
  assert.equal(again.messages.length, 1);
});

test('a connection without work is let go', async (context) => {
  const { sink, transfer } = await open(context);
  await transfer.accept(toRemote('first'));
  await transfer.drained();
  assert.equal(sink.commands.includes('QUIT'), false);
  await transfer.until('the end of it', () => sink.commands.includes('QUIT'));
});

test('a host says how many recipients and how many messages it takes', async (context) => {
  const { sink, transfer } = await open(context, { extensions: ['PIPELINING', 'LIMITS RCPTMAX=10 MAILMAX=2'] });
  const message = await transfer.accept(toRemote(...Array.from({ length: 35 }, (_, id) => `r${id}`)));
  await transfer.drained();
  assert.deepEqual(sink.messages.map(({ recipients }) => recipients.length).sort(), [10, 10, 10, 5]);
  assert.equal(new Set(sink.messages.flatMap(({ recipients }) => recipients)).size, 35);
  assert.equal(transfer.events(message).filter((event) => event.startsWith('relayed')).length, 35);
  assert.ok(sink.connections >= 2);
});

test('a host that cannot be reached is tried as often as its window is wide, and asked for by a retry at once', async (context) => {
  const { sink, transfer } = await open(context);
  const { host, port } = sink;
  await sink.close();
  for (let id = 0; id < 20; id++) await transfer.accept(toRemote(`r${id}`));
  await transfer.until('all are put off', () => transfer.queue().every(({ attempts }) => attempts === 1));
  const late = await transfer.accept(toRemote('late'));
  await transfer.until('it is put off too', () => transfer.queue().every(({ attempts }) => attempts === 1));
  assert.ok(transfer.events(late).includes('deferred late@remote.example'));
  const again = await RemoteHost.start({}, host, port);
  context.after(() => again.close());
  await retryAll(transfer.directory.writer);
  await transfer.drained();
  assert.equal(again.messages.length, 21);
});

test('a channel with a rate begins no more deliveries in its time', async (context) => {
  const { sink, transfer } = await open(context);
  await transfer.directory.apply(
    add('cn=smtp,ou=Channels,ou=Waypost,o=internet', {
      objectClass: 'waypostChannel',
      cn: 'smtp',
      waypostChannelKind: 'smtp',
      waypostKeyword: 'rate 2/1h',
    }),
  );
  for (let id = 0; id < 5; id++) await transfer.accept(toRemote(`r${id}`));
  const isWaiting = () => transfer.queue().length === 3 && transfer.queue().every(({ state }) => state === 'active');
  await transfer.until(
    'two are there, and the rest waits for its time',
    () => sink.messages.length === 2 && isWaiting(),
  );
  await transfer.directory.apply(replace('cn=smtp,ou=Channels,ou=Waypost,o=internet', { waypostKeyword: 'rate 1/1s' }));
  await transfer.drained();
  assert.equal(sink.messages.length, 5);
});

test('an address of one family that leads nowhere is followed by one of the other', async (context) => {
  const { sink, transfer } = await open(context, {}, { nextHop: {} });
  const { port } = sink;
  const resolver = {
    mx: () => Promise.resolve({ result: 'unavailable', reason: 'none' } as const),
    addresses: () =>
      Promise.resolve({ result: 'found', addresses: ['::1', '::1', '::1', '::1', '127.0.0.2'] } as const),
  };
  await transfer.directory.apply(
    add('cn=smtp,ou=Channels,ou=Waypost,o=internet', {
      objectClass: 'waypostChannel',
      cn: 'smtp',
      waypostChannelKind: 'smtp',
      waypostKeyword: `daemon [two.families.example]:${port}`,
    }),
  );
  await transfer.start({ resolver });
  const message = await transfer.accept(toRemote('rex'));
  await transfer.drained();
  assert.equal(sink.messages.length, 1);
  assert.ok(!transfer.events(message).some((event) => event.startsWith('deferred')));
});
