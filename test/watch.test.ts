// Domains whose records stand at name servers of others, on the started program: what is seen there decides.
//
// In      a Knot that has a zone which is somebody else's, and one that is updated; what somebody changes there
// Out     the state of the domains, who signs, what is put back, what `status`, `domain show` and `dns check` say
// Name servers of others are asked on port 53, which takes a user who may bind it

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { Client } from 'ldapts';
import { AdminClient } from '../src/cli/client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { RemoteHost } from '../src/estate/remote-host.ts';
import { DnsClient } from '../src/net/dns-client.ts';
import type { TsigKey } from '../src/wire/dns/tsig.ts';
import {
  addDomain,
  addUser,
  administrator,
  domainDn,
  PASSWORD,
  replaceAttribute,
  SUFFIX,
} from './support/directory.ts';
import { type KeyRecords, signatureCount } from './support/dkim-keys.ts';
import { dkimpy, dkimVerifiersMissing } from './support/dkim-verifiers.ts';
import { DnsTestServer } from './support/dns-server.ts';
import { Knot } from './support/knot.ts';
import { peer } from './support/peers.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const run = promisify(execFile);
const ADDRESS = '127.0.16.1';
const key: TsigKey = {
  name: 'k.example',
  algorithm: 'hmac-sha256',
  secret: Buffer.from('a secret of 32 octets, no less..'),
};
const zoneText = (zone: string): string => `$TTL 300
$ORIGIN ${zone}.
@ IN SOA ns.${zone}. hostmaster.${zone}. 1 3600 600 86400 300
@ IN NS ns.${zone}.
ns IN A ${ADDRESS}
`;

const mayBind = await DnsTestServer.start(ADDRESS, 53).then(
  async (probe) => {
    await probe.close();
    return true;
  },
  () => false,
);
const skip = peer('knotd').skip || (mayBind ? dkimVerifiersMissing : 'port 53 of a loopback address may not be bound');

interface Shown {
  readonly state: string;
  readonly authority: string;
  readonly zone: string | null;
  readonly origin: string | null;
  readonly evidence: unknown;
  readonly problems: readonly string[];
  readonly history: readonly { readonly at: string; readonly revision: number; readonly event: string }[];
}

describe('the watch', { skip, timeout: 300_000 }, () => {
  let knot: Knot;
  let server: Waypost;
  let sink: RemoteHost;
  let ldap: Client;
  const dns = new DnsClient();

  before(async () => {
    const zones = { 'far.example': zoneText('far.example'), 'isp.example': zoneText('isp.example') };
    knot = await Knot.start({ address: ADDRESS, port: 53, keys: [key], zones });
    sink = await RemoteHost.start({});
    server = await startWaypost({
      config: `resolver = ["${ADDRESS}"]\nnext-hop = { "remote.example" = "${sink.nextHop}" }\n`,
    });
    ldap = await administrator(server);
    await ldap.add(`cn=knot,ou=Hosts,ou=Waypost,${SUFFIX}`, {
      objectClass: 'waypostNameServer',
      cn: 'knot',
      waypostNameServerRole: 'primary',
      waypostNameServerAddress: ADDRESS,
      waypostZone: 'isp.example',
      waypostTsigName: key.name,
      waypostTsigSecret: key.secret.toString('base64'),
    });
  });
  after(async () => {
    dns.close();
    await ldap?.unbind();
    await server?.stop();
    await sink?.close();
    await knot?.stop();
  });

  async function waypost(...words: readonly string[]): Promise<string> {
    const done = await run('./waypost', [...words, '--data', server.data]).catch((error: { stdout: string }) => error);
    return done.stdout;
  }

  const show = async (domain: string): Promise<Shown> =>
    (await new AdminClient(server.data).call('domain.show', { domain })) as Shown;

  /** By hand, with nsupdate. */
  async function write(zone: string, ...lines: readonly string[]): Promise<void> {
    const child = spawn('nsupdate', ['-y', `${key.algorithm}:${key.name}:${key.secret.toString('base64')}`]);
    child.stdin.end(`server ${ADDRESS}\nzone ${zone}\n${lines.join('\n')}\nsend\n`);
    assert.equal((await once(child, 'exit'))[0], 0);
  }

  async function wanted(domain: string): Promise<string[]> {
    const { records } = await new AdminClient(server.data).call('dns.records', { domain });
    return records
      .filter(({ type }) => type !== 'SOA' && type !== 'NS')
      .map(({ name, ttl, type, data }) => `update add ${name} ${ttl} ${type} ${data}`);
  }

  async function found(name: string, type: 'MX' | 'TXT'): Promise<number> {
    const reply = await dns.ask(name, type, { servers: [{ address: ADDRESS, port: 53 }] });
    return 'answers' in reply ? reply.answers.length : -1;
  }

  let number = 0;
  async function send(login: string): Promise<string> {
    const word = `subject-${++number}`;
    const client = await SmtpClient.open(server.listeners.submission, { login, password: PASSWORD });
    await client.send(login, ['x@remote.example'], Buffer.from(`From: <${login}>\r\nSubject: ${word}\r\n\r\ntext\r\n`));
    await client.quit();
    await until(`the message ${word}`, () => sink.messages.some(({ data }) => data.includes(word)));
    return sink.messages.find(({ data }) => data.includes(word))!.data;
  }

  const selectorsOf = (message: string): string[] =>
    [...message.matchAll(/\bs=([a-z0-9]+);/g)].map((match) => match[1]!).sort();

  /** As Knot has them now. */
  async function verified(message: string, domain: string): Promise<boolean> {
    const records: Record<string, string> = {};
    for (const selector of selectorsOf(message)) {
      const name = `${selector}._domainkey.${domain}`;
      const reply = await dns.ask(name, 'TXT', { servers: [{ address: ADDRESS, port: 53 }] });
      const [record] = 'answers' in reply ? reply.answers : [];
      if (record?.type === 'TXT') records[name] = record.strings.join('');
    }
    const said = dkimpy(message, records as KeyRecords);
    return said.length === 2 && said.every((each) => each.endsWith(' pass'));
  }

  test("somebody else's zone: unsigned until the keys are seen, active once the MX is, then signed as others verify it", async () => {
    await addDomain(ldap, 'far.example', { waypostZoneAuthority: 'theirs' });
    await addUser(ldap, 'ann@far.example');
    assert.equal((await show('far.example')).state, 'defined');
    assert.equal(signatureCount(await send('ann@far.example')), 0);
    await until('the reason', () => server.stderr().includes('"dkim.unsigned"'));
    const lines = await wanted('far.example');
    // The MX alone makes it active, and signs nothing.
    await write('far.example', ...lines.filter((line) => line.includes(' MX ')));
    await until('the state', async () => (await show('far.example')).state === 'active');
    assert.equal(signatureCount(await send('ann@far.example')), 0);
    await write('far.example', ...lines.filter((line) => !line.includes(' MX ')));
    await waypost('dns', 'check', 'far.example', '--json');
    const message = await send('ann@far.example');
    assert.equal(signatureCount(message), 2);
    assert.ok(await verified(message, 'far.example'));
    const shown = await show('far.example');
    assert.deepEqual(shown.problems, []);
    assert.equal(shown.authority, 'theirs');
    assert.deepEqual(
      shown.history.map(({ event }) => event).filter((event) => event === 'active' || event === 'added'),
      ['active', 'added'],
    );
  });

  test('a new key signs once its record is seen; until then its predecessor does', async () => {
    const before = selectorsOf(await send('ann@far.example'));
    await waypost('dkim', 'rotate');
    assert.deepEqual(selectorsOf(await send('ann@far.example')), before);
    await write('far.example', ...(await wanted('far.example')).filter((line) => line.includes('_domainkey')));
    await until('the new keys', async () => selectorsOf(await send('ann@far.example')).join() !== before.join());
    const message = await send('ann@far.example');
    assert.ok(selectorsOf(message).every((selector) => !before.includes(selector)));
    assert.ok(await verified(message, 'far.example'));
  });

  test('an updated zone: published, then active by what is seen; what is taken away of ours is put back', async () => {
    await addDomain(ldap, 'a.isp.example');
    await until('the state', async () => (await show('a.isp.example')).state === 'active');
    const { history, zone, authority, origin } = await show('a.isp.example');
    assert.deepEqual([authority, zone], ['updatable', 'isp.example']);
    assert.equal(origin, 'cn=Directory Manager');
    const states = history.map(({ event }) => event).filter((event) => ['published', 'active'].includes(event));
    assert.deepEqual(states, ['active', 'published']);
    // Seen whole: the keys, too.
    await until('a look at all', () => /"domain":"a\.isp\.example","seen":true/.test(server.stderr()));
    await write('isp.example', 'update delete a.isp.example. MX');
    assert.equal(await found('a.isp.example', 'MX'), 0);
    await waypost('dns', 'check', 'a.isp.example');
    await until('the MX', async () => (await found('a.isp.example', 'MX')) === 1);
    assert.equal((await show('a.isp.example')).state, 'active');
  });

  test('a change of the site reaches every domain that others publish', async () => {
    await waypost('dkim', 'rotate', 'a.isp.example');
    const { records } = JSON.parse(await waypost('dns', 'records', 'a.isp.example', '--json')) as {
      records: { name: string; type: string }[];
    };
    const names = records.map(({ name }) => name.slice(0, -1)).filter((name) => name.includes('_domainkey'));
    for (const name of names) await until(name, async () => (await found(name, 'TXT')) === 1);
  });

  test('an MX that names only others: it works on, and is named', async () => {
    await write('far.example', 'update delete far.example. MX', 'update add far.example. 300 MX 5 mx.other.example.');
    await waypost('dns', 'check', 'far.example');
    const shown = await show('far.example');
    assert.equal(shown.state, 'active');
    assert.deepEqual(shown.problems, ['its MX names only others: mx.other.example']);
    const { problems } = JSON.parse(await waypost('status', '--json')) as { problems: readonly string[] };
    assert.ok(
      problems.some((each) => each.includes('MX that names only others (far.example)')),
      problems.join(),
    );
  });

  test('what is meant to be theirs below a zone of ours, without a delegation, is named by sync status', async () => {
    await addDomain(ldap, 'ours.example');
    await addDomain(ldap, 'low.ours.example', { waypostZoneAuthority: 'theirs' });
    const { problems } = JSON.parse(await waypost('sync', 'status', '--json')) as {
      problems: { dn: string; problems: { reason: string }[] }[];
    };
    const named = problems.find(({ dn }) => dn === domainDn('low.ours.example'));
    assert.match(named!.problems[0]!.reason, /stays in our zone ours\.example/);
  });

  test('a primary without an entry is named; its domains become ours', async () => {
    await replaceAttribute(ldap, `cn=knot,ou=Hosts,ou=Waypost,${SUFFIX}`, 'waypostNameServerAddress', ['127.0.16.9:9']);
    await ldap.del(`cn=knot,ou=Hosts,ou=Waypost,${SUFFIX}`);
    await until('the authority', async () => (await show('a.isp.example')).authority === 'ours');
    await until('the problem', async () => {
      const { problems } = await new AdminClient(server.data).call('status', {});
      return problems.some((each) => each.includes('the primary knot, which has no entry'));
    });
  });
});
