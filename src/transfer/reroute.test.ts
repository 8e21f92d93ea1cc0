// Rows for other hosts, when the tables have moved: each goes where its recipient is by then, once.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../base/failure.ts';
import { idOf, type QueueRowId } from '../base/ids.ts';
import { ANONYMOUS } from '../directory/caller.ts';
import { RemoteHost } from '../estate/remote-host.ts';
import type { RemoteHostScript } from '../estate/remote-script.ts';
import { parseAddress } from '../message/address.ts';
import {
  add,
  addDomain,
  addGroup,
  addUser,
  domainDn,
  groupDn,
  remove,
  replace,
  userDn,
} from '../provisioning/testing.ts';
import { retryAll } from './manage.ts';
import { carriedBy, queueRow } from './queue.ts';
import { rerouted } from './reroute.ts';
import { TestTransfer } from './testing.ts';

const TEXT = 'Subject: x\r\n\r\nx\r\n';
const ANN = 'ann@acme.example';
const BOB = 'bob@acme.example';
const BUSY: RemoteHostScript = { rcpt: '451 4.3.0 not now' };
const LONG = { retryMs: [3_600_000], expireMs: 86_400_000 };

const host = (name: string, sink: RemoteHost) =>
  add(`cn=${name},ou=Hosts,ou=Waypost,o=internet`, {
    objectClass: 'waypostHost',
    cn: name,
    waypostHostAddress: sink.host,
    waypostHostPort: String(sink.port),
  });

const mailHost = (address: string, name: string) => replace(userDn(address), { mailHost: name });

/** ann is here; bob at the first of two other hosts, which takes nothing for now. */
async function open(context: TestContext) {
  const [first, second] = [await RemoteHost.start(BUSY, '127.0.0.2'), await RemoteHost.start({}, '127.0.0.3')];
  const transfer = await TestTransfer.open({ policy: LONG, nextHop: { 'remote.example': first.nextHop } });
  context.after(async () => {
    await transfer.close();
    await first.close();
    await second.close();
  });
  await transfer.directory.apply(
    host('one.example', first),
    host('two.example', second),
    addDomain('acme.example'),
    addUser(ANN),
    addUser(BOB, { mailHost: 'one.example' }),
  );
  await transfer.start();
  const tried = (attempts: number) =>
    transfer.until(`${attempts} attempts`, () => transfer.queue().every((row) => row.attempts === attempts));
  return { first, second, transfer, tried };
}

const toBob = { from: ANN, to: [BOB], text: TEXT };

test('what has come from a host goes back there once its recipient has moved there', async (context) => {
  const { second, transfer } = await open(context);
  const [held, back] = [{ mailUserStatus: 'hold' }, { mailUserStatus: [] }];
  await transfer.directory.apply(replace(userDn(BOB), held));
  await transfer.accept({ ...toBob, client: second.host });
  await transfer.directory.apply(mailHost(BOB, 'two.example'), replace(userDn(BOB), back));
  await transfer.drained();
  assert.equal(second.messages.length, 1);
});

test('another mail host: what is queued goes there, its envelope unchanged', async (context) => {
  const { first, second, transfer, tried } = await open(context);
  const message = await transfer.accept(toBob);
  await tried(1);
  assert.equal(transfer.queue()[0]?.destination, '[one.example]');
  await transfer.directory.apply(mailHost(BOB, 'two.example'));
  await retryAll(transfer.directory.writer);
  await transfer.drained();
  assert.deepEqual(
    second.messages.map(({ sender, recipients }) => [sender, recipients]),
    [[ANN, [BOB]]],
  );
  assert.equal(first.messages.length, 0);
  assert.deepEqual(transfer.events(message).slice(-3), [`rerouted ${BOB}`, `queued ${BOB}`, `relayed ${BOB}`]);
  assert.equal(transfer.counts.get('smtp delivered'), 1);
});

test('here by now: into the INBOX', async (context) => {
  const { transfer, tried } = await open(context);
  const message = await transfer.accept(toBob);
  await tried(1);
  await transfer.directory.apply(mailHost(BOB, 'mail.test.example'));
  await retryAll(transfer.directory.writer);
  await transfer.drained();
  assert.equal((await transfer.inbox(BOB)).length, 1);
  assert.deepEqual(transfer.events(message).slice(-2), [`rerouted ${BOB}`, `delivered ${BOB}`]);
});

test('gone: a report; refused for now: it waits, and no host is asked', async (context) => {
  const { first, transfer, tried } = await open(context);
  await transfer.directory.apply(addUser('cat@acme.example', { mailHost: 'one.example' }));
  await transfer.accept({ ...toBob, to: [BOB, 'cat@acme.example'] });
  await tried(1);
  first.script = {};
  await transfer.directory.apply(
    remove(userDn(BOB)),
    replace(userDn('cat@acme.example'), { mailUserStatus: 'inactive' }),
  );
  await retryAll(transfer.directory.writer);
  await transfer.until('the report', async () => (await transfer.inbox(ANN)).length === 1);
  await transfer.until('one waits', () => transfer.queue().length === 1 && transfer.queue()[0]?.attempts === 2);
  const [report] = await transfer.inbox(ANN);
  assert.match(report ?? '', /^Final-Recipient: rfc822; bob@acme\.example\r\nAction: failed\r\nStatus: 5\.1\.1\r\n/m);
  assert.match(transfer.queue()[0]?.lastError ?? '', /^450 4\.2\.1 /);
  assert.equal(first.messages.length, 0);
});

test('a change of something else: the same row, its attempts counted on', async (context) => {
  const { transfer, tried } = await open(context);
  await transfer.accept(toBob);
  await tried(1);
  const [before] = transfer.queue();
  await transfer.directory.apply(replace(userDn(ANN), { mailUserStatus: 'overquota' }));
  await retryAll(transfer.directory.writer);
  await tried(2);
  assert.equal(transfer.queue()[0]?.id, before?.id);
});

test('members of a list elsewhere stay accepted, and the list is not expanded again', async (context) => {
  const { first, transfer, tried } = await open(context);
  const list = 'all@acme.example';
  await transfer.directory.apply(
    addGroup(list, [userDn(ANN), userDn(BOB)], { mgrpRFC822MailMember: 'rex@remote.example' }),
  );
  const sender = parseAddress('stranger@other.example');
  const message = await transfer.take(sender, TEXT);
  const envelope = { sender, recipients: [{ address: parseAddress(list) }], body: '7BIT' as const };
  const submission = {
    envelope,
    message,
    caller: ANONYMOUS,
    mayRelay: false,
    door: 'smtp',
    refused: 'report',
  } as const;
  await transfer.submit(submission).finally(() => message.pending.settle());
  assert.equal(transfer.queue().length, 2);
  await tried(1);
  first.script = {};
  // A member more, and one less: neither concerns what has been accepted.
  await transfer.directory.apply(
    addUser('new@acme.example'),
    replace(groupDn(list), { uniqueMember: userDn('new@acme.example') }),
  );
  await retryAll(transfer.directory.writer);
  await transfer.drained();
  assert.deepEqual(first.messages.flatMap(({ recipients }) => recipients).sort(), [BOB, 'rex@remote.example']);
  assert.deepEqual(await transfer.inbox('new@acme.example'), []);
  assert.equal((await transfer.inbox(ANN)).length, 1);
});

test('a recipient that was routed on is resolved again by the address that was asked for', async (context) => {
  const { first, transfer, tried } = await open(context);
  await transfer.directory.apply(
    replace(userDn(BOB), { mailHost: 'one.example', mailRoutingAddress: 'bob@inside.example' }),
  );
  await transfer.accept(toBob);
  await tried(1);
  const [before] = transfer.queue();
  assert.equal(before?.recipient, 'bob@inside.example');
  await transfer.directory.apply(replace(userDn(ANN), { mailUserStatus: 'overquota' }));
  first.script = {};
  await retryAll(transfer.directory.writer);
  await transfer.drained();
  assert.deepEqual(
    first.messages.map(({ recipients }) => recipients),
    [['bob@inside.example']],
  );
});

test('what waits for a host that cannot be reached goes elsewhere, too', async (context) => {
  const { first, second, transfer } = await open(context);
  await first.close();
  for (let i = 0; i < 8; i++) await transfer.accept(toBob);
  await transfer.until('all were put off', () => transfer.queue().every(({ attempts }) => attempts === 1));
  await transfer.directory.apply(mailHost(BOB, 'two.example'));
  await retryAll(transfer.directory.writer);
  await transfer.drained();
  assert.equal(second.messages.length, 8);
});

test('tables that cannot be read put a row off', async (context) => {
  const { transfer, tried } = await open(context);
  await transfer.accept(toBob);
  await tried(1);
  const { reader } = transfer.directory;
  const row = queueRow(reader.get('SELECT * FROM queue')!);
  const routing = { resolve: () => Promise.reject(new Failure('unavailable', 'the database is away')) };
  const look = (lastOfBefore: QueueRowId) =>
    rerouted({ routing, moved: reader.routingRevision(), lastOfBefore }, row, carriedBy(row));
  assert.equal(await look(idOf(0)), undefined, 'nothing has moved');
  assert.notEqual(await look(row.id), undefined, 'an earlier run has planned it');
  await transfer.directory.apply(mailHost(BOB, 'two.example'));
  const said = await look(idOf(0));
  assert.deepEqual([said?.result, said?.status], ['deferred', '4.3.0']);
});

test('a domain that is a mail domain no more: by a rule that is for it, whoever had sent it', async (context) => {
  const { second, transfer, tried } = await open(context);
  await transfer.directory.apply(addDomain('split.example', { mailRoutingSmartHost: '[one.example]' }));
  await transfer.accept({ ...toBob, to: ['rex@split.example'] });
  await tried(1);
  await transfer.directory.apply(
    add('cn=split,ou=Rules,ou=Waypost,o=internet', {
      objectClass: 'waypostRewriteRule',
      waypostPattern: 'split.example',
      waypostTemplate: `$U@$D@${second.nextHop}@smtp`,
    }),
    remove(domainDn('split.example')),
  );
  await retryAll(transfer.directory.writer);
  await transfer.drained();
  assert.deepEqual(
    second.messages.map(({ recipients }) => recipients),
    [['rex@split.example']],
  );
});

const PLACES = ['mail.test.example', 'one.example', 'two.example'];
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ what: fc.constant('mail' as const), to: fc.subarray([0, 1, 2], { minLength: 1 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ what: fc.constant('move' as const), who: fc.nat(2), to: fc.constantFrom(...PLACES) }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('busy' as const), sink: fc.nat(1), is: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('restart' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function play(steps: readonly Step[]): Promise<void> {
  const sinks = [await RemoteHost.start(BUSY, '127.0.0.2'), await RemoteHost.start({}, '127.0.0.3')] as const;
  const transfer = await TestTransfer.open({ policy: { retryMs: [5], expireMs: 3_600_000 } });
  try {
    const people = ['p0', 'p1', 'p2'].map((name) => `${name}@acme.example`);
    await transfer.directory.apply(
      host('one.example', sinks[0]),
      host('two.example', sinks[1]),
      addDomain('acme.example'),
      ...people.map((name, index) => addUser(name, { mailHost: PLACES[index]! })),
    );
    await transfer.start();
    const sent: string[] = [];
    for (const [index, each] of steps.entries()) {
      if (each.what === 'restart') await transfer.start();
      else if (each.what === 'move') await transfer.directory.apply(mailHost(people[each.who]!, each.to));
      else if (each.what === 'busy') sinks[each.sink]!.script = each.is ? BUSY : {};
      else {
        const to = each.to.map((who) => people[who]!);
        await transfer.accept({ from: '', to, text: `Subject: m${index}\r\n\r\nx\r\n` });
        sent.push(...to.map((name) => `m${index} ${name}`));
      }
    }
    for (const sink of sinks) sink.script = {};
    await transfer.drained();
    const subject = (text: string): string => /^Subject: (\S+)\r\n/m.exec(text)?.[1] ?? '';
    const got = sinks.flatMap(({ messages }) =>
      messages.flatMap(({ recipients, data }) => recipients.map((name) => `${subject(data)} ${name}`)),
    );
    await transfer.directory.apply(...people.map((name) => mailHost(name, PLACES[0]!)));
    for (const name of people) got.push(...(await transfer.inbox(name)).map((text) => `${subject(text)} ${name}`));
    assert.deepEqual(got.sort(), sent.sort());
  } finally {
    await transfer.close();
    for (const sink of sinks) await sink.close();
  }
}

test('people move between hosts while their mail waits: each message arrives once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 12 }), (steps) => play(steps)),
    { numRuns: 20, endOnFailure: true },
  );
});
