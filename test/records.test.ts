// One LDAP add, and the started server answers every record of the domain: the same in `waypost dns records` and to `dig`.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { RecordsDescription } from '../src/zones/describe.ts';
import { addDomain, administrator, domainDn } from './support/directory.ts';
import { peer } from './support/peers.ts';
import { startWaypost } from './support/server.ts';

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
    await ldap.add(domainDn('quiet.example'), { objectClass: ['domain', 'inetDomain'], dc: 'quiet' });
    assert.deepEqual(await dig('quiet.example', 'MX'), ['quiet.example. 300 IN MX 0 .']);
    await assert.rejects(records('foreign.example'), (error: Error & { code?: number }) => error.code === 1);
  } finally {
    await ldap.unbind();
  }
});
