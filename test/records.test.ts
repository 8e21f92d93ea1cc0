// One LDAP add, and the started server answers every record of the domain: the same in `waypost dns records` and to `dig`.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { RecordsDescription } from '../src/zones/describe.ts';
import { addDomain, administrator, domainDn, replaceAttribute } from './support/directory.ts';
import { peer } from './support/peers.ts';
import { startWaypost } from './support/server.ts';

const pemOf = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }).toString();
const run = promisify(execFile);
const launcher = resolve(import.meta.dirname, '../waypost');

test('records follow the entry, in its commit', { skip: peer('dig').skip, timeout: 120_000 }, async () => {
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
    const owners = new Map<string, string[]>();
    for (const { name, ttl, type, data } of shown.records) {
      const key = `${name} ${type}`;
      owners.set(key, [...(owners.get(key) ?? []), `${name} ${ttl} IN ${type} ${data}`]);
    }
    for (const [key, lines] of owners) assert.deepEqual(await dig(...key.split(' ')), lines.sort(), key);
    const types = [...owners.keys()];
    for (const wanted of ['acme.example. MX', 'acme.example. TXT', '_dmarc.acme.example. TXT', 'acme.example. NS'])
      assert.ok(types.includes(wanted), wanted);
    const submissions = String(server.listeners.submissions.port);
    assert.deepEqual(await dig('_submissions._tcp.acme.example', 'SRV'), [
      `_submissions._tcp.acme.example. 300 IN SRV 0 1 ${submissions} ${server.hostname}.`,
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
