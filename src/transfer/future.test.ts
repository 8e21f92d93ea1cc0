// Times of the wall clock: mail waits until its time whatever starts meanwhile, comes back when it is too late, and is reported late.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { HOUR_MS } from '../base/duration.ts';
import { silentLog } from '../base/log.ts';
import { ANONYMOUS } from '../directory/caller.ts';
import { RemoteHost } from '../estate/remote-host.ts';
import { parseAddress } from '../message/address.ts';
import type { MailParameters, NotifyWord } from '../message/envelope.ts';
import { add, addDomain, addUser } from '../provisioning/testing.ts';
import { expireModeration, Future, futureSlice } from './future.ts';
import { holdRows, rerouteRows } from './hold.ts';
import { retryAll } from './manage.ts';
import { TestTransfer } from './testing.ts';

const ANN = 'ann@acme.example';
const BOB = 'bob@acme.example';
const REX = 'rex@remote.example';
const PATIENT = { policy: { retryMs: [3_600_000], expireMs: 86_400_000 } };

async function open(context: TestContext) {
  const sink = await RemoteHost.start();
  const transfer = await TestTransfer.open({ nextHop: { 'remote.example': sink.nextHop }, ...PATIENT });
  context.after(async () => {
    await transfer.close();
    await sink.close();
  });
  await transfer.directory.apply(addDomain('acme.example'), addUser(ANN), addUser(BOB));
  const send = async (
    parameters: MailParameters,
    { to = [REX], notify }: { to?: readonly string[]; notify?: readonly NotifyWord[] } = {},
  ) => {
    const message = await transfer.take(parseAddress(ANN), 'Subject: x\r\n\r\nx\r\n');
    const asked = notify === undefined ? {} : { notify };
    const recipients = to.map((address) => ({ address: parseAddress(address), ...asked }));
    const envelope = { sender: parseAddress(ANN), recipients, body: '7BIT' as const, ...parameters };
    const common = { caller: ANONYMOUS, mayRelay: true, door: 'submission', refused: 'report' } as const;
    await transfer.submit({ envelope, message, ...common }).finally(() => message.pending.settle());
    return message.row.id;
  };
  const { writer } = transfer.directory;
  const pass = (ms: number) => writer.execute(futureSlice, { now: Date.now() + ms });
  return { sink, transfer, send, writer, pass };
}

test('held by its sender: all rows wait, through starts and retries, until the time; then it is due, its expiry from there', async (context) => {
  const { sink, transfer, send, writer, pass } = await open(context);
  const message = await send({ holdUntil: Date.now() + 2 * HOUR_MS }, { to: [REX, BOB] });
  await transfer.start();
  await retryAll(writer);
  await pass(HOUR_MS);
  await transfer.start();
  // Mail without a time goes meanwhile, so that all that is due has been picked.
  await send({});
  await transfer.until('the other one has gone', () => transfer.queue().length === 2);
  assert.equal(sink.messages.length, 1);
  assert.deepEqual(await transfer.inbox(BOB), []);
  const { reader } = transfer.directory;
  assert.deepEqual(reader.arrays('SELECT attempts, waited FROM queue')[0], [0, 0]);
  await pass(2 * HOUR_MS);
  await transfer.drained();
  assert.deepEqual([sink.messages.length, (await transfer.inbox(BOB)).length], [2, 1]);
  assert.ok(transfer.events(message).includes(`released ${REX}`));
});

test('what an administrator holds stays held when its time comes', async (context) => {
  const { transfer, send, writer, pass } = await open(context);
  await send({ holdUntil: Date.now() + HOUR_MS });
  await transfer.start();
  await writer.execute(holdRows, { rows: transfer.queue().map(({ id }) => id), by: 'admin', at: Date.now() });
  await pass(HOUR_MS);
  assert.equal(transfer.queue()[0]?.state, 'held');
});

test('too late: returned (R) or reported (N), never before its time', async (context) => {
  const { sink, transfer, send, pass } = await open(context);
  sink.script = { greeting: '421 4.3.2 later' };
  await transfer.start();
  const at = Date.now() + HOUR_MS;
  await send({ by: { at, mode: 'R' } });
  await send({ by: { at, mode: 'N' } }, { to: ['ned@remote.example'] });
  await send({ by: { at, mode: 'R' } }, { to: ['una@remote.example'], notify: [] });
  await transfer.until('all were tried', () =>
    transfer.queue().every((row) => row.attempts > 0 && row.state === 'waiting'),
  );
  await pass(HOUR_MS - 60_000);
  assert.equal(transfer.queue().length, 3);
  await pass(HOUR_MS);
  await transfer.until('both reports', async () => (await transfer.inbox(ANN)).length === 2);
  const reports = (await transfer.inbox(ANN)).toSorted();
  const of = (address: string): string =>
    reports.find((text) => text.includes(`Final-Recipient: rfc822; ${address}`)) ?? '';
  assert.match(of(REX), /^Action: failed\r\nStatus: 5\.4\.7\r\n/m);
  assert.match(of('ned@remote.example'), /^Action: delayed\r\n/m);
  assert.deepEqual(
    transfer.queue().map(({ recipient, state }) => [recipient, state]),
    [['ned@remote.example', 'waiting']],
  );
  await pass(2 * HOUR_MS);
  sink.script = {};
  await retryAll(transfer.directory.writer);
  await transfer.drained();
  const [relayed, ...more] = (await transfer.inbox(ANN)).filter((text) => !reports.includes(text));
  // The host that it has gone to in the end knows no times.
  assert.match(relayed ?? '', /^Action: relayed\r\n/m);
  assert.deepEqual(more, [], 'reported once');
});

test('no moderator has decided: returned, and nothing else that is held', async (context) => {
  const { transfer, send, writer } = await open(context);
  const partner = { objectClass: 'waypostChannel', cn: 'partner', waypostChannelKind: 'smtp' };
  await transfer.directory.apply(add('cn=partner,ou=Channels,ou=Waypost,o=internet', partner));
  await send({});
  await send({});
  const rows = transfer.queue().map(({ id }) => id);
  const [first, second] = rows;
  const at = Date.now();
  // It is looked for among channels that somebody has made, as that of lists is.
  await writer.execute(rerouteRows, { rows, at, to: { channel: 'partner' } });
  await writer.execute(holdRows, { rows: [first!], by: 'admin', at });
  await writer.execute(holdRows, { rows: [second!], by: 'moderation', at });
  await writer.execute(expireModeration, { before: at - HOUR_MS, now: at });
  assert.deepEqual(
    transfer.queue().map(({ state }) => state),
    ['held', 'held'],
  );
  await writer.execute(expireModeration, { before: at + HOUR_MS, now: at });
  assert.deepEqual(
    transfer.queue().map(({ state, heldBy }) => [state, heldBy]),
    [
      ['held', 'admin'],
      ['failed', null],
    ],
  );
});

test('the timer: what comes with a time is due at it by itself', async (context) => {
  const { sink, transfer, send, writer } = await open(context);
  const { reader } = transfer.directory;
  const future = new Future({ reader, writer, clock: systemClock, log: silentLog, expireMs: HOUR_MS });
  context.after(() => future.stop());
  future.start();
  await transfer.start();
  await send({ holdUntil: Date.now() + 1500 });
  future.wake();
  assert.equal(sink.messages.length, 0);
  await transfer.drained();
  assert.equal(sink.messages.length, 1);
});

test('a start looks for what no moderator has decided about', async (context) => {
  const { transfer, send, writer } = await open(context);
  const partner = { objectClass: 'waypostChannel', cn: 'partner', waypostChannelKind: 'smtp' };
  await transfer.directory.apply(add('cn=partner,ou=Channels,ou=Waypost,o=internet', partner));
  await send({});
  const rows = transfer.queue().map(({ id }) => id);
  await writer.execute(rerouteRows, { rows, at: Date.now(), to: { channel: 'partner' } });
  await writer.execute(holdRows, { rows, by: 'moderation', at: Date.now() });
  const { reader } = transfer.directory;
  const future = new Future({ reader, writer, clock: systemClock, log: silentLog, expireMs: 0 });
  context.after(() => future.stop());
  future.start();
  await transfer.until('it comes back', () => transfer.queue()[0]?.state === 'failed');
});

test('late by its sender’s time, reported: the report of the queue’s own time comes all the same', async (context) => {
  const { sink, transfer, send, pass } = await open(context);
  sink.script = { greeting: '421 4.3.2 later' };
  await transfer.start();
  await send({ by: { at: Date.now() + HOUR_MS, mode: 'N' } });
  await transfer.until('it was tried', () =>
    transfer.queue().every((row) => row.attempts > 0 && row.state === 'waiting'),
  );
  await pass(HOUR_MS);
  await transfer.until('the report', async () => (await transfer.inbox(ANN)).length === 1);
  await transfer.start({ policy: { ...PATIENT.policy, delaysMs: [1] } });
  await retryAll(transfer.directory.writer);
  await transfer.until('the other report', async () => (await transfer.inbox(ANN)).length === 2);
  assert.equal(transfer.queue()[0]?.state, 'waiting');
});
