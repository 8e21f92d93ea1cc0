// What a channel's entry says of its queue: paused, how many at once, how often and how long, how large; and what is dropped.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Operation } from '../database/operation.ts';
import { SERVER } from '../directory/caller.ts';
import type { DirectoryChange } from '../directory/entry.ts';
import { RemoteHost } from '../estate/remote-host.ts';
import type { RemoteHostScript } from '../estate/remote-script.ts';
import { parseAddress } from '../message/address.ts';
import { type ChangeArguments, type ChangeSummary, changeOperation } from '../provisioning/change.ts';
import { add, addDomain, addUser, remove, replace, testSite, userDn } from '../provisioning/testing.ts';
import { ANY_SITE } from '../provisioning/write-options.ts';
import { replies } from '../routing/replies.ts';
import { INTERNAL_REQUEST } from '../routing/route-request.ts';
import { hopTarget } from '../routing/targets.ts';
import { acceptBy, acceptOperation } from './accept-operation.ts';
import { keepUsedChannel } from './channel-guard.ts';
import { discardChannel } from './channels/discard.ts';
import { OutgoingTls } from './channels/outgoing-tls.ts';
import { storeChannel } from './channels/store.ts';
import { encodeMail } from './mail-text.ts';
import { retryAll } from './manage.ts';
import { TestTransfer, type TestTransferOptions } from './testing.ts';

const TEXT = 'Subject: x\r\n\r\nx\r\n';
const ANN = 'ann@acme.example';
const LONG = { retryMs: [3_600_000], expireMs: 86_400_000 };

const dn = (name: string): string => `cn=${name},ou=Channels,ou=Waypost,o=internet`;
const channel = (name: string, kind: string, ...keywords: readonly string[]): DirectoryChange =>
  add(dn(name), {
    objectClass: 'waypostChannel',
    cn: name,
    waypostChannelKind: kind,
    ...(keywords.length === 0 ? {} : { waypostKeyword: keywords }),
  });
const pause = (name: string): DirectoryChange => replace(dn(name), { waypostPaused: 'TRUE' });
const resume = (name: string): DirectoryChange => replace(dn(name), { waypostPaused: [] });

async function open(context: TestContext, script: RemoteHostScript = {}, options: TestTransferOptions = {}) {
  const sink = await RemoteHost.start(script);
  const transfer = await TestTransfer.open({ nextHop: { 'remote.example': sink.nextHop }, ...options });
  context.after(async () => {
    await transfer.close();
    await sink.close();
  });
  await transfer.directory.apply(addDomain('acme.example'), addUser(ANN));
  await transfer.start();
  return { sink, transfer };
}

const toRemote = { from: ANN, to: ['rex@remote.example'], text: TEXT };

test('nothing leaves a paused channel; its reports do', async (context) => {
  const { sink, transfer } = await open(context);
  await transfer.directory.apply(channel('smtp', 'smtp'), pause('smtp'));
  const first = await transfer.accept(toRemote);
  // It goes through all the same: one that is in no channel's queue.
  await transfer.accept({ ...toRemote, to: [ANN] });
  assert.equal((await transfer.inbox(ANN)).length, 1);
  assert.deepEqual(
    transfer.queue().map(({ state, attempts }) => [state, attempts]),
    [['waiting', 0]],
  );
  assert.equal(sink.messages.length, 0);
  await transfer.directory.apply(resume('smtp'));
  await transfer.drained();
  assert.equal(sink.messages.length, 1);
  assert.ok(transfer.events(first).includes('relayed rex@remote.example'));
});

test('a pause that comes while rows wait for their turn gives them back', async (context) => {
  const { sink, transfer } = await open(context, { greeting: { silence: true } }, { deliveriesMax: 1, policy: LONG });
  for (let i = 0; i < 4; i++) await transfer.accept(toRemote);
  await transfer.until('they are leased', () => transfer.queue().every(({ state }) => state === 'active'));
  await transfer.directory.apply(channel('smtp', 'smtp'), pause('smtp'));
  await sink.close();
  await transfer.until(
    'three are back',
    () => transfer.queue().filter(({ state }) => state === 'waiting').length === 4,
  );
  assert.ok(transfer.queue().filter(({ attempts }) => attempts === 0).length >= 3);
});

test('store, paused: queued, then one copy for each account', async (context) => {
  const { transfer } = await open(context);
  await transfer.directory.apply(channel('store', 'store'), pause('store'));
  await transfer.directory.apply(addUser('bob@acme.example', { mailAlternateAddress: 'rob@acme.example' }));
  const message = await transfer.accept({ ...toRemote, to: [ANN, 'bob@acme.example', 'rob@acme.example'] });
  assert.deepEqual(
    transfer.queue().map(({ channel: name, state, recipient }) => [name, state, recipient]),
    [
      ['store', 'waiting', ANN],
      ['store', 'waiting', 'bob@acme.example'],
    ],
  );
  assert.ok(!transfer.events(message).includes(`delivered ${ANN}`));
  await transfer.directory.apply(resume('store'));
  await transfer.drained();
  for (const address of [ANN, 'bob@acme.example']) assert.equal((await transfer.inbox(address)).length, 1, address);
});

test('backoff and notices: in place of [queue]', async (context) => {
  const { transfer } = await open(context, { rcpt: '451 4.3.0 not now' }, { policy: LONG });
  await transfer.directory.apply(channel('smtp', 'smtp', 'backoff 1s', 'notices 1s'));
  await transfer.accept(toRemote);
  await transfer.drained();
  const [report] = await transfer.inbox(ANN);
  assert.match(report ?? '', /^Action: failed\r\nStatus: 4\.4\.7\r\n/m);
});

test('blocklimit: refused by its size, a report where others take it', async (context) => {
  const { sink, transfer } = await open(context);
  await transfer.directory.apply(channel('smtp', 'smtp', 'blocklimit 1KiB'));
  const large = `Subject: large\r\n\r\n${'x'.repeat(70)}\r\n`.padEnd(2000, 'y\r\n');
  await transfer.accept({ from: ANN, to: ['rex@remote.example', ANN], text: large });
  await transfer.drained();
  const [, report] = await transfer.inbox(ANN);
  assert.match(report ?? '', /^Final-Recipient: rfc822; rex@remote\.example\r\nAction: failed\r\nStatus: 5\.3\.4\r\n/m);
  await transfer.accept(toRemote);
  await transfer.drained();
  assert.equal(sink.messages.length, 1);
});

test('musttls, notls: as the channel says, unless the configuration says something of the domain', async (context) => {
  const { sink, transfer } = await open(context, {}, { policy: LONG });
  await transfer.directory.apply(channel('smtp', 'smtp', 'musttls'));
  await transfer.accept(toRemote);
  await transfer.until('it was put off', () => transfer.queue()[0]?.attempts === 1);
  assert.match(transfer.queue()[0]?.lastError ?? '', /TLS is required/);
  await transfer.start({ tls: new OutgoingTls(new Map([['remote.example', 'off']]), undefined) });
  await retryAll(transfer.directory.writer);
  await transfer.drained();
  assert.equal(sink.messages[0]?.tls, undefined);
  await transfer.start();
  await transfer.directory.apply(replace(dn('smtp'), { waypostKeyword: 'notls' }));
  // It would break off where TLS were begun.
  sink.script = { tls: 'broken' };
  sink.commands.length = 0;
  await transfer.accept(toRemote);
  await transfer.drained();
  assert.ok(!sink.commands.some((command) => command.startsWith('STARTTLS')));
});

test('maxjobs: no more deliveries at once', async (context) => {
  let most = 0;
  const { sink, transfer } = await open(context, {
    rcpt: () => {
      most = Math.max(most, sink.open);
      return '250 ok';
    },
  });
  await transfer.directory.apply(channel('smtp', 'smtp', 'maxjobs 1'));
  await Promise.all(Array.from({ length: 12 }, () => transfer.accept(toRemote)));
  await transfer.drained();
  assert.equal(sink.messages.length, 12);
  // The one before it may be saying QUIT.
  assert.ok(most <= 2, `${most} connections`);
});

test('maxjobs: however much waits for such a channel, other work goes on', async (context) => {
  const answer = Promise.withResolvers<{ result: 'unavailable'; reason: string }>();
  const resolver: TestTransferOptions['resolver'] = {
    mx: () => answer.promise,
    addresses: () => answer.promise,
  };
  const { transfer } = await open(context, {}, { resolver, policy: LONG });
  await transfer.directory.apply(channel('smtp', 'smtp', 'maxjobs 1'));
  // More rows than are held in memory, and no destination has so many that it is given no more.
  for (let part = 0; part < 15; part++) {
    const to = Array.from({ length: 800 }, (_, i) => `r${i}@d${i % 80}.example`);
    await transfer.accept({ from: '', to, text: TEXT });
  }
  await transfer.accept({ from: ANN, to: ['nobody@acme.example', ANN], text: TEXT });
  await transfer.until('her copy and the report', async () => (await transfer.inbox(ANN)).length === 2);
  answer.resolve({ result: 'unavailable', reason: 'the test is over' });
});

test('a channel that holds mail keeps its entry, its name and its kind', async (context) => {
  const { transfer } = await open(context, { rcpt: '451 4.3.0 not now' }, { policy: LONG });
  const { writer, reader } = transfer.directory;
  const guarded: Operation<ChangeArguments, ChangeSummary> = changeOperation([keepUsedChannel], ANY_SITE);
  const change = (...changes: readonly DirectoryChange[]) =>
    writer.execute(guarded, { changes, caller: SERVER, peer: '', now: Date.now() });
  await change(channel('partner', 'smtp'), channel('smtp', 'smtp'));
  // As a rule would have it.
  await transfer.accept(toRemote);
  const { operation } = await import('../database/operation.ts');
  const target = hopTarget({ localPart: 'rex', domain: 'remote.example' }, '[192.0.2.9]', 'partner');
  await writer.execute(
    operation('test.move', async (tx, _args: object) => {
      await tx.run('UPDATE queue SET channel = ?, destination = ?, lease = 0', target.channel, target.destination);
    }),
    {},
  );
  const refused = { kind: 'unsupported', message: 'The channel partner holds mail: queue list' };
  await assert.rejects(change(remove(dn('partner'))), refused);
  await assert.rejects(change(replace(dn('partner'), { waypostChannelKind: 'discard' })), refused);
  await assert.rejects(
    change({ kind: 'rename', dn: dn('partner'), newRdn: 'cn=other', deleteOldRdn: true, newSuperior: undefined }),
    refused,
  );
  await change(replace(dn('partner'), { waypostKeyword: 'nomx' }));
  await change(remove(dn('smtp')));
  await transfer.removeAll();
  await change(remove(dn('partner')));
  assert.equal(reader.get("SELECT count(*) AS n FROM routing_setting WHERE kind = 'channel'")?.['n'], 0);
});

test('a word that is none is refused with it', async (context) => {
  const { transfer } = await open(context);
  const refused = { kind: 'invalid' };
  await assert.rejects(transfer.directory.apply(channel('x', 'smtp', 'subdirs 20')), {
    ...refused,
    message: 'waypostKeyword: unknown keyword subdirs',
  });
  await assert.rejects(transfer.directory.apply(channel('x', 'smtp', 'mx', 'nomx')), refused);
  await assert.rejects(transfer.directory.apply(channel('x', 'bitbucket')), refused);
  await assert.rejects(transfer.directory.apply(channel('smtp', 'hold')), refused);
});

/** As a rule would send it: to these channels, each with a destination. */
async function acceptTo(transfer: TestTransfer, ...ways: readonly [channel: string, destination: string][]) {
  const { writer, shared } = transfer.directory;
  const message = await transfer.take(parseAddress(ANN), TEXT);
  const recipients = ways.map(([name]) => ({ address: parseAddress(`${name}@remote.example`) }));
  const resolutions = ways.map(([name, destination], index) => ({
    targets: [hopTarget(recipients[index]!.address, destination, name)],
    reply: replies.accepted,
    failures: [],
  }));
  const envelope = { sender: parseAddress(ANN), recipients, body: '7BIT' as const };
  const accept = acceptOperation({
    site: testSite,
    localChannels: new Map([storeChannel, discardChannel].map((each) => [each.name, each])),
  });
  await acceptBy(
    writer,
    accept,
  )({
    message: message.row,
    mail: encodeMail({ envelope, request: INTERNAL_REQUEST, resolutions }),
    revision: shared.routingRevision(),
    refusal: undefined,
    refused: 'report',
    messageId: undefined,
    at: 0,
  }).finally(() => message.pending.settle());
  return message.row.id;
}

test('discard: accepted and dropped, and the journey says so; other channels of that kind do the same', async (context) => {
  const { transfer } = await open(context);
  await transfer.directory.apply(channel('trash', 'discard'));
  const { reader } = transfer.directory;
  const dropped = await acceptTo(transfer, ['discard', ''], ['trash', '']);
  assert.deepEqual(transfer.events(dropped), [
    'accepted discard@remote.example',
    'accepted trash@remote.example',
    'discarded discard@remote.example',
    'discarded trash@remote.example',
  ]);
  assert.equal(reader.get('SELECT count(*) AS n FROM message')?.['n'], 0);
  assert.deepEqual(transfer.queue(), []);
});

test('a channel of the kind hold, whatever its name, holds', async (context) => {
  const { transfer } = await open(context, {}, { policy: LONG });
  await transfer.directory.apply(channel('frozen', 'hold'));
  const message = await acceptTo(transfer, ['frozen', 'channel frozen'], ['discard', '']);
  assert.deepEqual(
    transfer.queue().map(({ channel: name, state, waitsFor }) => [name, state, waitsFor]),
    [['frozen', 'held', 'channel frozen']],
  );
  assert.equal(transfer.directory.reader.get('SELECT refs FROM message')?.['refs'], 1);
  // Its entry is changed: the recipient is resolved again, and by now goes by its own domain.
  await transfer.directory.apply(replace(dn('frozen'), { description: 'thawed', waypostPaused: 'FALSE' }));
  await transfer.directory.apply(replace(dn('frozen'), { waypostKeyword: 'mx' }));
  await transfer.drained();
  assert.ok(transfer.events(message).includes('relayed frozen@remote.example'));
});

test('who waits for a store that is paused is resolved again by the address that was asked for', async (context) => {
  const { transfer } = await open(context);
  const [bob, cat] = ['bob@acme.example', 'cat@acme.example'];
  const on = (to: string) => replace(userDn(cat), { mailRoutingAddress: to });
  await transfer.directory.apply(addUser(bob), addUser(cat, { mailRoutingAddress: ANN }));
  await transfer.directory.apply(channel('store', 'store'), pause('store'));
  await transfer.accept({ ...toRemote, to: [cat] });
  assert.equal(transfer.queue()[0]?.recipient, ANN);
  await transfer.directory.apply(on(bob));
  await transfer.directory.apply(resume('store'));
  await transfer.drained();
  assert.deepEqual([(await transfer.inbox(ANN)).length, (await transfer.inbox(bob)).length], [0, 1]);
});

/** Mail for a domain takes a channel. */
const rule = (pattern: string, template: string): DirectoryChange =>
  add(`cn=${pattern},ou=Rules,ou=Waypost,o=internet`, {
    objectClass: 'waypostRewriteRule',
    cn: pattern,
    waypostPattern: pattern,
    waypostTemplate: template,
  });

test('rules take mail to channels: to one with a daemon, to discard, also while that is paused, to hold', async (context) => {
  const { sink, transfer } = await open(context, {}, { policy: LONG });
  await transfer.directory.apply(
    channel('partner', 'smtp', `daemon ${sink.nextHop}`, 'nomx'),
    channel('trash', 'discard'),
    channel('frozen', 'hold'),
    rule('partner.example', '$U%$D@partner'),
    rule('trash.example', '$U%$D@trash'),
    rule('frozen.example', '$U%$D@frozen'),
  );
  const to = ['rex@partner.example', 'rex@trash.example', 'rex@frozen.example'];
  const first = await transfer.accept({ ...toRemote, to });
  await transfer.until('only what is on hold is left', () => transfer.queue().length === 1);
  assert.equal(sink.messages.length, 1);
  const events = transfer.events(first);
  for (const event of ['relayed rex@partner.example', 'discarded rex@trash.example', 'queued rex@frozen.example'])
    assert.ok(events.includes(event), event);
  assert.match(transfer.queue()[0]?.waitsFor ?? '', /^rule .*frozen\.example/);

  await transfer.directory.apply(pause('trash'));
  const second = await transfer.accept({ ...toRemote, to: ['rex@trash.example'] });
  // What a channel holds is resolved again when one has changed.
  await transfer.until('the other is held again', () => transfer.queue().some(({ state }) => state === 'held'));
  assert.deepEqual(
    new Map(transfer.queue().map(({ channel: name, state }) => [name, state])),
    new Map([
      ['frozen', 'held'],
      ['trash', 'waiting'],
    ]),
  );
  await transfer.directory.apply(resume('trash'));
  await transfer.until('it is dropped', () => transfer.events(second).includes('discarded rex@trash.example'));

  // Without the rule it goes by its own domain, which another rule sends to the partner by then.
  await transfer.directory.apply(
    remove('cn=frozen.example,ou=Rules,ou=Waypost,o=internet'),
    rule('.example', '$U%$H$D@partner'),
  );
  await transfer.drained();
  assert.deepEqual(sink.messages.flatMap(({ recipients }) => recipients).sort(), [
    'rex@frozen.example',
    'rex@partner.example',
  ]);
});
