// dns check on the started program: a resolver, a parent zone and somebody else's name server are the test's own.
//
// In      domains here, of our own zone and of others' zones; what those servers say
// Out     the JSON and the exit code. Name servers of others are asked on port 53, which takes a user who may bind it

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { ROOT } from '../src/wire/dns/name.ts';
import type { Rdata } from '../src/wire/dns/rdata.ts';
import { parseRdata, type WrittenType } from '../src/wire/dns/zone-file.ts';
import { addDomain, administrator, domainDn, SUFFIX } from './support/directory.ts';
import { DnsTestServer } from './support/dns-server.ts';
import { startWaypost, type Waypost } from './support/server.ts';

const run = promisify(execFile);
const PARENT = '127.0.15.1';
const THEIRS = '127.0.15.2';

interface Shown {
  readonly records: readonly { readonly name: string; readonly type: string; readonly data: string }[];
}
interface Finding {
  readonly server: string;
  readonly found: readonly string[];
  readonly state: string;
}
interface Checked {
  readonly zone: string | null;
  readonly authority: string;
  readonly state: string;
  readonly records: readonly {
    readonly name: string;
    readonly type: string;
    readonly wanted: readonly string[];
    readonly state: string;
    readonly hint: string;
    readonly servers: readonly Finding[];
  }[];
  readonly delegation: { readonly parent: readonly string[]; readonly own: readonly string[]; readonly state: string };
  readonly hosts: readonly Record<string, unknown>[];
}

const mayBind = await DnsTestServer.start(PARENT, 53).then(
  async (probe) => {
    await probe.close();
    return true;
  },
  () => false,
);

describe('dns check', {
  skip: mayBind ? false : 'port 53 of a loopback address may not be bound',
  timeout: 240_000,
}, () => {
  let resolver: DnsTestServer;
  let parent: DnsTestServer;
  let theirs: DnsTestServer;
  let server: Waypost;

  async function waypost(...words: readonly string[]): Promise<{ stdout: string; stderr: string; code: number }> {
    const done = await run('./waypost', [...words, '--data', server.data]).catch(
      (error: { stdout: string; stderr: string; code: number }) => error,
    );
    return { code: 0, ...done };
  }

  async function check(domain: string): Promise<{ checked: Checked; code: number }> {
    const { stdout, code } = await waypost('dns', 'check', domain, '--json');
    return { checked: JSON.parse(stdout), code };
  }

  /** Everything that the entry wants, as a server has it where all is well. */
  async function publish(domain: string, ...servers: readonly DnsTestServer[]): Promise<void> {
    const shown: Shown = JSON.parse((await waypost('dns', 'records', domain, '--json')).stdout);
    const sets = new Map<string, Rdata[]>();
    for (const { name, type, data } of shown.records) {
      if (type === 'SOA' || type === 'NS') continue;
      const key = `${name.slice(0, -1)} ${type}`;
      sets.set(key, [...(sets.get(key) ?? []), parseRdata(type as WrittenType, data, ROOT)]);
    }
    for (const [key, records] of sets) {
      const [name, type] = key.split(' ') as [string, WrittenType];
      for (const each of servers) each.script(name, type, { records });
    }
  }

  const record = ({ records }: Checked, name: string, type: string) =>
    records.find((each) => each.name === name && each.type === type)!;

  before(async () => {
    resolver = await DnsTestServer.start('127.0.0.2');
    parent = await DnsTestServer.start(PARENT, 53);
    theirs = await DnsTestServer.start(THEIRS, 53);
    theirs.isAuthoritative = true;
    server = await startWaypost({ config: `resolver = ["${resolver.server}"]\n` });
    const client = await administrator(server);
    await addDomain(client, 'acme.example');
    for (const name of ['good.example', 'bad.example', 'silent.example'])
      await client.add(domainDn(name), {
        objectClass: ['domain', 'inetDomain', 'mailDomain', 'waypostDomain'],
        dc: name.split('.')[0]!,
        waypostZoneAuthority: 'theirs',
      });
    await client.unbind();

    resolver.script('example', 'NS', { records: [{ type: 'NS', target: 'ns.registry.example' }] });
    resolver.addresses('ns.registry.example', PARENT);
    parent.script('acme.example', 'NS', { records: [{ type: 'NS', target: 'mail.waypost.example' }] });
    await publish('acme.example', resolver);
    resolver.addresses('mail.waypost.example', '127.0.0.1');
    resolver.script('1.0.0.127.in-addr.arpa', 'PTR', { records: [{ type: 'PTR', target: 'mail.waypost.example' }] });
    for (const zone of ['good.example', 'bad.example', 'silent.example']) {
      const ns: Rdata = { type: 'NS', target: 'ns.hoster.example' };
      for (const each of [resolver, parent, theirs]) each.script(zone, 'NS', { records: [ns] });
      await publish(zone, resolver, theirs);
    }
    resolver.addresses('ns.hoster.example', THEIRS);
  });
  after(async () => {
    await server?.stop();
    await Promise.all([resolver?.close(), parent?.close(), theirs?.close()]);
  });

  test('a zone of ours that the world sees: ok at our listener and the resolver, delegated, its host greets; 0', async () => {
    const { checked, code } = await check('acme.example');
    const { dns } = server.listeners;
    assert.equal(checked.state, 'ok', JSON.stringify(checked, null, 1));
    assert.equal(code, 0);
    assert.equal(checked.zone, 'acme.example');
    assert.equal(checked.authority, 'ours');
    assert.deepEqual(Object.keys(checked), ['domain', 'zone', 'authority', 'state', 'records', 'delegation', 'hosts']);
    const mx = record(checked, 'acme.example.', 'MX');
    assert.deepEqual(mx, {
      name: 'acme.example.',
      type: 'MX',
      wanted: ['10 mail.waypost.example.'],
      state: 'ok',
      hint: 'nothing to do',
      servers: [
        { server: `${dns.host}:${dns.port}`, found: ['10 mail.waypost.example.'], state: 'ok' },
        { server: 'resolver', found: ['10 mail.waypost.example.'], state: 'ok' },
      ],
    });
    assert.deepEqual(checked.delegation, {
      parent: ['mail.waypost.example'],
      own: ['mail.waypost.example'],
      state: 'ok',
    });
    assert.equal(checked.hosts.length, 1);
    const { smtp, ...host } = checked.hosts[0]!;
    assert.match(String(smtp), /^220 mail\.waypost\.example/);
    assert.deepEqual(host, {
      host: 'mail.waypost.example',
      address: '127.0.0.1',
      starttls: true,
      ptr: 'mail.waypost.example',
      state: 'ok',
    });
  });

  test('no delegation, no PTR, a resolver that knows nothing: each is named with what to do; 1', async () => {
    parent.script('acme.example', 'NS', { records: [{ type: 'NS', target: 'ns.other.example' }] });
    resolver.script('1.0.0.127.in-addr.arpa', 'PTR', { records: [] });
    resolver.script('acme.example', 'MX', { records: [] });
    const { checked, code } = await check('acme.example');
    const { stdout: text } = await waypost('dns', 'check', 'acme.example');
    resolver.mx('acme.example', [10, 'mail.waypost.example']);
    resolver.script('1.0.0.127.in-addr.arpa', 'PTR', { records: [{ type: 'PTR', target: 'mail.waypost.example' }] });
    parent.script('acme.example', 'NS', { records: [{ type: 'NS', target: 'mail.waypost.example' }] });
    assert.equal(code, 1);
    assert.equal(checked.state, 'missing');
    assert.equal(checked.delegation.state, 'different');
    assert.equal(checked.hosts[0]!['state'], 'missing');
    assert.equal(checked.hosts[0]!['ptr'], null);
    const mx = record(checked, 'acme.example.', 'MX');
    assert.deepEqual(
      mx.servers.map(({ state }) => state),
      ['ok', 'missing'],
    );
    assert.match(mx.hint, /resolver does not yet/);
    assert.match(text, /have the parent lead acme\.example to mail\.waypost\.example/);
    assert.match(text, /have a PTR record of 127\.0\.0\.1 name mail\.waypost\.example/);
  });

  test("somebody else's zone: its name server is found and asked; ok, then missing, different, extra with the line to write", async () => {
    const good = await check('good.example');
    assert.equal(good.checked.state, 'ok', JSON.stringify(good.checked, null, 1));
    assert.equal(good.code, 0);
    assert.equal(good.checked.authority, 'theirs');
    assert.equal(good.checked.zone, 'good.example');
    assert.deepEqual(good.checked.delegation.own, ['ns.hoster.example']);

    for (const each of [resolver, theirs]) {
      each.script('_dmarc.bad.example', 'TXT', { records: [] });
      each.mx('bad.example', [10, 'mail.waypost.example'], [5, 'mx.other.example']);
      const strings = ['v=spf1 -all'];
      const verification: Rdata = { type: 'TXT', strings: ['some-verification=1'] };
      each.script('bad.example', 'TXT', { records: [{ type: 'TXT', strings }, verification] });
    }
    const { checked, code } = await check('bad.example');
    assert.equal(code, 1);
    const dmarc = record(checked, '_dmarc.bad.example.', 'TXT');
    assert.equal(dmarc.state, 'missing');
    assert.match(dmarc.hint, /^add to the zone: _dmarc\.bad\.example\. 300 IN TXT "v=DMARC1/);
    const mx = record(checked, 'bad.example.', 'MX');
    assert.equal(mx.state, 'extra');
    assert.equal(mx.servers[0]!.server, `${THEIRS}:53`);
    assert.match(mx.hint, /beside bad\.example\. 300 IN MX 10 mail\.waypost\.example\.$/);
    const spf = record(checked, 'bad.example.', 'TXT');
    assert.equal(spf.state, 'different');
    // A text of another kind is nobody's business.
    assert.deepEqual(spf.servers[0]!.found, ['"v=spf1 -all"']);
    assert.match(spf.hint, /in the place of "v=spf1 -all"$/);
  });

  test("a primary's zone: what is missing waypost dns publish writes; what others have written goes with --force alone", async () => {
    const client = await administrator(server);
    await client.add(`cn=primary,ou=Hosts,ou=Waypost,${SUFFIX}`, {
      objectClass: 'waypostNameServer',
      cn: 'primary',
      waypostNameServerRole: 'primary',
      waypostNameServerAddress: '127.0.0.1:9',
      waypostZone: 'isp.example',
      waypostWatchAddress: `${THEIRS}:53`,
    });
    await addDomain(client, 'a.isp.example');
    await client.unbind();
    await publish('a.isp.example', resolver, theirs);
    for (const each of [resolver, theirs]) {
      each.script('a.isp.example', 'MX', { records: [] });
      each.script('_dmarc.a.isp.example', 'TXT', { records: [{ type: 'TXT', strings: ['v=DMARC1; p=reject'] }] });
    }
    const { checked, code } = await check('a.isp.example');
    assert.deepEqual([code, checked.authority, checked.zone], [1, 'updatable', 'isp.example']);
    const mx = record(checked, 'a.isp.example.', 'MX');
    assert.deepEqual([mx.state, mx.hint], ['missing', 'waypost dns publish a.isp.example writes it there now']);
    const dmarc = record(checked, '_dmarc.a.isp.example.', 'TXT');
    assert.equal(dmarc.state, 'different');
    assert.match(
      dmarc.hint,
      /"v=DMARC1; p=reject": waypost dns publish a\.isp\.example --force puts ours in its place$/,
    );
  });

  test('a name server that is silent, or has no authority, leaves unknown behind, and nothing worse; 75', async () => {
    theirs.isAuthoritative = false;
    const lame = await check('silent.example');
    theirs.isAuthoritative = true;
    assert.equal(lame.code, 75, JSON.stringify(lame.checked, null, 1));
    for (const { name, type } of lame.checked.records)
      theirs.script(name.slice(0, -1), type as 'TXT', { silent: true });
    const { checked, code } = await check('silent.example');
    assert.equal(code, 75, JSON.stringify(checked, null, 1));
    assert.equal(checked.state, 'unknown');
    const mx = record(checked, 'silent.example.', 'MX');
    assert.deepEqual(
      mx.servers.map(({ state }) => state),
      ['unknown', 'ok'],
    );
    assert.match(mx.hint, /127\.0\.15\.2:53/);
  });

  test('a name that is not ours: 1', async () => {
    const { code, stderr } = await waypost('dns', 'check', 'other.example');
    assert.equal(code, 1);
    assert.match(stderr, /other\.example is not a domain here/);
  });
});
