// Another server of the directory over LDAP: it reads all there is, and hands on what was asked of it.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { callerOf } from '../../directory/caller.ts';
import { findEntry } from '../../directory/entries.ts';
import { type DirectoryChange, textValue } from '../../directory/entry.ts';
import { Provider } from '../../provisioning/replica/provider.ts';
import { add, addDomain, addUser, remove, replace, userDn } from '../../provisioning/testing.ts';
import { controlOf } from '../../wire/ldap/controls/codec.ts';
import { proxiedAuthorization } from '../../wire/ldap/controls/proxied-authorization.ts';
import { CHANGE_LIST } from '../../wire/ldap/extended/change-list.ts';
import { ADMINISTRATOR, disconnected, GEHEIM, openTestDoor, RawClient, searchFor } from './testing.ts';

const door = await openTestDoor();
after(() => door.close());

const [ann, bob] = ['ann@acme.example', 'bob@acme.example'].map(userDn) as [string, string];
const HOST = 'cn=mx2.test.example,ou=Hosts,ou=Waypost,o=internet';
const KEYS = '{SCRAM-SHA-256}4096$c2FsdHNhbHRzYWx0c2FsdA==$c3RvcmVk$c2VydmVy';

await door.directory.apply(
  addDomain('acme.example'),
  addUser('ann@acme.example', GEHEIM),
  addUser('bob@acme.example', GEHEIM),
  add(HOST, { objectClass: ['waypostHost', 'simpleSecurityObject'], cn: 'mx2.test.example', ...GEHEIM }),
  add('cn=ns1,ou=Hosts,ou=Waypost,o=internet', {
    objectClass: 'waypostNameServer',
    cn: 'ns1',
    waypostNameServerRole: 'secondary',
    waypostNameServerAddress: '192.0.2.1',
    waypostTsigName: 'k',
    waypostTsigAlgorithm: 'hmac-sha256',
    waypostTsigSecret: 'c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0',
  }),
);

async function as(dn: string, password = 'geheim'): Promise<RawClient> {
  const client = await RawClient.open(door.port);
  assert.equal(await client.bind(dn, password), 0);
  return client;
}

async function attributesOf(client: RawClient, dn: string): Promise<string[]> {
  client.request(searchFor(dn, { attributes: ['*', '+'] }));
  const names: string[] = [];
  for (;;) {
    const { operation } = (await client.response())!;
    if (operation.kind !== 'searchEntry') return names;
    names.push(...operation.attributes.map(({ name }) => name));
  }
}

async function handOn(client: RawClient, lines: readonly string[], identity?: string) {
  const controls = identity === undefined ? [] : [controlOf(proxiedAuthorization, identity, true)];
  client.request({ kind: 'extended', name: CHANGE_LIST, value: Buffer.from(lines.join('\n')) }, controls);
  const { operation } = (await client.response())!;
  assert.ok(operation.kind === 'extendedResponse');
  const text = Buffer.from(operation.value ?? new Uint8Array()).toString();
  return { code: operation.result.resultCode, answer: text === '' ? undefined : JSON.parse(text) };
}

const modify = (dn: string, attribute: string, value: string): string[] => [
  `dn: ${dn}`,
  'changetype: modify',
  `replace: ${attribute}`,
  `${attribute}: ${value}`,
];

test('a server reads passwords, keys of the server, and the administrator, which others do not', async () => {
  using server = await as(HOST);
  const secrets = [
    [ann, 'userPassword'],
    [ADMINISTRATOR, 'userPassword'],
    ['cn=ns1,ou=Hosts,ou=Waypost,o=internet', 'waypostTsigSecret'],
    ['o=internet', 'aci'],
  ] as const;
  for (const [dn, name] of secrets) assert.ok((await attributesOf(server, dn)).includes(name), `${dn} ${name}`);
  using manager = await as(ADMINISTRATOR, 'secret');
  const ns1 = await attributesOf(manager, 'cn=ns1,ou=Hosts,ou=Waypost,o=internet');
  assert.ok(ns1.includes('waypostTsigName') && !ns1.includes('waypostTsigSecret'));
  using other = await as(bob);
  for (const [dn] of secrets) assert.deepEqual(await attributesOf(other, dn), [], dn);
});

test('what a server hands on counts as asked by whom it was asked, and has the JSON answer of a change', async () => {
  using server = await as(HOST);
  const own = await handOn(server, modify(ann, 'displayName', 'Ann'), `dn:${ann}`);
  assert.equal(own.code, 0);
  assert.deepEqual(own.answer.entries, [{ change: 'modify', dn: ann, generated: false }]);
  assert.equal(own.answer.revision, door.directory.reader.revision());
  assert.equal(findEntry(door.directory.reader, ann)?.modifiedBy, ann);
  assert.equal((await handOn(server, modify(bob, 'displayName', 'Bob'), `dn:${ann}`)).code, 50);
  assert.equal((await handOn(server, modify(bob, 'mailHost', 'mx2.test.example'), `dn:${ADMINISTRATOR}`)).code, 0);
  assert.equal((await handOn(server, modify(bob, 'displayName', 'Bob'), 'dn:uid=nobody,o=internet')).code, 123);
});

test('only a server writes what servers write: learned keys, and attributes that no client writes', async () => {
  using server = await as(HOST);
  const state = modify('dc=acme,dc=example,o=internet', 'waypostDomainState', 'active');
  const keys = [`dn: ${ann}`, 'changetype: modify', 'add: userPassword', `userPassword: ${KEYS}`];
  assert.equal((await handOn(server, [...state, '-', '', ...keys])).code, 0);
  const acme = findEntry(door.directory.reader, 'dc=acme,dc=example,o=internet')!;
  assert.equal(textValue(acme, 'waypostdomainstate'), 'active');
  assert.deepEqual(findEntry(door.directory.reader, ann)?.attributes.get('userpassword')?.values.length, 2);
  using manager = await as(ADMINISTRATOR, 'secret');
  assert.equal((await handOn(manager, state)).code, 19);
  using self = await as(bob);
  assert.equal((await handOn(self, keys.with(0, `dn: ${bob}`))).code, 50);
});

test('a server hands on more changes in one commit than others may, and says so when they are too many', async () => {
  const provider = new Provider({ urls: [door.url], login: HOST, password: 'geheim' });
  const caller = callerOf(findEntry(door.directory.reader, ann)!);
  const changes = (count: number, value: string): DirectoryChange[] =>
    Array.from({ length: count }, (_, i) => {
      const last = i === count - 1 ? value : 'x';
      return {
        kind: 'modify',
        dn: ann,
        modifications: [{ operation: 'replace', attribute: 'displayName', values: [last] }],
      };
    });
  const display = (): string => textValue(findEntry(door.directory.reader, ann)!, 'displayname')!;
  const outcome = await provider.handOn({ caller, changes: changes(1001, 'long list') });
  assert.equal(outcome.revision, door.directory.reader.revision());
  assert.equal(display(), 'long list');
  // More than anybody else may send at once.
  const large = 'z'.repeat(3 * 1024 * 1024);
  const long = { ...changes(1, large)[0]!, dn: bob } as DirectoryChange;
  await assert.rejects(provider.handOn({ caller, changes: [long] }), /50|may not|denied/i);
  for (const many of [changes(10_001, 'y'), changes(1, large.repeat(8))])
    await assert.rejects(provider.handOn({ caller, changes: many }), /make them in several commits/);
  assert.equal(display(), 'long list');
  provider.close();
});

test('a site administrator makes no server, and acts for none', async () => {
  const group = 'cn=Site Administrators,ou=Waypost,o=internet';
  const made = 'cn=mx9.test.example,ou=Hosts,ou=Waypost,o=internet';
  const ns1 = 'cn=ns1,ou=Hosts,ou=Waypost,o=internet';
  const rule = `(targetattr = "*")(version 3.0; acl "own"; allow (proxy) userdn = "ldap:///${bob}";)`;
  await door.directory.apply(replace(group, { member: bob }), replace(HOST, { aci: rule }));
  const classes = ['objectClass: waypostHost', 'objectClass: simpleSecurityObject'];
  const host = [`dn: ${made}`, 'changetype: add', ...classes, 'cn: mx9.test.example'];
  const move = (dn: string) => [
    `dn: ${dn}`,
    'changetype: moddn',
    'newrdn: cn=mx9.test.example',
    'deleteoldrdn: 0',
    'newsuperior: ou=Hosts,ou=Waypost,o=internet',
  ];
  const refused: [string[], string?][] = [
    [[...host, 'userPassword: geheim']],
    [modify(ns1, 'userPassword', 'geheim')],
    [modify(HOST, 'objectClass', 'waypostHost')],
    [modify(HOST, 'userPassword', 'geheim')],
    [move(ann)],
    [modify(ann, 'displayName', 'Anna'), `dn:${HOST}`],
  ];
  using site = await as(bob);
  assert.equal((await handOn(site, modify(ns1, 'waypostNameServerAddress', '192.0.2.2'))).code, 0);
  for (const [lines, identity] of refused) {
    const { code } = await handOn(site, lines, identity);
    assert.equal(code, identity === undefined ? 50 : 123, lines.join(', '));
  }
  await door.directory.apply(replace(group, { member: [] }), replace(HOST, { aci: [] }));
});

test('a host that is taken away is no server any more, on connections that are open too', async () => {
  using server = await as(HOST);
  await door.directory.apply(remove(HOST));
  assert.match(await disconnected(server), /^8 /);
});
