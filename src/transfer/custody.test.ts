// Custody: mail for a domain that waits for a word is kept, delivered once when the domain comes, and never lost or sent back to a stranger.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { DAY_MS } from '../base/duration.ts';
import { silentLog } from '../base/log.ts';
import { operation } from '../database/operation.ts';
import { SERVER } from '../directory/caller.ts';
import { RemoteHost } from '../estate/remote-host.ts';
import { type DomainState, reachState } from '../provisioning/domain-state.ts';
import { decideOperations } from '../provisioning/pending/decide.ts';
import { seePending } from '../provisioning/pending/entries.ts';
import { add, addDomain, addUser, domainDn, remove, replace, testSite } from '../provisioning/testing.ts';
import { sitePostmasterDn } from '../routing/compile.ts';
import { CustodyWatch } from './custody-watch.ts';
import { holdRows, releaseRows } from './hold.ts';
import { removeRows } from './manage.ts';
import { type Sent, TestTransfer } from './testing.ts';

const TEXT = 'Subject: hello\r\n\r\nThe whole of it.\r\n';
const NEW = 'new.example';
const ANN = `ann@${NEW}`;
/** As port 25 takes it. */
const STRANGER: Sent = { from: 'rex@remote.example', to: [ANN], text: TEXT, mayRelay: false, custody: [NEW] };
const LOGIN = { kind: 'entry', uuid: '00000000-0000-4000-8000-000000000000', dn: 'uid=x,o=internet' } as const;
const tombstone = (name: string) =>
  add(`associatedDomain=${name},ou=Tombstones,ou=Waypost,o=internet`, { objectClass: 'waypostTombstone' });

async function open(context: TestContext, replies: Parameters<typeof RemoteHost.start>[0] = {}) {
  const sink = await RemoteHost.start(replies);
  const hops = ['remote.example', 'far.example'].map((name) => [name, sink.nextHop]);
  const transfer = await TestTransfer.open({
    nextHop: Object.fromEntries(hops),
    policy: { retryMs: [20], expireMs: 60_000, delaysMs: [1] },
  });
  context.after(async () => {
    await transfer.close();
    await sink.close();
  });
  await transfer.start();
  return { sink, transfer };
}

function watch(transfer: TestTransfer, days = 0): CustodyWatch {
  const { reader, writer } = transfer.directory;
  const clock = { ...systemClock, now: () => Date.now() + days * DAY_MS };
  return new CustodyWatch({ reader, writer, clock, log: silentLog });
}

async function looked(custody: CustodyWatch): Promise<void> {
  custody.start();
  // What it finds it has posted by then, one after another.
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  await custody.stop();
}

/** A report to the sender it would take. */
const REFUSES_OPS = { rcpt: (address: string) => (address.startsWith('ops@') ? '550 5.1.1 nobody' : '250 ok') };

const stateOf = (transfer: TestTransfer) =>
  transfer.queue().map(({ channel, heldBy, waitsFor }) => ({ channel, heldBy, waitsFor }));
const KEPT = { channel: 'hold', heldBy: 'custody', waitsFor: `route ${NEW}` };

test('it is kept through starts, retries and releases, as old as it is, and delivered once when its domain comes', async (context) => {
  const { sink, transfer } = await open(context);
  const { writer, reader } = transfer.directory;
  const message = await transfer.accept(STRANGER);
  assert.deepEqual(stateOf(transfer), [KEPT]);
  assert.deepEqual(transfer.events(message), [`accepted ${ANN}`, `queued ${ANN}`]);
  const [first] = transfer.queue();
  const created = (): unknown => reader.get('SELECT created FROM queue')?.['created'];
  const at = created();
  await transfer.start();
  await transfer.accept({ ...STRANGER, to: ['postmaster'] });
  await transfer.until('other mail has gone through', async () => (await transfer.inbox('postmaster')).length === 1);
  assert.equal(transfer.queue()[0]?.id, first?.id, 'a start releases none');
  const rows = transfer.queue().map(({ id }) => id);
  assert.equal((await writer.execute(holdRows, { rows, by: 'admin', at: Date.now() })).held, 1);
  await writer.execute(releaseRows, { rows, at: Date.now() });
  await transfer.until('it is kept again', () => {
    const [row] = transfer.queue();
    return row?.id !== first?.id && row?.heldBy === 'custody';
  });
  assert.equal(created(), at);
  await transfer.directory.apply(addDomain('other.example'));
  assert.deepEqual(stateOf(transfer), [KEPT], 'another domain releases none');
  await transfer.directory.apply(addDomain(NEW), addUser(ANN));
  await transfer.drained();
  const [delivered, ...more] = await transfer.inbox(ANN);
  assert.ok(delivered?.endsWith(TEXT));
  assert.deepEqual(more, []);
  assert.deepEqual(sink.messages, [], 'nothing has gone out');
});

test('a domain that goes again before its mail is sent has it kept, not relayed', async (context) => {
  const { sink, transfer } = await open(context);
  await transfer.accept(STRANGER);
  transfer.refused.add('transfer.record');
  await transfer.directory.apply(addDomain(NEW));
  await transfer.until('it is released', () => transfer.queue()[0]?.channel === 'reprocess');
  await transfer.directory.apply(remove(domainDn(NEW)));
  transfer.refused.clear();
  await transfer.until('it is kept again', () => transfer.queue()[0]?.heldBy === 'custody');
  assert.deepEqual(sink.messages, []);
});

test('approved, and its record is to be seen first at a primary: it is kept until then, and delivered once at once', async (context) => {
  const { sink, transfer } = await open(context);
  const { writer } = transfer.directory;
  const site = { hostname: testSite.hostnames[0]!, mode: 'embedded' } as const;
  await transfer.directory.apply(
    addDomain('home.test'),
    addUser('ann@home.test'),
    add('cn=p,ou=Hosts,ou=Waypost,o=internet', {
      objectClass: 'waypostNameServer',
      waypostNameServerRole: 'primary',
      waypostNameServerAddress: '127.0.0.1:9',
      waypostZone: 'example',
    }),
    add('cn=asked,ou=Policies,ou=Waypost,o=internet', {
      objectClass: 'waypostDomainPolicy',
      waypostMatchDomain: '*',
      waypostPolicyAction: 'approve',
      waypostCustody: 'TRUE',
      mailDomainCatchallAddress: 'ann@home.test',
    }),
  );
  const now = Date.now();
  for (const [at, domain] of [NEW, 'never.example'].entries()) {
    await transfer.accept({ ...STRANGER, to: [`ann@${domain}`], custody: [domain] });
    const hit = {
      domain,
      policy: 'asked',
      action: 'approve',
      evidence: '{}',
      peer: '',
      seen: 1,
      lastSeen: now,
    } as const;
    await writer.execute(seePending, { ...hit, now: now + at });
    const [approve] = decideOperations(site);
    await writer.execute(approve, { domain, caller: SERVER, now });
  }
  await transfer.until('other mail has gone through', async () => {
    await transfer.accept({ ...STRANGER, to: ['postmaster'] });
    return (await transfer.inbox('postmaster')).length > 3;
  });
  await transfer.start();
  const kept = () => transfer.queue().filter(({ heldBy }) => heldBy === 'custody');
  await transfer.until('both are kept', () => transfer.queue().length === 2 && kept().length === 2);
  const reach = (state: DomainState) =>
    writer.execute(
      operation('test.reach', (tx) => reachState(tx, { domain: NEW, state, now, site })),
      undefined,
    );
  await reach('published');
  await transfer.start();
  await transfer.until('it is kept when it is published', () => kept().length === 2);
  await reach('active');
  await transfer.until('it is delivered', () => transfer.queue().length === 1);
  assert.equal((await transfer.inbox('ann@home.test')).length, 1);
  // What never comes goes to the postmaster, as what nobody has said a word about.
  const before = (await transfer.inbox('postmaster')).length;
  await looked(watch(transfer, 3.01));
  await transfer.drained();
  assert.equal((await transfer.inbox('postmaster')).length, before + 1);
  assert.deepEqual(sink.messages, []);
});

test('what the domain refuses once it is ours goes whole to the site postmaster, and nobody else hears of it', async (context) => {
  const { sink, transfer } = await open(context);
  await transfer.accept({ ...STRANGER, to: [ANN, `bob@${NEW}`] });
  await transfer.accept({ ...STRANGER, from: '' });
  const last = await transfer.accept({ ...STRANGER, notify: [] });
  await transfer.directory.apply(addDomain(NEW));
  await transfer.drained();
  const texts = await transfer.inbox('postmaster');
  assert.equal(texts.length, 3, 'each message once');
  assert.ok(texts.every((text) => text.endsWith(TEXT)));
  assert.ok(transfer.events(last).includes(`returned ${ANN}`));
  assert.deepEqual(sink.messages, [], 'no backscatter');
});

test('a name that is refused, and one below it: to the site postmaster; in three days the rest', async (context) => {
  const { sink, transfer } = await open(context);
  const below = `b.${NEW}`;
  const other = 'other.example';
  await transfer.accept({ ...STRANGER, to: [ANN, `ann@${below}`], custody: [NEW, below] });
  await transfer.accept({ ...STRANGER, to: [`ann@${other}`], custody: [other] });
  await looked(watch(transfer));
  assert.equal(transfer.queue().length, 3, 'nobody has said a word');
  await transfer.directory.apply(tombstone(NEW));
  await looked(watch(transfer));
  await transfer.until('what was refused is gone', () => transfer.queue().length === 1);
  assert.equal((await transfer.inbox('postmaster')).length, 1);
  await looked(watch(transfer, 2.99));
  assert.equal(transfer.queue().length, 1);
  await looked(watch(transfer, 3.01));
  await transfer.drained();
  assert.equal((await transfer.inbox('postmaster')).length, 2);
  assert.deepEqual(sink.messages, []);
});

test('who had logged in gets a report of it, refused or after three days', async (context) => {
  const { sink, transfer } = await open(context);
  await transfer.accept({ ...STRANGER, caller: LOGIN });
  await looked(watch(transfer, 3.01));
  await transfer.drained();
  assert.equal(sink.messages.length, 1);
  assert.match(sink.messages[0]!.data, /5\.4\.7/);
  assert.deepEqual(await transfer.inbox('postmaster'), []);
});

test('what a user of the domain sends on and another host refuses, and what an administrator gives back', async (context) => {
  const { sink, transfer } = await open(context, REFUSES_OPS);
  await transfer.accept(STRANGER);
  await transfer.directory.apply(
    addDomain(NEW),
    addUser(ANN, { mailDeliveryOption: 'forward', mailForwardingAddress: 'ops@far.example' }),
  );
  await transfer.drained();
  assert.equal((await transfer.inbox('postmaster')).length, 1);
  await transfer.accept({ ...STRANGER, to: ['ann@other.example'], custody: ['other.example'] });
  const rows = transfer.queue().map(({ id }) => id);
  await transfer.directory.writer.execute(removeRows, { rows, report: true, at: Date.now() });
  await transfer.drained();
  assert.equal((await transfer.inbox('postmaster')).length, 2);
  assert.deepEqual(sink.messages, []);
});

test('what the postmaster’s own way refuses is held for the administrator: nothing is dropped', async (context) => {
  const { sink, transfer } = await open(context, REFUSES_OPS);
  const elsewhere = { mailDeliveryOption: 'forward', mailForwardingAddress: 'ops@far.example' };
  await transfer.directory.apply(replace(sitePostmasterDn(), elsewhere));
  await transfer.accept(STRANGER);
  await transfer.directory.apply(tombstone(NEW));
  await looked(watch(transfer));
  await transfer.until('it is held', () => transfer.queue()[0]?.heldBy === 'admin');
  assert.equal(transfer.queue().length, 1);
  assert.deepEqual(sink.messages, []);
});

test('twenty messages of a domain, a thousand and 100 MiB of all; beyond them 451, and nothing is kept of it', async (context) => {
  const { transfer } = await open(context);
  const { writer } = transfer.directory;
  const sql = (text: string) =>
    writer.execute(
      operation('test.sql', async (tx) => {
        await tx.run(text);
      }),
      undefined,
    );
  const submit = async (domain: string, more: readonly string[] = []): Promise<string> => {
    const to = [`x@${domain}`, ...more];
    const before = transfer.queue().length;
    const message = await transfer.accept({ ...STRANGER, to, custody: [domain] });
    const kept = transfer.queue().length - before;
    const isKept = transfer.events(message).length > 0;
    return `${kept} ${isKept}`;
  };
  for (let at = 0; at < 20; at++) assert.equal(await submit(NEW), '1 true');
  assert.equal(await submit(NEW), '0 false');
  // Nobody gets it then, so that the client, which tries again, sends it to all.
  assert.equal(await submit(NEW, ['postmaster']), '0 false');
  assert.deepEqual(await transfer.inbox('postmaster'), []);
  assert.equal(await submit('other.example'), '1 true');
  const octets = 100 * 1024 ** 2 - 21 * 200;
  await sql(
    `UPDATE queue SET options = json_set(options, '$.request.sizeBytes', CASE id WHEN (SELECT max(id) FROM queue) THEN ${octets} ELSE 10 END)`,
  );
  assert.equal(await submit('third.example'), '1 true');
  await sql(`UPDATE queue SET options = json_set(options, '$.request.sizeBytes', ${octets / 20})`);
  assert.equal(await submit('third.example'), '0 false');
  await sql("UPDATE queue SET options = json_set(options, '$.request.sizeBytes', 10)");
  const columns =
    'tenant, channel, sender, recipient, options, state, held_by, created, next_attempt, attempts, waited, lease';
  await sql(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 978)
     INSERT INTO queue (message, destination, ${columns})
       SELECT -i, 'route x' || (i / 20), ${columns.replaceAll(/(\w+)/g, 'queue.$1')} FROM n, queue WHERE queue.id = 1`,
  );
  assert.equal(await submit('third.example'), '0 false');
  await sql('DELETE FROM queue WHERE message = -1');
  assert.equal(await submit('third.example'), '1 true');
  await sql('DELETE FROM queue WHERE message < 0');
});
