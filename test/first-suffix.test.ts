// A directory whose first suffix is another than o=internet: domains, people, Waypost's own entries and their rules stand below it,
// commands without a domain name people wherever they stand, and the suffix never changes.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Client } from 'ldapts';
import { AdminClient } from '../src/cli/client.ts';
import { administrator } from './support/directory.ts';
import { startWaypost, type Waypost } from './support/server.ts';

const FIRST = 'dc=corp,dc=example';
const SUFFIXES = `[directory]\nsuffix = ["${FIRST}", "o=isp"]\n`;
const DOMAIN = `dc=acme,dc=test,${FIRST}`;

describe('a first suffix of another name', { concurrency: false }, () => {
  let waypost: Waypost;
  let admin: AdminClient;
  let client: Client;
  before(async () => {
    waypost = await startWaypost({ config: SUFFIXES });
    admin = new AdminClient(waypost.data);
    client = await administrator(waypost);
  });
  after(async () => {
    await client?.unbind();
    await waypost?.stop();
  });

  const isDelivered = async (address: string): Promise<void> => {
    const route = await admin.call('route', { address });
    assert.match(JSON.stringify(route), /"channel":"store"/);
  };

  test('holds the domains and what Waypost keeps', async () => {
    await admin.call('domain.add', { domain: 'acme.test' });
    await admin.call('user.add', { address: 'ann@acme.test', password: 'secret' });
    const found = await client.search(FIRST, {
      filter: '(|(mail=ann@acme.test)(cn=Site Administrators)(ou=Channels))',
    });
    assert.deepEqual(found.searchEntries.map(({ dn }) => dn).sort(), [
      `cn=Site Administrators,ou=Waypost,${FIRST}`,
      `ou=Channels,ou=Waypost,${FIRST}`,
      `uid=ann,ou=People,${DOMAIN}`,
    ]);
    await isDelivered('ann@acme.test');
    await isDelivered(`postmaster@${waypost.hostname}`);
  });

  test('has the rules that a directory begins with, and definitions of a site', async () => {
    const ann = new Client({ url: waypost.ldap.url });
    await ann.bind(`uid=ann,ou=People,${DOMAIN}`, 'secret');
    const seen = await ann.search(FIRST, { filter: '(objectClass=*)', attributes: ['1.1'] });
    assert.deepEqual(
      seen.searchEntries.map(({ dn }) => dn),
      [`uid=ann,ou=People,${DOMAIN}`],
    );
    await ann.unbind();
    const type = "( 1.3.6.1.4.1.99999.7.1 NAME 'hatSize' SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 )";
    const ldif = `dn: cn=Subschema\nchangetype: modify\nadd: attributeTypes\nattributeTypes: ${type}\n`;
    await admin.call('directory.change', { ldif });
    const kept = await client.search(`cn=Schema,ou=Waypost,${FIRST}`, {
      scope: 'base',
      attributes: ['attributeTypes'],
    });
    assert.equal(kept.searchEntries[0]!['attributeTypes'], type);
  });

  test('commands without a domain name people and lists of every suffix', async () => {
    const base = 'o=hosted,o=isp';
    await client.add(base, { objectClass: ['organization'], o: 'hosted' });
    await client.add(`dc=hosted,dc=test,${FIRST}`, {
      objectClass: ['domain', 'inetDomain', 'mailDomain'],
      dc: 'hosted',
      inetDomainBaseDN: base,
    });
    await admin.call('user.add', { address: 'ben@hosted.test', password: 'secret' });
    await admin.call('group.add', { address: 'all@hosted.test', member: ['ben@hosted.test'] });
    const users = await admin.call('user.list', {});
    assert.deepEqual(users.map(({ address }) => address).sort(), [
      'ann@acme.test',
      'ben@hosted.test',
      `postmaster@${waypost.hostname}`,
    ]);
    assert.deepEqual(
      (await admin.call('group.list', {})).map(({ address }) => address),
      ['all@hosted.test'],
    );
  });

  test('never changes: a start with another ends with 78 and says why', async () => {
    for (const suffix of ['["o=internet"]', '["o=isp", "dc=corp,dc=example"]'])
      await assert.rejects(
        waypost.restart({ config: `[directory]\nsuffix = ${suffix}\n` }),
        (error: Error) => /the first is dc=corp,dc=example since/.test(error.message) && /78/.test(error.message),
      );
    await waypost.restart({ config: SUFFIXES });
    await isDelivered('ben@hosted.test');
  });
});
