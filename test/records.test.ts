// One LDAP add, and the started server answers every record of the domain: the same in `waypost dns records` and to `dig`.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { get } from 'node:https';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { AdminClient } from '../src/cli/client.ts';
import type { RecordsDescription } from '../src/zones/describe.ts';
import { addDomain, administrator, domainDn, replaceAttribute } from './support/directory.ts';
import { peer } from './support/peers.ts';
import { startWaypost, type Waypost } from './support/server.ts';

const pemOf = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }).toString();
const run = promisify(execFile);
const keysOf = async ({ data }: Waypost) =>
  (await new AdminClient(data).call('dkim.list', {})).map(({ selector }) => selector);
const launcher = resolve(import.meta.dirname, '../waypost');

test('records follow the entry, in its commit', { skip: peer('dig').skip, timeout: 300_000 }, async () => {
  await using server = await startWaypost();
  const { port } = server.listeners.dns;
  const dig = async (...question: string[]): Promise<string[]> => {
    const { stdout } = await run('dig', ['@127.0.0.1', '-p', String(port), '+noall', '+answer', ...question]);
    const lines = stdout
      .trim()
      .split('\n')
      .filter((line) => line !== '');
    return lines.map((line) => line.split(/\s+/).join(' ')).sort();
  };
  const records = async (domain: string, ...options: string[]): Promise<string> => {
    const { stdout } = await run(launcher, ['dns', 'records', domain, ...options, '--data', server.data]);
    return stdout;
  };
  const ldap = await administrator(server);
  try {
    await addDomain(ldap, 'acme.example');
    const shown = JSON.parse(await records('acme.example', '--json')) as RecordsDescription;
    assert.equal(shown.authority, 'ours');
    assert.equal((shown as RecordsDescription & { readonly state: string }).state, 'active');
    const owners = new Map<string, string[]>();
    for (const { name, ttl, type, data } of shown.records) {
      const key = `${name} ${type}`;
      owners.set(key, [...(owners.get(key) ?? []), `${name} ${ttl} IN ${type} ${data}`]);
    }
    for (const [key, lines] of owners) assert.deepEqual(await dig(...key.split(' ')), lines.sort(), key);
    const types = [...owners.keys()];
    for (const wanted of ['acme.example. MX', 'acme.example. TXT', '_dmarc.acme.example. TXT', 'acme.example. NS'])
      assert.ok(types.includes(wanted), wanted);
    for (const service of ['submissions', 'submission', 'imaps', 'imap', 'pop3s', 'pop3'] as const)
      assert.deepEqual(await dig(`_${service}._tcp.acme.example`, 'SRV'), [
        `_${service}._tcp.acme.example. 300 IN SRV 0 1 ${server.listeners[service].port} ${server.hostname}.`,
      ]);
    assert.match(
      await records('acme.example', '--format', 'nsupdate'),
      /^zone acme\.example\.\nupdate add acme\.example\. 300 MX /,
    );
    assert.match(await records('acme.example', '--format', 'table'), /^NAME +TTL +TYPE +DATA\n/);

    await ldap.add(`dc=www,${domainDn('acme.example')}`, {
      objectClass: 'dNSDomain',
      dc: 'www',
      aRecord: '192.0.2.80',
    });
    assert.deepEqual(await dig('www.acme.example', 'A'), ['www.acme.example. 300 IN A 192.0.2.80']);
    await assert.rejects(
      ldap.add(`dc=bad,${domainDn('acme.example')}`, { objectClass: 'dNSDomain', dc: 'bad', aRecord: '192.0.2.800' }),
      /aRecord 192\.0\.2\.800/,
    );
    // What the entry, the hosts and the policy at the https door say.
    const set = (attribute: string, ...values: string[]) =>
      replaceAttribute(ldap, domainDn('acme.example'), attribute, values);
    const host = (name: string, preference: string) =>
      ldap.add(`cn=${name},ou=Hosts,ou=Waypost,o=internet`, {
        ...{ objectClass: 'waypostHost', cn: name, waypostHostPreference: preference, waypostHostService: 'smtp 25' },
      });
    await host('mx2.example', '20');
    const exchange = (preference: number, name: string) => `acme.example. 300 IN MX ${preference} ${name}.`;
    assert.deepEqual(await dig('acme.example', 'MX'), [exchange(10, server.hostname), exchange(20, 'mx2.example')]);
    await set('mailRoutingHosts', 'mx2.example', server.hostname);
    await host('mx3.example', '5');
    assert.deepEqual(await dig('acme.example', 'MX'), [exchange(10, server.hostname), exchange(20, 'mx2.example')]);
    assert.deepEqual(await dig('acme.example', 'TXT'), ['acme.example. 300 IN TXT "v=spf1 mx a:mx3.example ~all"']);
    await set('waypostTlsReport', 'mailto:tls@acme.example');
    await set('waypostMtaSts', 'enforce');
    assert.deepEqual(await dig('_smtp._tls.acme.example', 'TXT'), [
      '_smtp._tls.acme.example. 300 IN TXT "v=TLSRPTv1; rua=mailto:tls@acme.example"',
    ]);
    const policy = await new Promise<string>((resolve, reject) => {
      const { port } = server.listeners.https;
      const headers = { host: 'mta-sts.acme.example' };
      const path = '/.well-known/mta-sts.txt';
      get({ host: '127.0.0.1', port, path, headers, rejectUnauthorized: false }, (response) => {
        response
          .setEncoding('utf8')
          .toArray()
          .then((parts) => resolve(parts.join('')), reject);
      }).on('error', reject);
    });
    const hosts = ['mx2.example', server.hostname].sort().map((name) => `mx: ${name}\r\n`);
    assert.equal(policy, `version: STSv1\r\nmode: enforce\r\n${hosts.join('')}max_age: 604800\r\n`);
    const id = createHash('sha256').update(policy).digest('hex').slice(0, 16);
    assert.deepEqual(await dig('_mta-sts.acme.example', 'TXT'), [
      `_mta-sts.acme.example. 300 IN TXT "v=STSv1; id=${id}"`,
    ]);
    await addDomain(ldap, 'sales.acme.example');
    await set('waypostDmarc', 'v=DMARC1; p=quarantine');
    assert.deepEqual(await dig('_dmarc.sales.acme.example', 'TXT'), [
      '_dmarc.sales.acme.example. 300 IN TXT "v=DMARC1; p=quarantine"',
    ]);
    const kinds = [
      ['mx', 'acme.example', 'MX'],
      ['spf', 'acme.example', 'TXT'],
      ['dkim', `${(await keysOf(server))[0]}._domainkey.acme.example`, 'TXT'],
      ['dmarc', '_dmarc.acme.example', 'TXT'],
      ['srv', '_submissions._tcp.acme.example', 'SRV'],
    ] as const;
    for (const [word, owner, type] of kinds) {
      await set('waypostOmitRecord');
      assert.notDeepEqual(await dig(owner, type), [], word);
      await set('waypostOmitRecord', word);
      assert.deepEqual(await dig(owner, type), [], word);
    }
    await set('waypostOmitRecord');
    const key = (selector: string, pem: string, type = 'rsa') =>
      ldap.add(`cn=${selector},ou=Keys,ou=Waypost,o=internet`, {
        ...{ objectClass: 'waypostDkimKey', cn: selector, waypostKeyType: type, waypostKeySecret: pem },
      });
    const rsa = (modulusLength: number) => pemOf(generateKeyPairSync('rsa', { modulusLength }).privateKey);
    const elliptic = pemOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
    const edwards = pemOf(generateKeyPairSync('ed25519').privateKey);
    const www = `dc=www,${domainDn('acme.example')}`;
    const dmarc = `dc=_dmarc,${domainDn('acme.example')}`;
    const say = (attribute: string, value: string) =>
      replaceAttribute(ldap, domainDn('acme.example'), attribute, [value]);
    const refused: readonly (readonly [code: number, named: string, () => Promise<unknown>])[] = [
      [21, 'aRecord 192.0.2.800', () => replaceAttribute(ldap, www, 'aRecord', ['192.0.2.800'])],
      [19, 'cNAMERecord a.example', () => replaceAttribute(ldap, www, 'cNAMERecord', ['a.example'])],
      [19, 'cNAMERecord a.example', () => ldap.add(dmarc, { objectClass: 'dNSDomain', cNAMERecord: 'a.example' })],
      [21, 'waypostOmitRecord everything', () => say('waypostOmitRecord', 'everything')],
      [21, 'waypostZoneAuthority mine', () => say('waypostZoneAuthority', 'mine')],
      [21, 'waypostMtaSts perhaps', () => say('waypostMtaSts', 'perhaps')],
      [19, 'waypostKeySecret', () => key('k1', rsa(1024))],
      [19, 'waypostKeySecret', () => key('k1', elliptic)],
      [19, 'waypostKeySecret', () => key('k1', 'no key')],
      [19, 'waypostKeyType: rsa', () => key('k1', edwards)],
      [21, 'waypostKeyType: dsa', () => key('k1', edwards, 'dsa')],
    ];
    for (const [code, named, write] of refused)
      await assert.rejects(write(), (error: Error & { code?: number }) => {
        assert.ok(error.message.includes(named), error.message);
        assert.equal(error.code, code, named);
        return true;
      });
    await key('k1', edwards, 'ed25519');
    const [said] = await dig('k1._domainkey.acme.example', 'TXT');
    assert.match(said!, /"v=DKIM1; k=ed25519; p=/);
    // Its senders are to come and be told.
    for (const attribute of ['inetDomainStatus', 'mailDomainStatus'])
      for (const status of ['inactive', 'deleted']) {
        await set(attribute, status);
        assert.equal((await dig('acme.example', 'MX')).length, 2, `${attribute}: ${status}`);
      }
    await ldap.add(domainDn('quiet.example'), { objectClass: ['domain', 'inetDomain'], dc: 'quiet' });
    assert.deepEqual(await dig('quiet.example', 'MX'), ['quiet.example. 300 IN MX 0 .']);
    assert.deepEqual(await dig('quiet.example', 'TXT'), ['quiet.example. 300 IN TXT "v=spf1 -all"']);
    assert.deepEqual(await dig('_dmarc.quiet.example', 'TXT'), [
      '_dmarc.quiet.example. 300 IN TXT "v=DMARC1; p=reject"',
    ]);
    const { stdout: steps } = await run(launcher, ['route', 'ann@quiet.example', '--data', server.data]).catch(
      (error: { stdout: string }) => error,
    );
    assert.match(steps, /556 5\.1\.10 This domain takes no mail/);
    await assert.rejects(records('foreign.example'), (error: Error & { code?: number }) => error.code === 1);
  } finally {
    await ldap.unbind();
  }
});

test('[dns] mode none: no door for questions, and every domain is for others to publish', {
  timeout: 300_000,
}, async () => {
  await using server = await startWaypost({ config: '[dns]\nmode = "none"\n' });
  assert.throws(() => server.listeners.dns, /no listener dns/);
  const admin = new AdminClient(server.data);
  await admin.call('domain.add', { domain: 'acme.example' });
  const { authority, records } = await admin.call('dns.records', { domain: 'acme.example' });
  assert.equal(authority, 'theirs');
  const types = records.map(({ type }) => type);
  assert.ok(types.includes('MX') && !types.includes('SOA') && !types.includes('NS'), types.join());
});
