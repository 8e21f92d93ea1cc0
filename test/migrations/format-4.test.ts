// A store of format 4, made by a program that writes it: its domains get the records that today's program makes of them, and
// its queue stays as it is.
//
// In      format-4/: the store (make.ts says how)
// Out     DNS's answers, rows of the queue, containers of today's; the program that made the store refuses what it became

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client } from 'ldapts';
import { silentLog } from '../../src/base/log.ts';
import { AdminClient } from '../../src/cli/client.ts';
import { FORMAT } from '../../src/database/format.ts';
import { DEFAULT_RULES } from '../../src/directory/access/default-rules.ts';
import { DnsClient } from '../../src/net/dns-client.ts';
import { bringToFormat } from '../../src/server/upgrade.ts';
import { rdataText } from '../../src/wire/dns/text.ts';
import { administrator, replaceAttribute } from '../support/directory.ts';
import { startWaypost } from '../support/server.ts';
import { contents, copyOfStore } from './fixture.ts';
import { config, KEPT, LATER } from './format-4/content.ts';

test('domains have the records of today, people and queue are as they were', async () => {
  using store = copyOfStore({ format: 4 });
  await using server = await startWaypost({ data: store.data, config: config('[127.0.0.9]:9') });
  await server.said(/\n/);
  const [first] = server.stderr().split('\n');
  assert.equal(first, `migrating the store from format 4 to ${FORMAT} (2 messages); copy: store.db.format-4`);

  const { host, port } = server.listeners.dns;
  const client = new DnsClient({ servers: [] });
  const ask = async (name: string, type: 'MX' | 'TXT' | 'SOA'): Promise<readonly string[]> => {
    const reply = await client.ask(name, type, { servers: [{ address: host, port }] });
    assert.ok(!('unavailable' in reply), name);
    return reply.answers.map(rdataText);
  };
  for (const domain of ['acme.example', 'sub.acme.example', 'alias.example']) {
    assert.deepEqual(await ask(domain, 'MX'), [`10 ${server.hostname}.`], domain);
    assert.deepEqual(await ask(domain, 'TXT'), ['"v=spf1 mx ~all"'], domain);
  }
  assert.deepEqual(await ask('quiet.example', 'MX'), ['0 .']);
  assert.deepEqual(await ask('sub.acme.example', 'SOA'), []);
  assert.equal((await ask('acme.example', 'SOA')).length, 1);
  assert.deepEqual(await ask('theirs.example', 'MX'), []);
  client.close();

  const queue = await new AdminClient(server.data).call('queue.list', {});
  assert.deepEqual(
    // It may be trying at this moment.
    queue.map(({ recipient, state, heldBy }) => [recipient, state === 'active' ? 'waiting' : state, heldBy]).sort(),
    [
      [KEPT, 'held', 'admin'],
      [LATER, 'waiting', null],
    ].sort(),
  );
  const ldap = await administrator(server);
  const { searchEntries } = await ldap.search('ou=Waypost,o=internet', { scope: 'one' });
  const containers = searchEntries.map((entry) => String(entry['ou']));
  for (const name of ['Keys', 'Pending', 'Policies', 'Tombstones']) assert.ok(containers.includes(name), name);

  // It begins with the rules of a new directory; what its administrator makes of them stays.
  const rules = async (client: Client): Promise<unknown> => {
    const found = await client.search('o=internet', { scope: 'base', attributes: ['aci'] });
    return found.searchEntries[0]!['aci'];
  };
  assert.deepEqual(await rules(ldap), [...DEFAULT_RULES]);
  const own = '(targetattr = "cn")(version 3.0; acl "own"; allow (read) userdn = "ldap:///all";)';
  await replaceAttribute(ldap, 'o=internet', 'aci', [DEFAULT_RULES[0]!, own]);
  await ldap.unbind();
  await server.restart();
  const again = await administrator(server);
  assert.deepEqual(await rules(again), [DEFAULT_RULES[0], own]);
  await again.unbind();
});

test('the copy is the old store', () => {
  using store = copyOfStore({ format: 4 });
  const old = contents(store.path);
  bringToFormat(store.data, { log: silentLog, synchronous: 'FULL' });
  assert.deepEqual(contents(`${store.path}.format-4`), old);
});
