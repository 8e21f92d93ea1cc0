// Who may bind, and who may do what afterwards.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { until } from '../../../test/support/until.ts';
import { HashGate } from '../../auth/hash-gate.ts';
import { StandingLogin } from '../../auth/standing-login.ts';
import { systemClock } from '../../base/clock.ts';
import { idOf, type PublishedRevision } from '../../base/ids.ts';
import { ANONYMOUS, type Caller } from '../../directory/caller.ts';
import { findEntry } from '../../directory/entries.ts';
import { submitterInOrder } from '../../provisioning/submit.ts';
import { addDomain, addUser, domainDn, remove, replace, userDn } from '../../provisioning/testing.ts';
import type { LdapRequest } from '../../wire/ldap/message.ts';
import {
  ADMINISTRATOR,
  codeOf,
  disconnected,
  GEHEIM,
  hex,
  openTestDoor,
  PASSWORD,
  RawClient,
  searchFor,
  simpleBind,
} from './testing.ts';

const door = await openTestDoor();
after(() => door.close());
await door.directory.apply(addDomain('acme.example'), addUser('ann@acme.example', GEHEIM), addUser('bob@acme.example'));

const ann = userDn('ann@acme.example');

test('a bind succeeds with the right password, and with neither name nor password', async () => {
  using client = await RawClient.open(door.port);
  assert.equal(await client.bind(), 0);
  assert.equal(await client.bind('CN = directory manager'), 0);
  assert.equal(await client.bind('', ''), 0);
  assert.equal(await client.bind(ann, 'geheim'), 0);
});

test('a name without a password is never authenticated, known or not', async () => {
  using client = await RawClient.open(door.port);
  assert.equal(await client.bind(ADMINISTRATOR, ''), 53);
  assert.equal(await client.bind('cn=nobody', ''), 53);
});

test('a wrong password and an unknown name look the same', async () => {
  using client = await RawClient.open(door.port);
  const results = [];
  for (const [name, password] of [
    [ADMINISTRATOR, 'x'],
    ['uid=x,o=internet', PASSWORD],
    ['', PASSWORD],
  ] as const) {
    client.request(simpleBind(name, password));
    const { code, text } = (await client.result())!;
    results.push([code, text]);
  }
  assert.deepEqual(new Set(results.map(String)).size, 1);
  assert.equal(results[0]![0], 49);
  assert.equal(await client.bind('no DN at all', 'x'), 34);
});

test('a bind that fails takes the identity from before away', async () => {
  using client = await RawClient.open(door.port);
  await client.bind();
  assert.equal(await codeOf(client, searchFor('o=internet')), 0);
  assert.equal(await client.bind(ADMINISTRATOR, 'wrong'), 49);
  assert.equal(await codeOf(client, searchFor('o=internet')), 32);
});

test('unknown mechanisms, other ways to authenticate and other versions are refused by name', async () => {
  using client = await RawClient.open(door.port);
  const sasl = { method: 'sasl', mechanism: 'CRAM-MD5', credentials: undefined } as const;
  assert.equal(await codeOf(client, { kind: 'bind', version: 3, name: '', authentication: sasl }), 7);
  client.send(hex('300c 020109 6007 020103 0400 8900'));
  assert.equal((await client.result())!.code, 7);
  const simple = { method: 'simple', password: PASSWORD } as const;
  assert.equal(await codeOf(client, { kind: 'bind', version: 2, name: ADMINISTRATOR, authentication: simple }), 2);
});

test('a stranger may read the root DSE and the subschema, and nothing else', async () => {
  using client = await RawClient.open(door.port);
  assert.equal(await codeOf(client, searchFor('')), 0);
  assert.equal(await codeOf(client, searchFor('cn=Subschema', { text: '(objectClass=subschema)' })), 0);
  assert.equal(await codeOf(client, { kind: 'compare', dn: '', attribute: 'supportedLDAPVersion', value: '3' }), 6);
  const unseen: readonly LdapRequest[] = [
    searchFor('', { scope: 'sub' }),
    searchFor('o=internet'),
    searchFor('o=internet', { scope: 'sub' }),
    searchFor('dc=nothing,o=internet'),
    { kind: 'compare', dn: 'o=internet', attribute: 'o', value: 'internet' },
  ];
  for (const request of unseen) assert.equal(await codeOf(client, request), 32, request.kind);
  const forbidden: readonly LdapRequest[] = [
    { kind: 'add', dn: 'dc=x,o=internet', attributes: [{ name: 'objectClass', values: ['domain'] }] },
    {
      kind: 'modify',
      dn: ann,
      modifications: [{ operation: 'replace', attribute: 'userPassword', values: ['x'] }],
    },
    { kind: 'modifyDn', dn: ann, newRdn: 'uid=x', deleteOldRdn: true, newSuperior: undefined },
    { kind: 'delete', dn: ann },
  ];
  for (const request of forbidden) assert.equal(await codeOf(client, request), 50, request.kind);
});

test('a user reads the own entry without its password, and nothing else', async () => {
  using client = await RawClient.open(door.port);
  await client.bind(ann, 'geheim');
  client.request(searchFor(ann, { scope: 'sub' }));
  const response = (await client.response())!.operation;
  assert.ok(response.kind === 'searchEntry');
  assert.equal(response.dn, ann);
  assert.ok(!response.attributes.some(({ name }) => name === 'userPassword'));
  assert.equal((await client.result())!.code, 0);
  assert.equal(await codeOf(client, { kind: 'compare', dn: ann, attribute: 'mail', value: 'ANN@acme.example' }), 6);
  assert.equal(await codeOf(client, { kind: 'compare', dn: ann, attribute: 'userPassword', value: 'x' }), 16);
  assert.equal(await codeOf(client, searchFor(userDn('bob@acme.example'))), 32);
  assert.equal(await codeOf(client, searchFor(userDn('nobody@acme.example'))), 32);
  assert.equal(await codeOf(client, searchFor(domainDn('acme.example'))), 32);
  // Below a base that she does not see there is what she sees.
  client.request(searchFor(domainDn('acme.example'), { scope: 'sub' }));
  const below = (await client.response())!.operation;
  assert.ok(below.kind === 'searchEntry' && below.dn === ann);
  assert.equal((await client.result())!.code, 0);
});

test('a user writes the own password, and never the keys beside it', async () => {
  using client = await RawClient.open(door.port);
  await client.bind(ann, 'geheim');
  const change = (operation: 'add' | 'delete' | 'replace', attribute: string, dn = ann): LdapRequest => ({
    kind: 'modify',
    dn,
    modifications: [{ operation, attribute, values: ['new secret'] }],
  });
  assert.equal(await codeOf(client, change('replace', 'mail')), 50);
  assert.equal(await codeOf(client, change('replace', 'userPassword', userDn('bob@acme.example'))), 50);
  assert.equal(await codeOf(client, { kind: 'delete', dn: ann }), 50);
  const both = (...values: readonly string[]): LdapRequest => ({
    kind: 'modify',
    dn: ann,
    modifications: [{ operation: 'replace', attribute: 'userPassword', values }],
  });
  const keys = `{SCRAM-SHA-256}4096,c2FsdHNhbHQ=,${'A'.repeat(43)}=,${'B'.repeat(42)}A=`;
  assert.equal(await codeOf(client, both('new secret', keys)), 50, 'another password beside it');
  assert.equal(await codeOf(client, both(GEHEIM.userPassword, keys)), 50);
  assert.equal(await codeOf(client, change('replace', 'userPassword')), 0);
  assert.equal(await client.bind(ann, 'geheim'), 49);
  assert.equal(await client.bind(ann, 'new secret'), 0);
});

test('an entry that was deleted after its bind changes nothing, and its connection ends', async () => {
  const carl = userDn('carl@acme.example');
  await door.directory.apply(addUser('carl@acme.example', GEHEIM));
  using client = await RawClient.open(door.port);
  assert.equal(await client.bind(carl, 'geheim'), 0);
  await door.directory.apply(remove(carl));
  // Another entry of the old name is another caller.
  await door.directory.apply(addUser('carl@acme.example'));
  const before = door.directory.shared.revision();
  client.request({
    kind: 'modify',
    dn: carl,
    modifications: [{ operation: 'replace', attribute: 'userPassword', values: ['{SHA}x'] }],
  });
  assert.match(await disconnected(client), /^8 /);
  assert.equal(door.directory.shared.revision(), before);
});

test('a status that keeps mail logins out keeps binds out, at every level', async () => {
  await door.directory.apply(addDomain('gone.example'), addUser('dora@gone.example', GEHEIM));
  const dora = userDn('dora@gone.example');
  using client = await RawClient.open(door.port);
  assert.equal(await client.bind(dora, 'geheim'), 0);
  // A connection that is bound as her would end.
  assert.equal(await client.bind('', ''), 0);
  for (const [dn, attribute] of [
    [domainDn('gone.example'), 'inetDomainStatus'],
    [domainDn('gone.example'), 'mailDomainStatus'],
    [dora, 'inetUserStatus'],
    [dora, 'mailUserStatus'],
  ] as const) {
    await door.directory.apply(replace(dn, { [attribute]: 'deleted' }));
    assert.equal(await client.bind(dora, 'geheim'), 50, attribute);
    assert.equal(await client.bind(dora, 'wrong'), 49, attribute);
    await door.directory.apply(replace(dn, { [attribute]: [] }));
  }
  assert.equal(await client.bind(dora, 'geheim'), 0);
});

for (const [what, values] of [
  ['a status', { mailUserStatus: 'disabled' }],
  ['an access rule', { mailAllowedServiceAccess: '-ldap:*' }],
  ['another password', { userPassword: '{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=' }],
] as const)
  test(`${what} that comes after the bind ends the connection, and no other`, async () => {
    const fred = userDn('fred@acme.example');
    await door.directory.apply(addUser('fred@acme.example', GEHEIM));
    using idle = await RawClient.open(door.port);
    assert.equal(await idle.bind(fred, 'geheim'), 0);
    using rebound = await RawClient.open(door.port);
    assert.equal(await rebound.bind(fred, 'geheim'), 0);
    assert.equal(await rebound.bind(), 0);
    await door.directory.apply(replace(fred, values));
    assert.match(await disconnected(idle), /^8 /);
    assert.equal(await codeOf(rebound, searchFor(fred)), 0);
    await door.directory.apply(remove(fred));
  });

test('a domain that is shut ends the connections of its people', async () => {
  const ida = userDn('ida@shut.example');
  await door.directory.apply(addDomain('shut.example'), addUser('ida@shut.example', GEHEIM));
  using idle = await RawClient.open(door.port);
  assert.equal(await idle.bind(ida, 'geheim'), 0);
  using other = await RawClient.open(door.port);
  const dora = userDn('dora@gone.example');
  assert.equal(await other.bind(dora, 'geheim'), 0);
  await door.directory.apply(replace(domainDn('shut.example'), { mailDomainAllowedServiceAccess: '-ALL:*' }));
  assert.match(await disconnected(idle), /^8 /);
  assert.equal(await codeOf(other, searchFor(dora)), 0);
});

test('a user who changes the own password goes on, where it was changed', async () => {
  const hal = userDn('hal@acme.example');
  await door.directory.apply(addUser('hal@acme.example', GEHEIM));
  using here = await RawClient.open(door.port);
  assert.equal(await here.bind(hal, 'geheim'), 0);
  using elsewhere = await RawClient.open(door.port);
  assert.equal(await elsewhere.bind(hal, 'geheim'), 0);
  const values = ['{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ='];
  const modifications = [{ operation: 'replace', attribute: 'userPassword', values }] as const;
  assert.equal(await codeOf(here, { kind: 'modify', dn: hal, modifications }), 0);
  assert.match(await disconnected(elsewhere), /^8 /);
  assert.equal(await codeOf(here, searchFor(hal)), 0);
  await door.directory.apply(replace(hal, { mailUserStatus: 'disabled' }));
  assert.match(await disconnected(here), /^8 /);
});

test('a user who is renamed goes on under the new name', async () => {
  const gus = userDn('gus@acme.example');
  const august = userDn('august@acme.example');
  await door.directory.apply(addUser('gus@acme.example', GEHEIM));
  using client = await RawClient.open(door.port);
  assert.equal(await client.bind(gus, 'geheim'), 0);
  await door.directory.apply({
    kind: 'rename',
    dn: gus,
    newRdn: 'uid=august',
    deleteOldRdn: true,
    newSuperior: undefined,
  });
  assert.equal(await codeOf(client, searchFor(gus)), 32);
  assert.equal(await codeOf(client, searchFor(august)), 0);
  const replaced = { operation: 'replace', attribute: 'userPassword', values: [GEHEIM.userPassword] } as const;
  assert.equal(await codeOf(client, { kind: 'modify', dn: august, modifications: [replaced] }), 0);
  assert.equal(findEntry(door.directory.reader, august)?.modifiedBy, august);
});

test('an entry that goes while its change is on its way changes nothing either: the transaction sees it', async () => {
  const door = await openTestDoor({
    door: {
      submitInOrder() {
        const { writer } = door.directory;
        const submit = submitterInOrder({ writer, clock: systemClock, gate: new HashGate() });
        return async (request) => {
          await door.directory.apply(remove(ann));
          return submit(request);
        };
      },
    },
  });
  await door.directory.apply(addDomain('acme.example'), addUser('ann@acme.example', GEHEIM));
  using client = await RawClient.open(door.port);
  assert.equal(await client.bind(ann, 'geheim'), 0);
  const replaced = { operation: 'replace', attribute: 'userPassword', values: [GEHEIM.userPassword] } as const;
  client.request({ kind: 'modify', dn: ann, modifications: [replaced] });
  assert.match(await disconnected(client), /^8 /);
  await door.close();
});

test('a password in the clear is taken from this machine only; anonymous needs none', async () => {
  const remote = await openTestDoor({ connection: { peerAddress: '192.0.2.1', isPrivate: false } });
  using client = await RawClient.open(remote.port);
  assert.equal(await client.bind(), 13);
  assert.equal(await client.bind('no DN'), 13);
  assert.equal(await client.bind('', ''), 0);
  assert.equal(await codeOf(client, searchFor('')), 0);
  await remote.close();
});

test('a bind that succeeds when its client has left leaves nothing behind that watches its login', async () => {
  const [asked, right] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let watching = 0;
  const login = new StandingLogin<Caller>({
    revision: () => idOf<PublishedRevision>(0),
    read: () => ANONYMOUS,
    watch() {
      watching++;
      return () => watching--;
    },
  });
  const door = await openTestDoor({
    door: {
      logins: {
        mechanisms: () => [],
        saslBind: () => assert.fail('no bind by SASL'),
        callerNamed: () => undefined,
        async bind() {
          asked.resolve();
          await right.promise;
          return login;
        },
      },
    },
  });
  const client = await RawClient.open(door.port);
  client.request(simpleBind(ann, 'geheim'));
  await asked.promise;
  client.socket.resetAndDestroy();
  await until('the end of the connection', () => door.connections() === 0);
  right.resolve();
  for (let turns = 0; turns < 10; turns++) await new Promise(setImmediate);
  assert.deepEqual([door.sessions[0]!.login, watching], [login, 0]);
  await door.close();
});
