// A list of ten thousand over the wire: filled by one modify, changed by one member, found by a member, compared, read.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Attribute, Change, Client, NoSuchAttributeError, TypeOrValueExistsError } from 'ldapts';
import { findEntry } from '../../directory/entries.ts';
import { loggedChanges } from '../../directory/testing.ts';
import { addDomain, addGroup, groupDn, userDn } from '../../provisioning/testing.ts';
import { assertion } from '../../wire/ldap/controls/assertion.ts';
import { controlOf } from '../../wire/ldap/controls/codec.ts';
import { postReadRequest, preReadRequest } from '../../wire/ldap/controls/read-entry.ts';
import { ADMINISTRATOR, openTestDoor, PASSWORD, RawClient, searchFor, type TestDoor } from './testing.ts';

const COUNT = 10_000;
const LIST = groupDn('all@acme.example');
const member = (n: number): string => userDn(`p${n}@acme.example`);

let door: TestDoor;
let client: Client;
before(async () => {
  door = await openTestDoor();
  await door.directory.apply(
    addDomain('acme.example'),
    addGroup('all@acme.example', []),
    addGroup('empty@acme.example', []),
    addGroup('other@acme.example', [member(1)], { mgrpRFC822MailMember: ['ann@far.example', 'bob@far.example'] }),
  );
  client = new Client({ url: door.url, timeout: 60_000 });
  await client.bind(ADMINISTRATOR, PASSWORD);
});
after(async () => {
  await client?.unbind();
  await door?.close();
});

const modify = (operation: 'add' | 'delete' | 'replace', ...values: string[]): Promise<void> =>
  client.modify(LIST, new Change({ operation, modification: new Attribute({ type: 'uniqueMember', values }) }));
const found = async (filter: string): Promise<string[]> =>
  (await client.search('o=internet', { filter, attributes: ['1.1'] })).searchEntries.map(({ dn }) => dn).sort();
const read = async (attributes: string[] = [], more: object = {}): Promise<Record<string, unknown>> =>
  (await client.search(LIST, { scope: 'base', attributes, ...more })).searchEntries[0]!;
const all = (): string[] => Array.from({ length: COUNT }, (_, n) => member(n));

test('ten thousand come in one modify; one comes, one goes; who is there already, or is not, is refused', async () => {
  const { reader } = door.directory;
  const before = reader.revision();
  await modify('add', ...all());
  assert.deepEqual((await read())['uniqueMember'], all());
  await modify('add', member(COUNT));
  await modify('delete', member(7).toUpperCase());
  await assert.rejects(modify('add', member(8)), TypeOrValueExistsError);
  await assert.rejects(modify('delete', member(7)), NoSuchAttributeError);
  await assert.rejects(modify('add', member(COUNT + 1), member(9)), TypeOrValueExistsError);
  assert.deepEqual((await read())['uniqueMember'], [...all().filter((dn) => dn !== member(7)), member(COUNT)]);
  const uuid = findEntry(reader, LIST)!.uuid;
  const logged = loggedChanges(reader, before).filter((change) => change.uuid === uuid);
  assert.deepEqual(
    logged.map(({ author, attributes }) => [
      author,
      ...attributes.map(({ name, added, removed }) => [name, added, removed]),
    ]),
    [
      [ADMINISTRATOR, ['uniqueMember', all(), []]],
      [ADMINISTRATOR, ['uniqueMember', [member(COUNT)], []]],
      [ADMINISTRATOR, ['uniqueMember', [], [member(7)]]],
    ],
  );
});

test('who asks fifty times and does not read has the list read once or twice, not fifty times', async () => {
  const { reader } = door.directory;
  const arrays = reader.arrays.bind(reader);
  let members = 0;
  reader.arrays = (sql, ...values) => {
    const rows = arrays(sql, ...values);
    if (sql.includes('FROM dit_value WHERE entry = ?')) members += rows.length;
    return rows;
  };
  using raw = await RawClient.open(door.port);
  assert.equal(await raw.bind(), 0);
  raw.socket.pause();
  for (let i = 0; i < 50; i++) raw.request(searchFor(LIST, { scope: 'base', attributes: ['uniqueMember'] }));
  // Behind them another connection has been answered a hundred times.
  for (let i = 0; i < 100; i++) await read(['cn']);
  const unread = members;
  raw.socket.resume();
  for (let i = 0; i < 50; i++) assert.equal((await raw.result())?.code, 0);
  reader.arrays = arrays;
  // What the sockets of both sides hold is some megabytes.
  assert.ok(unread <= 20 * COUNT, `${unread} members were read`);
  assert.ok(members >= 50 * COUNT);
});

test('a change of a long list asks for none of its members: all other changes would wait', async () => {
  using raw = await RawClient.open(door.port);
  assert.equal(await raw.bind(), 0);
  const change = {
    kind: 'modify',
    dn: LIST,
    modifications: [{ operation: 'replace', attribute: 'description', values: ['x'] }],
  } as const;
  const { revision } = findEntry(door.directory.reader, LIST)!;
  for (const control of [
    controlOf(postReadRequest, ['uniqueMember']),
    controlOf(preReadRequest, ['*']),
    controlOf(assertion, { kind: 'extensible', attribute: 'uniqueMember', value: member(1), dnAttributes: false }),
  ]) {
    raw.request(change, [{ ...control, critical: true }]);
    assert.equal((await raw.result())?.code, 11);
  }
  assert.equal(findEntry(door.directory.reader, LIST)!.revision, revision);
});

test('a list is found by a member in any spelling, by having some or none, by the beginning of an address', async () => {
  const other = groupDn('other@acme.example');
  const empty = groupDn('empty@acme.example');
  assert.deepEqual(await found(`(uniqueMember=${member(1).replaceAll(',', ' , ').toUpperCase()})`), [LIST, other]);
  assert.deepEqual(await found(`(uniqueMember=${member(7)})`), []);
  assert.deepEqual(await found(`(&(objectClass=inetMailGroup)(!(uniqueMember=${member(2)})))`), [empty, other]);
  assert.deepEqual(await found('(uniqueMember=*)'), [LIST, other]);
  assert.deepEqual(await found('(&(cn=*)(!(uniqueMember=*))(objectClass=inetMailGroup))'), [empty]);
  assert.deepEqual(await found('(mgrpRFC822MailMember=ANN@far.example)'), [other]);
  assert.deepEqual(await found('(mgrpRFC822MailMember=bo*)'), [other]);
  assert.deepEqual(await found('(mgrpRFC822MailMember=*far*)'), [other]);
  assert.deepEqual(await found(`(uniqueMember:uniqueMemberMatch:=${member(3)})`), [LIST]);
  assert.deepEqual(await found(`(uniqueMember=${member(1)}#'01'B)`), []);
});

test('compare says who is a member', async () => {
  assert.equal(await client.compare(LIST, 'uniqueMember', member(8)), true);
  assert.equal(await client.compare(LIST, 'uniqueMember', member(7)), false);
  await assert.rejects(client.compare(groupDn('empty@acme.example'), 'uniqueMember', member(8)), NoSuchAttributeError);
});

test('members are shown where they are asked for', async () => {
  assert.deepEqual(Object.keys(await read(['cn'])), ['dn', 'cn']);
  assert.deepEqual(Object.keys(await read(['uniquemember'])), ['dn', 'uniqueMember']);
  assert.deepEqual((await read(['uniqueMember'], { returnAttributeValues: false }))['uniqueMember'], []);
});

test('all are replaced, and all go', async () => {
  await modify('replace', member(3), member(20_000));
  assert.deepEqual((await read())['uniqueMember'], [member(3), member(20_000)]);
  await modify('delete');
  assert.equal((await read())['uniqueMember'], undefined);
  await assert.rejects(modify('delete'), NoSuchAttributeError);
  assert.deepEqual(await found(`(uniqueMember=${member(3)})`), []);
});
