// Which hosts take a domain's mail: against a DNS server whose answers each test chooses.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { DnsTestServer } from '../../../test/support/dns-server.ts';
import { RemoteHost } from '../../estate/remote-host.ts';
import { CLOSE, type RemoteHostScript, SILENCE } from '../../estate/remote-script.ts';
import { DnsClient } from '../../net/dns-client.ts';
import { addDomain, addUser } from '../../provisioning/testing.ts';
import type { ChannelWords } from '../../routing/compile-channel.ts';
import { type RoutingSettings, settingsOf } from '../../routing/settings.ts';
import { TestTransfer } from '../testing.ts';
import { findExchanges } from './exchanges.ts';
import { STANDARD_TIMEOUTS } from './smtp-opening.ts';

async function open(context: TestContext, settings: RoutingSettings = settingsOf([])) {
  const dns = await DnsTestServer.start('127.0.0.2');
  const resolver = new DnsClient({ servers: [dns.server], timeoutMs: 3000 });
  context.after(async () => {
    resolver.close();
    await dns.close();
  });
  let lot = 0;
  const parts = {
    resolver,
    settings: () => settings,
    hostnames: ['mail.test.example', 'old.test.example'],
    random: () => (lot = (lot + 0.37) % 1),
  };
  const ask = async (domain: string, channel = 'smtp'): Promise<string> => {
    const found = await findExchanges(parts, { destination: domain, channel });
    if ('outcome' in found) return `${found.outcome.result} ${found.outcome.status}`;
    return found.hosts.map(({ host, port }) => `${host}:${port}`).join(' ');
  };
  return { dns, ask, resolver };
}

test('by preference; equals in any order', async (context) => {
  const { dns, ask } = await open(context);
  dns.mx('remote.example', [20, 'c.example'], [10, 'a.example'], [10, 'b.example']);
  const seen = new Set<string>();
  for (let i = 0; i < 20; i++) seen.add(await ask('remote.example'));
  assert.deepEqual([...seen].sort(), [
    'a.example:25 b.example:25 c.example:25',
    'b.example:25 a.example:25 c.example:25',
  ]);
});

test('no MX: the domain itself; a null MX, no such domain and no answer are three things', async (context) => {
  const { dns, ask } = await open(context);
  dns.addresses('bare.example', '127.0.0.9');
  dns.mx('never.example', [0, '.']);
  dns.script('broken.example', 'any', { rcode: 'SERVFAIL' });
  dns.script('silent.example', 'any', { silent: true });
  assert.equal(await ask('bare.example'), 'bare.example:25');
  assert.equal(await ask('never.example'), 'failed 5.1.10');
  assert.equal(await ask('nowhere.example'), 'failed 5.1.2');
  assert.equal(await ask('broken.example'), 'deferred 4.4.3');
  assert.equal(await ask('silent.example'), 'deferred 4.4.3');
});

test('where DNS names this host, only hosts before it are asked', async (context) => {
  const { dns, ask } = await open(context);
  dns.mx('backup.example', [5, 'a.example'], [10, 'mail.test.example'], [10, 'b.example'], [20, 'c.example']);
  dns.mx('ours.example', [10, 'Old.Test.Example'], [20, 'c.example']);
  assert.equal(await ask('backup.example'), 'a.example:25');
  assert.equal(await ask('ours.example'), 'failed 5.4.6');
  dns.addresses('old.test.example', '127.0.0.1');
  assert.equal(await ask('old.test.example'), 'failed 5.4.6');
});

test('address literals are not looked up', async (context) => {
  const { dns, ask } = await open(context);
  assert.equal(await ask('[192.0.2.1]'), '192.0.2.1:25');
  assert.equal(await ask('[IPv6:2001:db8::1]'), '2001:db8::1:25');
  assert.equal(dns.queries.length, 0);
});

test('hosts that are named are asked in the order in which they stand, and have no MX', async (context) => {
  const { dns, ask } = await open(context);
  dns.mx('a.example', [10, 'elsewhere.example']);
  assert.equal(await ask('[a.example],[192.0.2.1]:2525,[b.example]:26'), 'a.example:25 192.0.2.1:2525 b.example:26');
  // This host is left out; a filter that listens on another port of it is not.
  assert.equal(await ask('[mail.test.example],[a.example]'), 'a.example:25');
  assert.equal(await ask('[mail.test.example]:10025'), 'mail.test.example:10025');
  assert.equal(await ask('[old.test.example]'), 'deferred 4.4.6');
  assert.equal(await ask('[a.example],'), 'deferred 4.3.5');
  assert.equal(dns.queries.length, 0);
});

test('what entries of hosts and a channel say', async (context) => {
  const host = (key: string, addresses: readonly string[], port: number) =>
    ({ kind: 'host', key, dn: `cn=${key}`, addresses, port }) as const;
  const channel = (key: string, words: ChannelWords) =>
    ({ kind: 'channel', key, dn: `cn=${key}`, channelKind: 'smtp', keywords: [], isPaused: false, ...words }) as const;
  const { dns, ask } = await open(
    context,
    settingsOf([
      host('inside.example', ['192.0.2.1', '192.0.2.2'], 2525),
      host('known.example', [], 26),
      channel('partner', { port: 587 }),
      channel('direct', { isNoMx: true, port: 24 }),
    ]),
  );
  dns.mx('remote.example', [10, 'a.example']);
  assert.equal(
    await ask('[inside.example],[known.example],[x.example]'),
    'inside.example:2525 known.example:26 x.example:25',
  );
  assert.equal(await ask('[inside.example]:27'), 'inside.example:27');
  assert.equal(await ask('[inside.example],[x.example]', 'partner'), 'inside.example:2525 x.example:587');
  assert.equal(await ask('remote.example', 'partner'), 'a.example:587');
  const asked = dns.queries.length;
  assert.equal(await ask('remote.example', 'direct'), 'remote.example:24');
  assert.equal(await ask('mail.test.example', 'direct'), 'failed 5.4.6');
  assert.equal(dns.queries.length, asked);
});

test('a host without an address is followed by the next; none at all comes back', async (context) => {
  const { dns, resolver } = await open(context);
  const transfer = await TestTransfer.open({ resolver, nextHop: { 'typo.example': 'missing.example:2525' } });
  await transfer.directory.apply(addDomain('acme.example'), addUser('ann@acme.example'));
  const sink = await RemoteHost.start({}, '127.0.0.2');
  context.after(async () => {
    await transfer.close();
    await sink.close();
  });
  dns.mx('nohost.example', [10, 'missing.example']);
  dns.addresses('empty.example');
  dns.mx('later.example', [10, 'missing.example'], [20, 'broken.example']);
  dns.script('broken.example', 'any', { rcode: 'SERVFAIL' });
  dns.addresses('real.example', '127.0.0.2');
  await transfer.start({ policy: { retryMs: [3_600_000], expireMs: 86_400_000 } });
  const to = ['a@nohost.example', 'b@empty.example', 'c@later.example', 'd@typo.example'];
  await transfer.accept({ from: 'ann@acme.example', to, text: 'Subject: x\r\n\r\nx\r\n' });
  await transfer.until('two have come back', async () => (await transfer.inbox('ann@acme.example')).length > 0);
  await transfer.until('two wait', () => transfer.queue().filter(({ attempts }) => attempts === 1).length === 2);
  await transfer.until('the others are done', () => transfer.queue().length === 2);
  const reports = (await transfer.inbox('ann@acme.example')).join('');
  assert.match(reports, /^Final-Recipient: rfc822; a@nohost\.example\r\nAction: failed\r\nStatus: 5\.4\.4\r\n/m);
  assert.match(reports, /^Final-Recipient: rfc822; b@empty\.example\r\nAction: failed\r\nStatus: 5\.1\.2\r\n/m);
  assert.deepEqual(
    transfer.queue().map(({ recipient }) => recipient),
    ['c@later.example', 'd@typo.example'],
  );
});

/** Port 25 of an address of the loopback net; undefined where that may not be bound. */
async function onPort25(address: string, script: RemoteHostScript): Promise<RemoteHost | undefined> {
  try {
    return await RemoteHost.start(script, address, 25);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EACCES') return undefined;
    throw error;
  }
}

test('a host that does not answer, or breaks off before the dot, is followed by the next', async (context) => {
  const { dns, resolver } = await open(context);
  const first = await onPort25('127.0.25.1', {});
  const second = await onPort25('127.0.25.2', {});
  if (first === undefined || second === undefined) return context.skip('port 25 may not be bound');
  const transfer = await TestTransfer.open({ resolver });
  await transfer.directory.apply(addDomain('acme.example'), addUser('ann@acme.example'));
  context.after(async () => {
    await transfer.close();
    await first.close();
    await second.close();
  });
  // The most preferred one does not listen.
  dns.mx('remote.example', [5, 'none.example'], [10, 'a.example'], [20, 'b.example']);
  dns.addresses('none.example', '127.0.25.3');
  dns.addresses('a.example', '127.0.25.1');
  dns.addresses('b.example', '127.0.25.2');
  await transfer.start({ policy: { retryMs: [3_600_000], expireMs: 86_400_000 } });
  const scripts: readonly RemoteHostScript[] = [
    { greeting: '554 no mail here' },
    { greeting: CLOSE },
    { ehlo: '421 4.3.2 going down' },
    { mail: CLOSE },
    { rcpt: CLOSE },
    { data: CLOSE },
  ];
  for (const [index, script] of scripts.entries()) {
    first.script = script;
    const text = `Subject: ${index}\r\n\r\nx\r\n`;
    await transfer.accept({ from: 'ann@acme.example', to: ['rex@remote.example'], text });
    await transfer.until(`${Object.keys(script)[0]}: the next host has it`, () => second.messages.length === index + 1);
  }
  await transfer.drained();
  // Once the dot is sent only this host can say what became of it.
  first.script = { dot: CLOSE };
  await transfer.accept({ from: 'ann@acme.example', to: ['rex@remote.example'], text: 'Subject: dot\r\n\r\nx\r\n' });
  await transfer.until('it was put off', () => transfer.queue()[0]?.attempts === 1);
  assert.equal(second.messages.length, scripts.length);
  assert.match(transfer.queue()[0]?.lastError ?? '', /a\.example at 127\.0\.25\.1 port 25/);
  // What a host says of a recipient is an answer, not a failure of the host.
  first.script = { rcpt: '450 4.2.1 busy' };
  await transfer.accept({ from: 'ann@acme.example', to: ['roy@remote.example'], text: 'Subject: 4\r\n\r\nx\r\n' });
  await transfer.until('it was put off', () => transfer.queue().every(({ attempts }) => attempts === 1));
  assert.equal(second.messages.length, scripts.length);
});

test('addresses that hold the conversation until its time is over: two are asked, then the mail waits', async (context) => {
  const addresses = ['127.0.0.2', '127.0.0.3', '127.0.0.4'];
  const sinks: RemoteHost[] = [];
  for (const address of addresses)
    sinks.push(await RemoteHost.start({ greeting: SILENCE }, address, sinks[0]?.port ?? 0));
  const transfer = await TestTransfer.open({
    nextHop: { 'remote.example': `slow.example:${sinks[0]!.port}` },
    resolver: {
      mx: () => Promise.resolve({ result: 'no-name' }),
      addresses: () => Promise.resolve({ result: 'found', addresses }),
    },
    timeouts: { ...STANDARD_TIMEOUTS, whole: 30 },
  });
  context.after(async () => {
    await transfer.close();
    for (const sink of sinks) await sink.close();
  });
  await transfer.directory.apply(addDomain('acme.example'), addUser('ann@acme.example'));
  await transfer.start({ policy: { retryMs: [3_600_000], expireMs: 86_400_000 } });
  await transfer.accept({ from: 'ann@acme.example', to: ['rex@remote.example'], text: 'Subject: x\r\n\r\nx\r\n' });
  await transfer.until('it was put off', () => transfer.queue()[0]?.attempts === 1);
  assert.deepEqual(
    sinks.map(({ connections }) => connections),
    [1, 1, 0],
  );
});
