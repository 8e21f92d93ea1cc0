// Held, released, sent another way: what nobody has released goes nowhere, what has been goes once; a naive model says who holds.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import type { QueueRowId } from '../base/ids.ts';
import { operation } from '../database/operation.ts';
import { RemoteHost } from '../estate/remote-host.ts';
import { add, addDomain, addGroup, addUser, replace, userDn } from '../provisioning/testing.ts';
import type { Channel } from './channels/channel.ts';
import { ReprocessChannel } from './channels/reprocess.ts';
import { holdRows, releaseRows, rerouteRows } from './hold.ts';
import { removeRows, retryAll, retryRows } from './manage.ts';
import type { HeldBy } from './queue.ts';
import { TestTransfer, type TestTransferOptions } from './testing.ts';

const ANN = 'ann@acme.example';
const BOB = 'bob@acme.example';
const REX = 'rex@remote.example';
const TEXT = 'Subject: x\r\n\r\nx\r\n';
const PATIENT = { policy: { retryMs: [3_600_000], expireMs: 86_400_000 } };

async function open(context: TestContext, options: TestTransferOptions = {}) {
  const [sink, other] = [await RemoteHost.start(), await RemoteHost.start()];
  const nextHop = { 'remote.example': sink.nextHop };
  const transfer = await TestTransfer.open({ nextHop, ...PATIENT, ...options });
  context.after(async () => {
    await transfer.close();
    await sink.close();
    await other.close();
  });
  await transfer.directory.apply(addDomain('acme.example'), addUser(ANN), addUser(BOB));
  const { writer } = transfer.directory;
  const rows = (): QueueRowId[] => transfer.queue().map(({ id }) => id);
  const at = Date.now();
  return {
    ...{ sink, other, transfer },
    hold: (by: HeldBy = 'admin') => writer.execute(holdRows, { rows: rows(), by, at }),
    release: (by?: HeldBy) => writer.execute(releaseRows, { rows: rows(), at, ...(by === undefined ? {} : { by }) }),
    reroute: (to?: { channel: string; destination?: string }) =>
      writer.execute(rerouteRows, { rows: rows(), at, ...(to === undefined ? {} : { to }) }),
  };
}

const toRex = { from: ANN, to: [REX], text: TEXT };
const setStatus = (mailUserStatus: string) => replace(userDn(BOB), { mailUserStatus });

test('what the administrator holds stays through a start, a retry and changes of channels and people; released it goes', async (context) => {
  const { sink, transfer, hold, release } = await open(context);
  const message = await transfer.accept({ ...toRex, to: [REX, 'roy@remote.example'] });
  assert.deepEqual(await hold(), { changed: 2, busy: 0, held: 0, unknown: [] });
  assert.deepEqual((await hold()).held, 2, 'once is enough');
  await transfer.start();
  const channel = { objectClass: 'waypostChannel', cn: 'smtp', waypostChannelKind: 'smtp' };
  const dn = 'cn=smtp,ou=Channels,ou=Waypost,o=internet';
  await transfer.directory.apply(setStatus('hold'), setStatus('active'), add(dn, channel));
  await transfer.directory.apply(replace(dn, { waypostPaused: 'TRUE' }), replace(dn, { waypostPaused: [] }));
  assert.equal(await retryAll(transfer.directory.writer), 0);
  const retried = await transfer.directory.writer.execute(retryRows, { rows: transfer.queue().map(({ id }) => id) });
  assert.deepEqual(retried, { changed: 0, busy: 0, held: 2, unknown: [] });
  // What comes meanwhile goes, so that all that could be picked has been.
  await transfer.accept({ ...toRex, to: ['ray@remote.example'] });
  await transfer.until('the other one has gone', () => transfer.queue().length === 2);
  assert.deepEqual(
    transfer.queue().map(({ state, heldBy, nextAttemptAt, waitsFor }) => [state, heldBy, nextAttemptAt, waitsFor]),
    [
      ['held', 'admin', null, null],
      ['held', 'admin', null, null],
    ],
  );
  assert.equal((await release('suspended')).changed, 0, 'that is not who holds it');
  assert.equal((await release()).changed, 2);
  await transfer.drained();
  assert.equal(sink.messages.length, 2);
  const events = transfer.events(message);
  assert.ok(events.indexOf(`held ${REX}`) < events.indexOf(`released ${REX}`));
});

test('released: due at once, its expiry anew, as old as it was', async (context) => {
  const { sink, transfer, hold, release } = await open(context);
  sink.script = { greeting: '421 4.3.2 later' };
  await transfer.start();
  await transfer.accept(toRex);
  await transfer.until('an attempt', () => transfer.queue()[0]?.attempts === 1);
  const { reader } = transfer.directory;
  const column = (name: string): unknown => reader.get('SELECT * FROM queue')?.[name];
  const created = column('created');
  await transfer.until('no channel works on it', () => column('lease') === 0);
  await hold();
  await release();
  await transfer.until('another attempt', () => Number(column('last_attempt')) > 0 && column('attempts') === 1);
  assert.equal(column('created'), created);
});

test('the administrator holds more firmly than routing does; then it is resolved again', async (context) => {
  const { transfer, hold, release } = await open(context);
  await transfer.start();
  await transfer.directory.apply(setStatus('hold'));
  await transfer.accept({ from: ANN, to: [BOB], text: TEXT });
  await hold();
  await transfer.directory.apply(setStatus('active'));
  await transfer.accept({ from: ANN, to: [ANN], text: TEXT });
  await transfer.start();
  assert.deepEqual(
    transfer.queue().map(({ heldBy, channel }) => [heldBy, channel]),
    [['admin', 'hold']],
  );
  await release();
  await transfer.drained();
  assert.equal((await transfer.inbox(BOB)).length, 1);
});

test('a row that a channel works on is left alone, and said', async (context) => {
  const { sink, transfer, hold, reroute } = await open(context);
  sink.script = { dot: { silence: true } };
  await transfer.start();
  await transfer.accept(toRex);
  await transfer.until('it is active', () => transfer.queue()[0]?.state === 'active');
  assert.deepEqual(await hold(), { changed: 0, busy: 1, held: 0, unknown: [] });
  assert.deepEqual(await reroute(), { changed: 0, busy: 1, begun: 0, lists: 0, unknown: [] });
});

test('held while this host was delivering it: it is not delivered', async (context) => {
  let go = (): void => {};
  const going = new Promise<void>((resolve) => {
    go = resolve;
  });
  let isAsked = false;
  const slow: Channel[] = [];
  const { transfer, hold, release } = await open(context, { channels: slow });
  const real = new ReprocessChannel({ reader: transfer.directory.reader, routing: transfer.directory.cache });
  slow.push({
    ...{ name: real.name, isLocal: true, recipientsMax: 10 },
    deliver: async (delivery) => {
      isAsked = true;
      await going;
      return real.deliver(delivery);
    },
  });
  await transfer.start();
  await transfer.directory.apply(setStatus('hold'));
  await transfer.accept({ from: ANN, to: [BOB], text: TEXT });
  await transfer.directory.apply(setStatus('active'));
  await transfer.until('the channel is asked', () => isAsked);
  assert.equal((await hold()).changed, 1);
  go();
  await transfer.accept({ from: ANN, to: [ANN], text: TEXT });
  await transfer.start();
  assert.deepEqual([transfer.queue()[0]?.heldBy, await transfer.inbox(BOB)], ['admin', []]);
  await release();
  await transfer.drained();
  assert.equal((await transfer.inbox(BOB)).length, 1);
});

test('rerouted to a host: there it goes, whatever the tables say; rerouted without one, where they say', async (context) => {
  const { sink, other, transfer, reroute } = await open(context);
  sink.script = { greeting: '421 4.3.2 later' };
  other.script = { greeting: '421 4.3.2 later, too' };
  await transfer.start();
  const message = await transfer.accept({ ...toRex, mayRelay: true });
  const attempted = (host: RemoteHost) =>
    transfer.until(
      'an attempt there',
      () =>
        transfer.queue()[0]?.lastError?.includes(host === other ? 'too' : '') === true &&
        transfer.queue()[0]?.state === 'waiting' &&
        (transfer.queue()[0]?.attempts ?? 0) > 0,
    );
  await attempted(sink);
  const destination = other.nextHop;
  assert.equal((await reroute({ channel: 'smtp', destination })).changed, 1);
  await attempted(other);
  // The tables move, and the program starts anew: it goes there still.
  await transfer.directory.apply(setStatus('inactive'));
  await transfer.start();
  await retryAll(transfer.directory.writer);
  await transfer.until('two attempts more', () => (transfer.queue()[0]?.attempts ?? 0) >= 3);
  assert.equal(transfer.queue()[0]?.destination, destination);
  sink.script = {};
  await transfer.until('no channel works on it', () => transfer.queue()[0]?.state === 'waiting');
  assert.equal((await reroute()).changed, 1);
  await transfer.drained();
  assert.equal(sink.messages.length, 1);
  assert.equal(transfer.events(message).filter((event) => event === `rerouted ${REX}`).length, 2);
});

const begin = operation('test.begin', async (tx) => {
  await tx.run("UPDATE queue SET intent = '{}' WHERE state = 'held'");
});

test('what an attempt has perhaps done, and a list, are not sent another way, and are said apart', async (context) => {
  const { transfer, hold, reroute, other } = await open(context);
  await transfer.accept(toRex);
  await hold();
  await transfer.directory.writer.execute(begin, {});
  const elsewhere = { channel: 'smtp', destination: other.nextHop };
  const begun = { changed: 0, busy: 0, begun: 1, lists: 0, unknown: [] };
  assert.deepEqual(await reroute(elsewhere), begun);
  assert.deepEqual(await reroute(), begun);
  await transfer.removeAll();
  await transfer.directory.apply(
    addGroup('all@acme.example', [], { memberURL: 'ldap:///o=internet??sub?(uid=nobody)' }),
  );
  await transfer.accept({ ...toRex, to: ['all@acme.example'] });
  assert.deepEqual(await reroute(elsewhere), { changed: 0, busy: 0, begun: 0, lists: 1, unknown: [] });
  await transfer.removeAll();
});

test('removed with a report: the sender is told 5.7.1, once; without: nobody', async (context) => {
  const { transfer, hold } = await open(context);
  await transfer.accept({ ...toRex, to: [REX, 'roy@remote.example'] });
  await hold();
  const [rex, roy] = transfer.queue();
  const { writer } = transfer.directory;
  const at = Date.now();
  const told = await writer.execute(removeRows, { rows: [rex!.id], report: true, at });
  assert.deepEqual(told, { changed: 1, busy: 0, unknown: [] });
  await writer.execute(removeRows, { rows: [roy!.id], at });
  await transfer.start();
  await transfer.drained();
  const [report, ...others] = await transfer.inbox(ANN);
  assert.match(report ?? '', /^Final-Recipient: rfc822; rex@remote\.example\r\nAction: failed\r\nStatus: 5\.7\.1\r\n/m);
  assert.doesNotMatch(report ?? '', /roy@/);
  assert.deepEqual(others, []);
});

type Step =
  | { readonly verb: 'hold'; readonly by: HeldBy }
  | { readonly verb: 'release'; readonly by: HeldBy | undefined }
  | { readonly verb: 'retry' | 'reroute' | 'start' };

const holders = fc.constantFrom<HeldBy>('admin', 'suspended', 'moderation');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ verb: fc.constant('hold' as const), by: holders }),
  fc.record({ verb: fc.constant('release' as const), by: fc.option(holders, { nil: undefined }) }),
  fc.record({ verb: fc.constantFrom('retry' as const, 'reroute' as const, 'start' as const) }),
);

test('whoever holds and releases in whatever order: it is held by whom a naive model says, and in the end goes once', async (context) => {
  const { sink, transfer, hold, release, reroute } = await open(context);
  let sent = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      sink.script = { greeting: '421 4.3.2 later' };
      await transfer.start();
      await transfer.lookedThrough();
      const before = transfer.queue().length;
      assert.equal(before, 0);
      await transfer.accept(toRex);
      let heldBy: HeldBy | undefined;
      for (const each of steps) {
        await transfer.until('no channel works on it', () => ['held', 'waiting'].includes(transfer.queue()[0]!.state));
        const wins = (by: HeldBy): boolean =>
          heldBy === undefined ||
          (by === 'admin' && heldBy === 'suspended') ||
          (by === 'suspended' && heldBy === 'routing');
        switch (each.verb) {
          case 'hold':
            // A row that has been due since may be worked on again by now.
            if (((await hold(each.by)).busy ?? 0) > 0) break;
            if (wins(each.by)) heldBy = each.by;
            break;
          case 'release':
            await release(each.by);
            if (each.by === undefined || each.by === heldBy) heldBy = undefined;
            break;
          case 'reroute':
            if ((await reroute()).changed > 0) heldBy = undefined;
            break;
          case 'retry':
            await retryAll(transfer.directory.writer);
            break;
          case 'start':
            await transfer.start();
            await transfer.lookedThrough();
            // Nobody has suspended the sender.
            if (heldBy === 'suspended') heldBy = undefined;
        }
        const [row, ...others] = transfer.queue();
        assert.deepEqual([row?.heldBy ?? undefined, others.length], [heldBy, 0]);
      }
      sink.script = {};
      await release();
      await retryAll(transfer.directory.writer);
      await transfer.until('it has gone', async () => {
        await retryAll(transfer.directory.writer);
        return transfer.queue().length === 0;
      });
      sent++;
      assert.equal(sink.messages.length, sent);
    }),
    { numRuns: 25 },
  );
});
