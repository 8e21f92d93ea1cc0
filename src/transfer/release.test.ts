// Held rows: nothing works on them, a change of what they wait for sends each once, and a naive judge says where to.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { idOf, type QueueRowId } from '../base/ids.ts';
import { silentLog } from '../base/log.ts';
import type { Writer } from '../database/operation.ts';
import { RemoteHost } from '../estate/remote-host.ts';
import { add, addDomain, addGroup, addUser, domainDn, remove, replace, userDn } from '../provisioning/testing.ts';
import { dueRows } from './due-rows.ts';
import { releaseRows } from './hold.ts';
import { retryAll } from './manage.ts';
import { nextDueAt } from './queue.ts';
import { Release, type ReleaseArguments, releaseSlice } from './release.ts';
import { TestTransfer, type TestTransferOptions } from './testing.ts';

const TEXT = 'Subject: x\r\n\r\nx\r\n';
const ANN = 'ann@acme.example';
const BOB = 'bob@acme.example';
const ENTRY_OF_BOB = `entry ${userDn(BOB).toLowerCase()}`;
const hold = (address: string) => replace(userDn(address), { mailUserStatus: 'hold' });
const active = (address: string) => replace(userDn(address), { mailUserStatus: 'active' });

async function open(context: TestContext, options: TestTransferOptions = {}): Promise<TestTransfer> {
  const transfer = await TestTransfer.open(options);
  context.after(() => transfer.close());
  await transfer.directory.apply(addDomain('acme.example'), addUser(ANN), addUser(BOB));
  return transfer;
}

const toBob = { from: ANN, to: [BOB], text: TEXT };

test('a held row is not due, and shows what it waits for', async (context) => {
  const transfer = await open(context);
  await transfer.start();
  await transfer.directory.apply(hold(BOB));
  const message = await transfer.accept(toBob);
  const [row] = transfer.queue();
  assert.deepEqual([row?.channel, row?.state, row?.waitsFor, row?.nextAttemptAt], ['hold', 'held', ENTRY_OF_BOB, null]);
  const { reader } = transfer.directory;
  const except = { keys: [], channels: [] };
  const time = { after: 0, now: Number.MAX_SAFE_INTEGER };
  assert.deepEqual(dueRows(reader, time, except, 100), { fresh: [], retried: [] });
  assert.equal(nextDueAt(reader, 0), undefined);
  assert.equal(await retryAll(transfer.directory.writer), 0, 'it waits for a change, not for a time');
  assert.deepEqual(transfer.events(message), [`accepted ${BOB}`, `queued ${BOB}`]);
});

test('back to active: in the INBOX by itself, once', async (context) => {
  const transfer = await open(context);
  await transfer.start();
  await transfer.directory.apply(hold(BOB));
  const message = await transfer.accept(toBob);
  await transfer.directory.apply(active(BOB));
  await transfer.drained();
  assert.equal((await transfer.inbox(BOB)).length, 1);
  assert.ok(transfer.events(message).includes(`delivered ${BOB}`));
});

test('what waits for its entry is sent while other mail waits in custody', async (context) => {
  const transfer = await open(context);
  await transfer.start();
  await transfer.directory.apply(hold(BOB));
  await transfer.accept(toBob);
  const stranger = { from: 'rex@remote.example', to: ['ann@new.example'], text: TEXT, mayRelay: false };
  await transfer.accept({ ...stranger, custody: ['new.example'] });
  assert.deepEqual(
    transfer.queue().map(({ heldBy }) => heldBy),
    ['routing', 'custody'],
  );
  await transfer.directory.apply(active(BOB));
  await transfer.until('it is delivered', () => transfer.queue().length === 1);
  assert.equal((await transfer.inbox(BOB)).length, 1);
  assert.equal(transfer.queue()[0]?.heldBy, 'custody');
});

test('a change of something else releases nothing; a change that leaves it held holds it again, as old as it is', async (context) => {
  const transfer = await open(context);
  await transfer.start();
  await transfer.directory.apply(hold(BOB));
  await transfer.accept(toBob);
  const [before] = transfer.queue();
  await transfer.directory.apply(replace(userDn(ANN), { mailUserStatus: 'overquota' }));
  await transfer.directory.apply(active(ANN));
  await transfer.accept({ ...toBob, to: [ANN] });
  assert.equal(transfer.queue()[0]?.id, before?.id);
  const created = (): unknown => transfer.directory.reader.get('SELECT created FROM queue')?.['created'];
  const first = created();
  await transfer.directory.apply(replace(userDn(BOB), { mail: BOB, mailAlternateAddress: 'rob@acme.example' }));
  await transfer.until('it has been resolved again', () => transfer.queue()[0]?.id !== before?.id);
  await transfer.until('it is held again', () => transfer.queue()[0]?.state === 'held');
  assert.equal(created(), first);
});

test('a change that no held row waits for is nothing to the writer', async (context) => {
  const transfer = await open(context);
  const { reader, writer: real } = transfer.directory;
  const asked: string[] = [];
  const writer: Writer = {
    execute(called, args) {
      asked.push((args as unknown as ReleaseArguments).destination);
      return real.execute(called, args);
    },
  };
  const release = new Release({ reader, writer, log: silentLog, paused: () => [] });
  release.start();
  await transfer.directory.apply(hold(BOB));
  await transfer.accept(toBob);
  await transfer.directory.apply(hold(ANN));
  await transfer.directory.apply(active(BOB), active(ANN));
  release.wake();
  await transfer.until('bob is released', () => transfer.queue()[0]?.channel === 'reprocess');
  await release.stop();
  assert.deepEqual([...new Set(asked)], [ENTRY_OF_BOB]);
});

test('who is gone, refused or elsewhere by then: a report, a wait, a row for the other host', async (context) => {
  const names = ['cat', 'dan', 'eve'].map((name) => `${name}@acme.example`) as [string, string, string];
  const [cat, dan, eve] = names;
  const transfer = await open(context, { policy: { retryMs: [3_600_000], expireMs: 86_400_000 } });
  await transfer.directory.apply(...names.map((name) => addUser(name, { mailUserStatus: 'hold' })));
  await transfer.start();
  await transfer.accept({ from: ANN, to: names, text: TEXT });
  assert.equal(transfer.queue().length, 3);
  await transfer.directory.apply(
    remove(userDn(cat)),
    replace(userDn(dan), { mailUserStatus: 'overquota' }),
    replace(userDn(eve), { mailUserStatus: 'active', mailHost: 'mail2.example' }),
  );
  await transfer.until('the report', async () => (await transfer.inbox(ANN)).length === 1);
  await transfer.until('both were tried', () => transfer.queue().every(({ attempts }) => attempts === 1));
  assert.deepEqual(
    transfer.queue().map(({ channel, destination, recipient, state }) => [channel, destination, recipient, state]),
    [
      ['reprocess', '', dan, 'waiting'],
      ['smtp', '[mail2.example]', eve, 'waiting'],
    ],
  );
  const [report] = await transfer.inbox(ANN);
  assert.match(report ?? '', /^Final-Recipient: rfc822; cat@acme\.example\r\nAction: failed\r\nStatus: 5\.1\.1\r\n/m);
});

test('a domain that is held, and a person of it who is held beside', async (context) => {
  const transfer = await open(context);
  await transfer.start();
  await transfer.directory.apply(replace(domainDn('acme.example'), { mailDomainStatus: 'hold' }), hold(BOB));
  await transfer.accept({ from: '', to: [ANN, BOB], text: TEXT });
  assert.deepEqual(
    transfer.queue().map(({ waitsFor }) => waitsFor),
    ['route acme.example', 'route acme.example'],
  );
  await transfer.directory.apply(replace(domainDn('acme.example'), { mailDomainStatus: 'active' }));
  await transfer.until('ann has it', async () => (await transfer.inbox(ANN)).length === 1);
  await transfer.until('bob is held', () => transfer.queue()[0]?.waitsFor === ENTRY_OF_BOB);
  await transfer.directory.apply(active(BOB));
  await transfer.drained();
  assert.equal((await transfer.inbox(BOB)).length, 1);
});

test('an administrator has a held row resolved again', async (context) => {
  const transfer = await open(context);
  await transfer.directory.apply(hold(BOB));
  await transfer.accept(toBob);
  const rows = transfer.queue().map(({ id }) => id);
  await transfer.directory.writer.execute(releaseRows, { rows, at: Date.now() });
  assert.deepEqual(
    transfer.queue().map(({ channel, state }) => [channel, state]),
    [['reprocess', 'waiting']],
  );
  await transfer.start();
  await transfer.until('it is held again', () => transfer.queue()[0]?.state === 'held');
});

test('a hold that is paused releases nothing until it is resumed', async (context) => {
  const transfer = await open(context);
  await transfer.start();
  const channel = 'cn=hold,ou=Channels,ou=Waypost,o=internet';
  const words = { objectClass: 'waypostChannel', cn: 'hold', waypostChannelKind: 'hold', waypostPaused: 'TRUE' };
  await transfer.directory.apply(hold(BOB), add(channel, words));
  await transfer.accept(toBob);
  await transfer.directory.apply(active(BOB));
  // Another one goes through meanwhile: what could be released has been.
  await transfer.accept({ ...toBob, to: [ANN] });
  const slice = {
    destination: ENTRY_OF_BOB,
    by: 'routing' as const,
    after: idOf<QueueRowId>(0),
    last: idOf<QueueRowId>(1000),
  };
  await transfer.directory.writer.execute(releaseSlice, { ...slice, paused: ['hold'] });
  const rows = transfer.queue().map(({ id }) => id);
  await transfer.directory.writer.execute(releaseRows, { rows, at: Date.now() });
  assert.equal(transfer.queue()[0]?.state, 'held');
  await transfer.directory.apply(replace(channel, { waypostPaused: [] }));
  await transfer.drained();
  assert.equal((await transfer.inbox(BOB)).length, 1);
});

test('a slice takes 500, and those that came behind the change wait for the next', async (context) => {
  const transfer = await open(context);
  const people = Array.from({ length: 30 }, (_, i) => `p${i}@acme.example`);
  await transfer.directory.apply(...people.map((name) => addUser(name)));
  await transfer.directory.apply(replace(domainDn('acme.example'), { mailDomainStatus: 'hold' }));
  for (let i = 0; i < 20; i++) await transfer.accept({ from: '', to: people, text: TEXT });
  const { writer, reader } = transfer.directory;
  const held = (): number => Number(reader.get("SELECT count(*) AS n FROM queue WHERE state = 'held'")?.['n']);
  assert.equal(held(), 600);
  const slice = { destination: 'route acme.example', by: 'routing' as const, last: idOf<QueueRowId>(550), paused: [] };
  const end = await writer.execute(releaseSlice, { ...slice, after: idOf<QueueRowId>(0) });
  assert.equal(end, 500);
  assert.equal(held(), 100);
  assert.equal(await writer.execute(releaseSlice, { ...slice, after: end }), 550);
  assert.equal(await writer.execute(releaseSlice, { ...slice, after: idOf<QueueRowId>(550) }), undefined);
  assert.equal(held(), 50);
  // As a kill between two slices leaves it: the next start does the rest.
  await transfer.directory.apply(replace(domainDn('acme.example'), { mailDomainStatus: 'active' }));
  await transfer.start();
  await transfer.drained();
  for (const name of people) assert.equal((await transfer.inbox(name)).length, 20, name);
});

test('a member elsewhere whom a rule has held stays accepted, whoever had written to the list', async (context) => {
  const sink = await RemoteHost.start({}, '127.0.0.2');
  context.after(() => sink.close());
  const transfer = await open(context, { nextHop: { 'partner.example': sink.nextHop } });
  const [list, rule] = ['all@acme.example', 'cn=partner,ou=Rules,ou=Waypost,o=internet'];
  const words = { waypostPattern: 'partner.example', waypostTemplate: '$U%$D@hold' };
  await transfer.directory.apply(
    addGroup(list, [userDn(ANN)], { mgrpRFC822MailMember: 'rex@partner.example' }),
    add(rule, { objectClass: 'waypostRewriteRule', cn: 'partner', ...words }),
  );
  await transfer.start();
  await transfer.accept({ from: 'stranger@other.example', to: [list], text: TEXT, mayRelay: false });
  assert.deepEqual(
    transfer.queue().map(({ recipient, state }) => [recipient, state]),
    [['rex@partner.example', 'held']],
  );
  await transfer.directory.apply(remove(rule));
  await transfer.drained();
  assert.deepEqual(
    sink.messages.map(({ sender, recipients }) => [sender, recipients]),
    [['stranger@other.example', ['rex@partner.example']]],
  );
});

/** What happens, one after another; `restart` stands for a kill: nothing of this thread's memory is left. */
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ what: fc.constant('mail' as const), to: fc.subarray([0, 1, 2], { minLength: 1 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant('status' as const),
      who: fc.constantFrom(0, 1, 2, 3),
      to: fc.constantFrom('active', 'hold', 'hold'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('restart' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** `who` 3 is the domain. In the end nobody is held, and each has each message once. */
async function play(steps: readonly Step[]): Promise<void> {
  const transfer = await TestTransfer.open();
  try {
    const people = ['p0', 'p1', 'p2'].map((name) => `${name}@acme.example`);
    const setStatus = (who: number, status: string) =>
      transfer.directory.apply(
        who === 3
          ? replace(domainDn('acme.example'), { mailDomainStatus: status })
          : replace(userDn(people[who]!), { mailUserStatus: status }),
      );
    await transfer.directory.apply(addDomain('acme.example'), ...people.map((name) => addUser(name)));
    await transfer.start();
    const sent: string[][] = people.map(() => []);
    for (const [index, each] of steps.entries()) {
      if (each.what === 'restart') await transfer.start();
      else if (each.what === 'status') await setStatus(each.who, each.to);
      else {
        const to = each.to.map((who) => people[who]!);
        await transfer.accept({ from: '', to, text: `Subject: m${index}\r\n\r\nx\r\n` });
        for (const who of each.to) sent[who]!.push(`m${index}`);
      }
    }
    for (const who of [3, 0, 1, 2]) await setStatus(who, 'active');
    await transfer.drained();
    for (const [who, name] of people.entries()) {
      const got = (await transfer.inbox(name)).map((text) => /^Subject: (\S+)\r\n/m.exec(text)?.[1]);
      assert.deepEqual(got.sort(), sent[who]!.sort(), name);
    }
  } finally {
    await transfer.close();
  }
}

test('whatever is held and released in whatever order: each message arrives once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), (steps) => play(steps)),
    { numRuns: 25, endOnFailure: true },
  );
});

test('what a rewrite rule holds waits for that rule, and goes on when it goes', async (context) => {
  const transfer = await open(context);
  await transfer.start();
  const dn = 'cn=held,ou=Rules,ou=Waypost,o=internet';
  const rule = { objectClass: 'waypostRewriteRule', waypostPattern: '$*', waypostTemplate: '$U%$H@hold' };
  await transfer.directory.apply(add(dn, rule));
  await transfer.accept(toBob);
  assert.deepEqual(
    transfer.queue().map(({ state, waitsFor }) => [state, waitsFor]),
    [['held', `rule ${dn.toLowerCase()}`]],
  );
  await transfer.directory.apply(remove(dn));
  await transfer.drained();
  assert.equal((await transfer.inbox(BOB)).length, 1);
});
