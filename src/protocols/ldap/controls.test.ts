// Controls and extended operations over a real socket: what no tool says by itself, and what is refused.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { findEntry } from '../../directory/entries.ts';
import { addDomain, addUser, userDn } from '../../provisioning/testing.ts';
import { assertion } from '../../wire/ldap/controls/assertion.ts';
import { controlOf } from '../../wire/ldap/controls/codec.ts';
import { manageDsaIt } from '../../wire/ldap/controls/manage-dsa-it.ts';
import { pagedResults } from '../../wire/ldap/controls/paged-results.ts';
import { proxiedAuthorization } from '../../wire/ldap/controls/proxied-authorization.ts';
import { postReadRequest, postReadResponse, preReadRequest } from '../../wire/ldap/controls/read-entry.ts';
import { sortRequest, sortResponse } from '../../wire/ldap/controls/sort.ts';
import { subtreeDelete } from '../../wire/ldap/controls/subtree-delete.ts';
import type { Control } from '../../wire/ldap/controls.ts';
import { CANCEL, cancelRequest } from '../../wire/ldap/extended/cancel.ts';
import { CHANGE_LIST } from '../../wire/ldap/extended/change-list.ts';
import { generatedPassword, PASSWORD_MODIFY, passwordModifyRequest } from '../../wire/ldap/extended/password-modify.ts';
import { WHO_AM_I } from '../../wire/ldap/extended/who-am-i.ts';
import { parseFilter } from '../../wire/ldap/filter-text.ts';
import { encodeRequest, type LdapRequest } from '../../wire/ldap/message.ts';
import { codeOf, GEHEIM, openTestDoor, RawClient, searchFor, type TestDoor } from './testing.ts';

const ANN = userDn('ann@acme.example');
const BOB = userDn('bob@acme.example');
const BOSS = userDn('boss@acme.example');
const PEOPLE = 'ou=People,dc=acme,dc=example,o=internet';
const USERS = 1100;
/** Ten thousand entries take twenty seconds. */
const isLong = process.env['LDAP_LONG'] !== undefined;

let door: TestDoor;
before(async () => {
  door = await openTestDoor();
  await door.directory.apply(
    addDomain('acme.example'),
    ...['ann', 'bob', 'boss', 'cora'].map((name) => addUser(`${name}@acme.example`, GEHEIM)),
  );
  // All read all but users are bounded: the site administrator is not.
  await door.directory.apply({
    kind: 'modify',
    dn: 'o=internet',
    modifications: [
      {
        operation: 'add',
        attribute: 'aci',
        values: [
          '(targetattr="*")(version 3.0; acl "all look"; allow (read,search) userdn="ldap:///all";)',
          `(targetattr="*")(target="ldap:///${BOB}")(version 3.0; acl "boss stands in"; allow (proxy) userdn="ldap:///${BOSS}";)`,
        ],
      },
    ],
  });
});
after(() => door.close());

interface Answer {
  readonly code: number;
  readonly text: string;
  readonly dns: readonly string[];
  readonly controls: readonly Control[];
  readonly value: Uint8Array | undefined;
}

async function ask(client: RawClient, request: LdapRequest, ...controls: Control[]): Promise<Answer> {
  const id = client.request(request, controls);
  const dns: string[] = [];
  for (;;) {
    const next = await client.response();
    assert.ok(next, 'the connection stays open');
    if (next.operation.kind === 'searchEntry') dns.push(next.operation.dn);
    if (!('result' in next.operation) || next.messageId !== id) continue;
    const { resultCode: code, diagnosticMessage: text } = next.operation.result;
    const value = 'value' in next.operation ? next.operation.value : undefined;
    return { code, text, dns, controls: next.controls, value };
  }
}

async function bound(dn?: string): Promise<RawClient> {
  const client = await RawClient.open(door.port);
  assert.equal(await (dn === undefined ? client.bind() : client.bind(dn, 'geheim')), 0);
  return client;
}

const extended = (name: string, value?: Uint8Array): LdapRequest => ({ kind: 'extended', name, value });
const page = (size: number, cookie: Uint8Array = new Uint8Array()): Control =>
  controlOf(pagedResults, { size, cookie }, true);
const cookieOf = ({ controls }: Answer): Uint8Array =>
  pagedResults.decode(controls.find(({ type }) => type === pagedResults.type)?.value).cookie;
const people = searchFor(PEOPLE, { scope: 'one', text: '(objectClass=*)', attributes: ['1.1'] });

test('pages: a cookie is good once, in its connection, for its search and its caller; ten wait, the oldest goes', async () => {
  using client = await bound();
  using other = await bound();
  const first = await ask(client, people, page(1));
  assert.deepEqual([first.code, first.dns.length], [0, 1]);
  const cookie = cookieOf(first);
  assert.equal((await ask(other, people, page(1, cookie))).code, 53);
  assert.equal((await ask(client, searchFor(PEOPLE, { scope: 'sub', attributes: ['1.1'] }), page(1, cookie))).code, 53);
  const second = await ask(client, people, page(1, cookie));
  assert.deepEqual([second.code, second.dns.length], [0, 1]);
  assert.notDeepEqual(second.dns, first.dns);
  assert.equal((await ask(client, people, page(1, cookie))).code, 53, 'it was used');
  const ended = await ask(client, people, page(0, cookieOf(second)));
  assert.deepEqual([ended.code, ended.dns, cookieOf(ended).length], [0, [], 0]);
  assert.equal((await ask(client, people, page(1, cookieOf(second)))).code, 53);

  const cookies: Uint8Array[] = [];
  for (let i = 0; i < 11; i++) cookies.push(cookieOf(await ask(client, people, page(2))));
  assert.equal((await ask(client, people, page(2, cookies[0]))).code, 53);
  assert.equal((await ask(client, people, page(2, cookies[1]))).code, 0);
  assert.equal(await client.bind(), 0);
  assert.equal((await ask(client, people, page(2, cookies[2]))).code, 53, 'another bind');
});

test('pages count together against the client’s limit', async () => {
  using client = await bound();
  const limited = { ...people, sizeLimit: 3 } as const;
  const first = await ask(client, limited, page(2));
  const second = await ask(client, limited, page(2, cookieOf(first)));
  assert.deepEqual([first.code, first.dns.length, second.code, second.dns.length], [0, 2, 4, 1]);
});

test('controls that come twice, have no value, a wrong one, or are not for the operation', async () => {
  using client = await bound();
  const raw = (type: string, value?: Uint8Array, critical = false): Control => ({ type, critical, value });
  const cases: readonly (readonly [number, LdapRequest, readonly Control[]])[] = [
    [2, people, [page(1), page(1)]],
    [2, people, [raw(pagedResults.type)]],
    [2, people, [raw(pagedResults.type, Uint8Array.of(0x30, 0))]],
    [2, people, [raw(sortRequest.type, Uint8Array.of(0x30, 0))]],
    [2, people, [raw(assertion.type, Uint8Array.of(0x87, 1, 0x61, 0))]],
    [2, people, [raw(manageDsaIt.type, new Uint8Array())]],
    [2, people, [raw(proxiedAuthorization.type, Uint8Array.of(0xff), true)]],
    [2, people, [raw(proxiedAuthorization.type, Buffer.from(`dn:${ANN}`))]],
    [12, people, [raw(subtreeDelete.type, undefined, true)]],
    [0, people, [raw(subtreeDelete.type)]],
    [12, { kind: 'delete', dn: 'cn=nobody,o=internet' }, [page(1)]],
    [12, extended(WHO_AM_I), [raw(manageDsaIt.type, undefined, true)]],
    [12, people, [raw('1.2.3.4', undefined, true)]],
    [0, people, [raw('1.2.3.4')]],
  ];
  for (const [i, [code, request, controls]] of cases.entries())
    assert.equal((await ask(client, request, ...controls)).code, code, `case ${i}`);
});

test('sorting: what is not sorted says why, and fails where it is critical', async () => {
  using client = await bound();
  const sortedBy = async (critical: boolean, ...keys: { attribute: string; rule?: string; reverse?: boolean }[]) => {
    const whole = keys.map(({ attribute, rule, reverse = false }) => ({ attribute, rule, reverse }));
    const { code, dns, controls } = await ask(client, people, controlOf(sortRequest, whole, critical));
    return [code, dns.map((dn) => dn.slice(4, 7)), sortResponse.decode(controls[0]!.value).resultCode];
  };
  const all = ['ann', 'bob', 'bos', 'cor'];
  const uid = { attribute: 'uid', rule: 'caseIgnoreOrderingMatch' };
  assert.deepEqual(await sortedBy(true, { ...uid, reverse: true }), [0, [...all].reverse(), 0]);
  assert.deepEqual(await sortedBy(true, { attribute: 'description', rule: '2.5.13.3' }, uid), [0, all, 0]);
  assert.deepEqual(await sortedBy(false, { attribute: 'uid' }), [0, all, 18]);
  assert.deepEqual(await sortedBy(true, { attribute: 'uid' }), [12, [], 18]);
  assert.deepEqual(await sortedBy(false, { attribute: 'nothing' }), [0, all, 16]);
  assert.deepEqual(await sortedBy(false, uid, uid, uid, uid), [0, all, 11]);
});

test('a search of a user ends at 1,000 entries, all pages together, and at 10,000 without an index', async () => {
  using admin = await bound();
  const base = 'ou=Many,o=internet';
  const add = (dn: string, objectClass: string, attribute: string, value: string): string =>
    `dn: ${dn}\nchangetype: add\nobjectClass: ${objectClass}\n${attribute}: ${value}\n`;
  const list = async (...records: string[]): Promise<void> => {
    const { code, text } = await ask(admin, extended(CHANGE_LIST, Buffer.from(records.join('\n'))));
    assert.equal(code, 0, text);
  };
  await list(add(base, 'organizationalUnit', 'ou', 'Many'));
  const each = (from: number, to: number): string[] =>
    Array.from({ length: to - from }, (_, i) =>
      add(`ou=n${from + i},${base}`, 'organizationalUnit', 'ou', `n${from + i}`),
    );
  await list(...each(0, 1000));
  await list(...each(1000, USERS));
  const everything = searchFor(base, { scope: 'sub', attributes: ['1.1'] });
  assert.equal((await ask(admin, everything)).dns.length, USERS + 1);
  using ann = await bound(ANN);
  const once = await ask(ann, everything);
  assert.deepEqual([once.code, once.dns.length], [4, 1000]);
  const first = await ask(ann, everything, page(600));
  const second = await ask(ann, everything, page(600, cookieOf(first)));
  assert.deepEqual([first.code, second.code, first.dns.length + second.dns.length], [0, 4, 1000]);
  const sorted = await ask(
    ann,
    everything,
    controlOf(sortRequest, [{ attribute: 'ou', rule: '2.5.13.3', reverse: false }]),
  );
  assert.deepEqual([sorted.code, sorted.dns[0]], [4, `ou=Many,o=internet`]);

  if (!isLong) return;
  for (let at = USERS; at < 10_100; at += 1000) await list(...each(at, Math.min(at + 1000, 10_100)));
  const nothing = searchFor('o=internet', { scope: 'sub', text: '(description=nothing)' });
  assert.equal((await ask(ann, nothing)).code, 11);
  assert.equal((await ask(admin, nothing)).code, 0);
  const isSorted = await ask(
    admin,
    everything,
    controlOf(sortRequest, [{ attribute: 'ou', rule: '2.5.13.3', reverse: false }]),
  );
  assert.equal(sortResponse.decode(isSorted.controls[0]!.value).resultCode, 11, 'more than 10,000 are not sorted');
  assert.equal(isSorted.dns.length, 10_101);
  const tooMany = await ask(admin, { kind: 'delete', dn: base }, controlOf(subtreeDelete, true, true));
  assert.equal(tooMany.code, 11);
  const notHers = await ask(ann, { kind: 'delete', dn: base }, controlOf(subtreeDelete, true, true));
  assert.equal(notHers.code, 50, 'how many there are is told to who may delete');
  assert.equal((await ask(admin, everything)).dns.length, 10_101, 'nothing is done');
  await ask(admin, { kind: 'delete', dn: `ou=n1,${base}` });
  for (let i = 2; i < 110; i++) await ask(admin, { kind: 'delete', dn: `ou=n${i},${base}` });
  assert.equal((await ask(admin, { kind: 'delete', dn: base }, controlOf(subtreeDelete, true, true))).code, 0);
  assert.equal((await ask(admin, everything)).code, 32);
});

test('a subtree goes only where all of it may go', { skip: isLong }, async () => {
  using admin = await bound();
  const subtree = controlOf(subtreeDelete, true, true);
  assert.equal((await ask(admin, { kind: 'delete', dn: 'o=internet' }, subtree)).code, 53);
  assert.ok(findEntry(door.directory.reader, ANN), 'nothing has gone');
  using ann = await bound(ANN);
  assert.equal((await ask(ann, { kind: 'delete', dn: PEOPLE }, subtree)).code, 50);
  assert.equal((await ask(admin, { kind: 'delete', dn: 'ou=nowhere,o=internet' }, subtree)).code, 32);
});

test('proxied authorization needs the right, at the entry of the other, and never gives the administrator', async () => {
  using admin = await bound();
  using boss = await bound(BOSS);
  using ann = await bound(ANN);
  const as = (dn: string): Control => controlOf(proxiedAuthorization, dn, true);
  const who = async (client: RawClient, identity: string): Promise<string | number> => {
    const { code, value } = await ask(client, extended(WHO_AM_I), as(identity));
    return code === 0 ? Buffer.from(value!).toString() : code;
  };
  assert.equal(await who(admin, `dn:${ANN}`), `dn:${ANN}`);
  assert.equal(await who(admin, 'u:ann@acme.example'), `dn:${ANN}`);
  assert.equal(await who(admin, ''), '');
  assert.equal(await who(admin, 'ann@acme.example'), 123);
  assert.equal(await who(admin, 'dn:cn=nobody,o=internet'), 123);
  assert.equal(await who(boss, `dn:${BOB}`), `dn:${BOB}`);
  assert.equal(await who(boss, `dn:${ANN}`), 123);
  assert.equal(await who(boss, 'dn:cn=Directory Manager'), 123);
  assert.equal(await who(ann, `dn:${ANN}`), `dn:${ANN}`);
  assert.equal(await who(ann, `dn:${BOB}`), 123);
  const describe = (dn: string): LdapRequest => ({
    kind: 'modify',
    dn,
    modifications: [{ operation: 'replace', attribute: 'displayName', values: ['By another'] }],
  });
  assert.equal((await ask(boss, describe(BOB))).code, 50);
  assert.equal((await ask(boss, describe(BOB), as(`dn:${BOB}`))).code, 0, 'as Bob changes his own');
  assert.equal((await ask(admin, describe(BOB), as(`dn:${ANN}`))).code, 50, 'as Ann may not');
  assert.equal(findEntry(door.directory.reader, BOB)?.modifiedBy, BOB);
});

test('a server acts for others, and hands on a list of the administrator’s, nothing else of it', async () => {
  using admin = await bound();
  const mx2 = 'cn=mx2.example,ou=Hosts,ou=Waypost,o=internet';
  const attributes = [
    { name: 'objectClass', values: ['waypostHost', 'simpleSecurityObject'] },
    { name: 'cn', values: ['mx2.example'] },
    { name: 'userPassword', values: [GEHEIM.userPassword] },
  ];
  assert.equal(await codeOf(admin, { kind: 'add', dn: mx2, attributes }), 0);
  using server = await bound(mx2);
  const as = (identity: string): Control => controlOf(proxiedAuthorization, identity, true);
  const manager = 'dn:cn=Directory Manager';
  const text = 'dn: ou=handed,o=internet\nchangetype: add\nobjectClass: organizationalUnit\nou: handed\n';
  const list = extended(CHANGE_LIST, Buffer.from(text));
  assert.equal((await ask(server, extended(WHO_AM_I), as(`dn:${ANN}`))).code, 0);
  assert.equal((await ask(server, extended(WHO_AM_I), as(manager))).code, 123);
  assert.equal((await ask(server, list, as(`dn:${ANN}`))).code, 50);
  using boss = await bound(BOSS);
  assert.equal((await ask(boss, list, as(manager))).code, 123);
  assert.equal((await ask(server, list, as(manager))).code, 0);
  assert.equal(findEntry(door.directory.reader, 'ou=handed,o=internet')?.createdBy, 'cn=Directory Manager');
});

test('the entry before and after is what the caller may read of it', async () => {
  using bob = await bound(BOB);
  const modify: LdapRequest = {
    kind: 'modify',
    dn: BOB,
    modifications: [{ operation: 'replace', attribute: 'displayName', values: ['Robert'] }],
  };
  const { code, controls } = await ask(
    bob,
    modify,
    controlOf(postReadRequest, ['displayName', 'userPassword', 'entryUUID', 'memberOf'], true),
    controlOf(assertion, parseFilter('(uid=bob)'), true),
  );
  assert.equal(code, 0);
  const { attributes } = postReadResponse.decode(controls[0]!.value);
  assert.deepEqual(attributes.find(({ name }) => name === 'displayName')?.values, ['Robert']);
  assert.equal(
    attributes.some(({ name }) => name === 'userPassword'),
    false,
  );
  const secret = await ask(bob, modify, controlOf(assertion, parseFilter('(userPassword=*)'), true));
  assert.equal(secret.code, 122, 'what may not be asked for is not told');
});

test('Password Modify: a new one, one that is made, the old one checked, of others by who may', async () => {
  using ann = await bound(ANN);
  using admin = await bound();
  const change = (client: RawClient, value: Parameters<typeof passwordModifyRequest.encode>[0]) =>
    ask(client, extended(PASSWORD_MODIFY, passwordModifyRequest.encode(value)));
  assert.equal((await change(ann, { oldPassword: 'wrong', newPassword: 'new' })).code, 49);
  const made = await change(ann, { oldPassword: 'geheim' });
  assert.equal(made.code, 0);
  const password = String(generatedPassword.decode(made.value!));
  assert.match(password, /^[a-z2-7]{16}$/);
  using again = await RawClient.open(door.port);
  assert.equal(await again.bind(ANN, password), 0);
  for (const more of [{ newPassword: 'x' }, { newPassword: 'x', oldPassword: 'wrong' }, { newPassword: '' }]) {
    const answers = [];
    for (const identity of [BOB, 'u:bob@acme.example', 'u:nobody@acme.example', 'nobody@nowhere.example']) {
      const { code, text } = await change(ann, { identity, ...more });
      answers.push(`${code} ${text}`);
    }
    assert.deepEqual(new Set(answers).size, 1, answers.join('\n'));
    assert.equal(answers[0]!.slice(0, 2), more.newPassword === '' ? '53' : 'oldPassword' in more ? '49' : '50');
  }
  assert.equal((await change(admin, { identity: 'ann@acme.example', newPassword: 'geheim' })).code, 0);
  assert.equal((await change(admin, { identity: 'nobody@acme.example', newPassword: 'x' })).code, 32);
  assert.equal((await change(admin, { identity: ANN, newPassword: '' })).code, 53);
  assert.equal((await ask(admin, extended(PASSWORD_MODIFY, Uint8Array.of(0x30, 5)))).code, 2);
  using stranger = await RawClient.open(door.port);
  assert.equal((await change(stranger, { identity: ANN, newPassword: 'x' })).code, 8);
  const remote = await openTestDoor({ connection: { peerAddress: '192.0.2.1', isPrivate: false } });
  using far = await RawClient.open(remote.port);
  assert.equal((await change(far, { newPassword: 'x' })).code, 13);
  await remote.close();
});

test('Cancel ends a search that is under way, and nothing else', async () => {
  const running = Promise.withResolvers<void>();
  const slow = await openTestDoor({
    handlers: {
      search: async (_request, { signal }) => {
        running.resolve();
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        throw new Error('nobody reads this');
      },
    },
  });
  using client = await RawClient.open(slow.port);
  await client.bind();
  const searching = client.request(people);
  await running.promise;
  const canceling = client.request(extended(CANCEL, cancelRequest.encode(searching)));
  const results = new Map<number, number>();
  while (results.size < 2) {
    const next = await client.result();
    results.set(next!.messageId, next!.code);
  }
  assert.deepEqual([results.get(searching), results.get(canceling)], [118, 0]);
  assert.equal(await codeOf(client, extended(CANCEL, cancelRequest.encode(searching))), 119);
  assert.equal(await codeOf(client, extended(CANCEL, cancelRequest.encode(999))), 119);
  assert.equal(await codeOf(client, extended(CANCEL)), 2);
  await slow.close();
});

test('Cancel of a bind that was not answered yet is refused; later there is no such operation', async () => {
  const client = await RawClient.open(door.port);
  const binding = 41;
  const bind: LdapRequest = {
    kind: 'bind',
    version: 3,
    name: 'cn=Directory Manager',
    authentication: { method: 'simple', password: Buffer.from('wrong') },
  };
  const both = [bind, extended(CANCEL, cancelRequest.encode(binding))].map((operation, at) =>
    encodeRequest({ messageId: binding + at, operation, controls: [] }),
  );
  client.send(Buffer.concat(both));
  const codes = [(await client.result())?.code, (await client.result())?.code];
  assert.deepEqual(codes, [49, 121]);
  assert.equal(await codeOf(client, extended(CANCEL, cancelRequest.encode(binding))), 119);
  client[Symbol.dispose]();
});

test('Cancel of a change comes too late', async () => {
  const commit = Promise.withResolvers<void>();
  const slow = await openTestDoor({
    door: {
      submitInOrder: () => async () => {
        await commit.promise;
        return { revision: 0 as never, entries: [], rows: [] };
      },
    },
  });
  using client = await RawClient.open(slow.port);
  await client.bind();
  const deleting = client.request({ kind: 'delete', dn: 'dc=x,o=internet' });
  client.request(extended(CANCEL, cancelRequest.encode(deleting)));
  assert.equal((await client.result())?.code, 120);
  commit.resolve();
  assert.equal((await client.result())?.messageId, deleting);
  await slow.close();
});

test('a change list is one commit: all of it or nothing, as its caller may', async () => {
  using admin = await bound();
  const list = (client: RawClient, text: string, ...controls: Control[]) =>
    ask(client, extended(CHANGE_LIST, Buffer.from(text)), ...controls);
  const add = (name: string): string =>
    `dn: ou=${name},o=internet\nchangetype: add\nobjectClass: organizationalUnit\nou: ${name}\n\n`;
  const done = await list(admin, `${add('one')}${add('two')}`);
  const answer = JSON.parse(Buffer.from(done.value!).toString()) as { entries: { change: string; dn: string }[] };
  assert.deepEqual(
    answer.entries.map(({ change, dn }) => `${change} ${dn}`),
    ['add ou=one,o=internet', 'add ou=two,o=internet'],
  );
  assert.equal((await list(admin, `${add('three')}${add('one')}`)).code, 68);
  assert.equal(findEntry(door.directory.reader, 'ou=three,o=internet'), undefined);
  assert.equal((await list(admin, 'no LDIF')).code, 2);
  assert.equal((await list(admin, '')).code, 2);
  assert.equal((await list(admin, add('x').repeat(1001))).code, 11);
  using ann = await bound(ANN);
  assert.equal((await list(ann, add('three'))).code, 50);
  assert.equal((await list(admin, add('three'), controlOf(proxiedAuthorization, `dn:${ANN}`, true))).code, 50);
});

test('memberOf is of the groups: asked by name, by filter, and written by nobody', async () => {
  using admin = await bound();
  const group = 'cn=crew,ou=Groups,dc=acme,dc=example,o=internet';
  const attributes = [
    { name: 'objectClass', values: ['groupOfUniqueNames'] },
    { name: 'cn', values: ['crew'] },
    { name: 'uniqueMember', values: [ANN, BOB] },
  ];
  assert.equal(await codeOf(admin, { kind: 'add', dn: group, attributes }), 0);
  const found = async (text: string) => (await ask(admin, searchFor('o=internet', { scope: 'sub', text }))).dns;
  assert.deepEqual(await found(`(memberOf=${group})`), [ANN, BOB]);
  assert.deepEqual(await found(`(&(memberOf=CN=Crew, ou=groups,dc=acme,dc=example,o=internet)(uid=b*))`), [BOB]);
  assert.deepEqual(await found('(&(objectClass=inetOrgPerson)(memberOf=*))'), [ANN, BOB]);
  assert.deepEqual(await found('(memberOf=cn=nobody,o=internet)'), []);
  admin.request(searchFor(ANN, { attributes: ['memberOf'] }));
  const shown = (await admin.response())!.operation;
  assert.ok(shown.kind === 'searchEntry');
  assert.deepEqual(shown.attributes, [{ name: 'memberOf', values: [group] }]);
  await admin.result();
  const write = { operation: 'add', attribute: 'memberOf', values: [group] } as const;
  assert.equal(await codeOf(admin, { kind: 'modify', dn: BOSS, modifications: [write] }), 19);
  const renamed: LdapRequest = {
    kind: 'modifyDn',
    dn: group,
    newRdn: 'cn=team',
    deleteOldRdn: true,
    newSuperior: undefined,
  };
  assert.equal(await codeOf(admin, renamed), 0);
  assert.deepEqual(await found(`(memberOf=${group})`), []);
  assert.deepEqual(await found(`(memberOf=${group.replace('crew', 'team')})`), [ANN, BOB]);
});

test('entryCSN and contextCSN follow the revisions', async () => {
  using admin = await bound();
  const csnOf = async (dn: string, name: string): Promise<string> => {
    admin.request(searchFor(dn, { attributes: [name] }));
    const entry = (await admin.response())!.operation;
    await admin.result();
    assert.ok(entry.kind === 'searchEntry');
    return String(entry.attributes[0]!.values[0]);
  };
  const earlier = await csnOf('o=internet', 'contextCSN');
  await codeOf(admin, {
    kind: 'modify',
    dn: ANN,
    modifications: [{ operation: 'replace', attribute: 'description', values: ['new'] }],
  });
  const own = await csnOf(ANN, 'entryCSN');
  assert.match(own, /^\d{14}\.\d{3}000Z#000000#000#[0-9a-f]{6}$/);
  assert.ok(own > earlier);
  assert.equal(await csnOf('o=internet', 'contextCSN'), own);
  const { dns } = await ask(admin, searchFor('o=internet', { scope: 'sub', text: `(entryCSN>=${own})` }));
  assert.deepEqual(dns, [ANN]);
});

test('any octets as values of controls and of extended operations get an answer, and the connection goes on', async () => {
  using client = await bound();
  const types = [
    pagedResults.type,
    sortRequest.type,
    assertion.type,
    preReadRequest.type,
    postReadRequest.type,
    proxiedAuthorization.type,
    manageDsaIt.type,
    subtreeDelete.type,
  ];
  const seeds = [
    pagedResults.encode({ size: 2, cookie: Buffer.alloc(16) })!,
    sortRequest.encode([{ attribute: 'uid', rule: '2.5.13.3', reverse: true }])!,
    assertion.encode(parseFilter('(&(cn=a*b)(!(uid=x)))'))!,
    preReadRequest.encode(['cn', '+'])!,
    proxiedAuthorization.encode(`dn:${ANN}`)!,
    cancelRequest.encode(1),
    passwordModifyRequest.encode({ identity: 'cn=nobody', newPassword: 'x' }),
  ];
  const mutated = fc
    .tuple(fc.constantFrom(...seeds), fc.nat(), fc.nat({ max: 255 }), fc.nat({ max: 3 }))
    .map(([seed, at, octet, cut]) => {
      const copy = Buffer.from(seed);
      if (copy.length > 0) copy[at % copy.length] = octet;
      return new Uint8Array(copy.subarray(0, copy.length - cut));
    });
  const value = fc.option(fc.oneof(fc.uint8Array({ maxLength: 40 }), mutated), { nil: undefined });
  const control = fc.record({ type: fc.constantFrom(...types), critical: fc.boolean(), value });
  const request = fc.oneof(
    fc.constant<LdapRequest>(people),
    fc.constant<LdapRequest>({ kind: 'delete', dn: 'cn=nobody,o=internet' }),
    fc.constant<LdapRequest>({ kind: 'compare', dn: BOB, attribute: 'uid', value: 'bob' }),
    fc
      .tuple(fc.constantFrom(CANCEL, PASSWORD_MODIFY, CHANGE_LIST, WHO_AM_I), value)
      .map(([name, octets]) => extended(name, octets)),
  );
  await fc.assert(
    fc.asyncProperty(request, fc.array(control, { maxLength: 3 }), async (operation, controls) => {
      const { code } = await ask(client, operation, ...controls);
      assert.notEqual(code, 80, 'no bug');
    }),
    { numRuns: Number(process.env['FUZZ_CASES'] ?? 1500) },
  );
});
