// The door as a program sees it that knows LDAP through a library: ldapts, on the real units behind a real port.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  AlreadyExistsError,
  AndFilter,
  Attribute,
  Change,
  Client,
  ConstraintViolationError,
  EqualityFilter,
  InsufficientAccessError,
  InvalidCredentialsError,
  InvalidDNSyntaxError,
  InvalidSyntaxError,
  NoSuchAttributeError,
  NoSuchObjectError,
  NotAllowedOnNonLeafError,
  ObjectClassViolationError,
  PresenceFilter,
  ProtocolError,
  type ResultCodeError,
  TypeOrValueExistsError,
  UndefinedTypeError,
  UnwillingToPerformError,
} from 'ldapts';
import { ADMINISTRATOR, openTestDoor, PASSWORD, type TestDoor } from './testing.ts';

const ACME = 'dc=acme,dc=example,o=internet';
const PEOPLE = `ou=People,${ACME}`;

let door: TestDoor;
let client: Client;
before(async () => {
  door = await openTestDoor();
  client = new Client({ url: door.url, timeout: 120_000 });
  await client.bind(ADMINISTRATOR, PASSWORD);
});
after(async () => {
  await client?.unbind();
  await door?.close();
});

const person = (uid: string): Record<string, string | string[]> => ({
  objectClass: ['inetOrgPerson', 'inetUser', 'inetMailUser', 'inetLocalMailRecipient'],
  uid,
  cn: uid,
  sn: uid,
  mail: `${uid}@acme.example`,
});

const replace = (type: string, ...values: string[]): Change =>
  new Change({ operation: 'replace', modification: new Attribute({ type, values }) });

async function dns(base: string, options: Parameters<Client['search']>[1] = {}): Promise<string[]> {
  return (await client.search(base, options)).searchEntries.map(({ dn }) => dn).sort();
}

test('a domain brings the nodes above it and the containers below it', async () => {
  await client.add(ACME, { objectClass: ['domain', 'inetDomain', 'mailDomain'], dc: 'acme' });
  assert.deepEqual(await dns('dc=example,o=internet'), [
    ACME,
    'dc=example,o=internet',
    `ou=Groups,${ACME}`,
    `ou=People,${ACME}`,
  ]);
});

test('a user is added, found by every kind of filter, and shown as asked for', async () => {
  await client.add(`uid=ann,${PEOPLE}`, {
    ...person('ann'),
    telephoneNumber: '+49 30 1234',
    description: ['one', 'two'],
  });
  await client.add(`uid=bob,${PEOPLE}`, { ...person('bob'), seeAlso: `uid=ann,${PEOPLE}` });
  const ann = [`uid=ann,${PEOPLE}`];
  const filters = [
    '(mail=ANN@Acme.example)',
    '(&(objectClass=inetMailUser)(uid=ann))',
    '(|(uid=ann)(uid=nobody))',
    '(&(objectClass=inetOrgPerson)(!(uid=bob)))',
    '(mail=ann*)',
    '(cn=*nn)',
    '(&(cn=*n*)(cn=a*n))',
    '(description=ONE)',
    '(telephoneNumber=+49301234)',
    '(&(uid=ann)(createTimestamp>=20200101000000Z)(!(createTimestamp<=20200101000000Z)))',
    '(cn~=ann)',
    '(cn:caseExactMatch:=ann)',
    '(&(uid:dn:=ann)(ou:dn:=people))',
    '(description=*)',
  ];
  for (const filter of filters) assert.deepEqual(await dns(PEOPLE, { filter }), ann, filter);
  assert.deepEqual(await dns(PEOPLE, { filter: `(seeAlso=UID=ann, OU=people,${ACME})` }), [`uid=bob,${PEOPLE}`]);
  const built = new AndFilter({
    filters: [new PresenceFilter({ attribute: 'uid' }), new EqualityFilter({ attribute: 'cn', value: 'ann' })],
  });
  assert.deepEqual(await dns(ACME, { filter: built }), ann);
  assert.deepEqual(await dns(ACME, { filter: '(noSuchAttribute=x)' }), []);
  assert.deepEqual(await dns(ACME, { filter: '(!(noSuchAttribute=x))' }), []);
});

test('a value in a filter never becomes syntax', async () => {
  for (const value of ['*', 'ann)(objectClass=*', '\\2a', '(|(uid=*))', '\0']) {
    assert.deepEqual(await dns(ACME, { filter: new EqualityFilter({ attribute: 'uid', value }) }), []);
  }
});

test('the scopes', async () => {
  assert.deepEqual(await dns(ACME, { scope: 'base' }), [ACME]);
  assert.deepEqual(await dns(ACME, { scope: 'one' }), [`ou=Groups,${ACME}`, PEOPLE]);
  assert.deepEqual(await dns(PEOPLE, { scope: 'sub' }), [PEOPLE, `uid=ann,${PEOPLE}`, `uid=bob,${PEOPLE}`]);
  await assert.rejects(client.search(PEOPLE, { scope: 'children' }), ProtocolError);
});

test('attributes are chosen by name, and operational ones on request', async () => {
  const names = async (attributes: string[]): Promise<string[]> => {
    const { searchEntries } = await client.search(`uid=ann,${PEOPLE}`, { scope: 'base', attributes });
    // The library makes an empty value of what it asked for and did not get.
    const found = Object.entries(searchEntries[0]!).filter(([, value]) => value.length > 0);
    return found.map(([name]) => name).filter((name) => name !== 'dn');
  };
  assert.deepEqual(await names(['MAIL', 'nothing']), ['mail']);
  assert.deepEqual(await names(['1.1']), []);
  assert.ok(!(await names([])).includes('entryUUID'));
  const operational = await names(['+']);
  for (const name of ['entryUUID', 'createTimestamp', 'modifyTimestamp', 'subschemaSubentry', 'entryDN'])
    assert.ok(operational.includes(name), name);
  assert.ok(!operational.includes('mail'));
  assert.ok((await names(['*', 'entryUUID'])).includes('mail'));
});

test('octets that are no text are kept as they are', async () => {
  const photo = Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 1, 2, 3]);
  await client.modify(
    `uid=ann,${PEOPLE}`,
    new Change({ operation: 'add', modification: new Attribute({ type: 'jpegPhoto', values: [photo] }) }),
  );
  const { searchEntries } = await client.search(`uid=ann,${PEOPLE}`, {
    scope: 'base',
    explicitBufferAttributes: ['jpegPhoto'],
  });
  assert.deepEqual(searchEntries[0]!['jpegPhoto'], photo);
});

test('a change is all or nothing, and says precisely what is wrong', async () => {
  const ann = `uid=ann,${PEOPLE}`;
  const wrong: readonly [string, () => Promise<unknown>, new (message: string) => ResultCodeError][] = [
    ['an entry that exists', () => client.add(ann, person('ann')), AlreadyExistsError],
    [
      'an address in use',
      () => client.add(`uid=eve,${PEOPLE}`, { ...person('eve'), mail: 'ann@acme.example' }),
      ConstraintViolationError,
    ],
    [
      'a superior that is missing',
      () => client.add(`cn=x,ou=No,${ACME}`, { objectClass: 'person', cn: 'x', sn: 'x' }),
      NoSuchObjectError,
    ],
    [
      'an unknown class',
      () => client.add(`cn=x,${PEOPLE}`, { objectClass: 'noSuchClass', cn: 'x' }),
      InvalidSyntaxError,
    ],
    [
      'an attribute that its class needs',
      () => client.add(`cn=x,${PEOPLE}`, { objectClass: 'person', cn: 'x' }),
      ObjectClassViolationError,
    ],
    ['a word that is not legal', () => client.modify(ann, replace('mailUserStatus', 'sleeping')), InvalidSyntaxError],
    ['an unknown attribute', () => client.modify(ann, replace('noSuchAttribute', 'x')), UndefinedTypeError],
    ['a value that does not fit', () => client.modify(ann, replace('seeAlso', 'no DN')), InvalidSyntaxError],
    ['two values of one', () => client.modify(ann, replace('employeeNumber', '1', '2')), ConstraintViolationError],
    [
      'an attribute that is not there',
      () => client.modify(ann, new Change({ operation: 'delete', modification: new Attribute({ type: 'title' }) })),
      NoSuchAttributeError,
    ],
    [
      'a value that is there',
      () =>
        client.modify(
          ann,
          new Change({ operation: 'add', modification: new Attribute({ type: 'description', values: ['One'] }) }),
        ),
      TypeOrValueExistsError,
    ],
    [
      'an attribute of the server',
      () => client.modify(ann, replace('entryUUID', '00000000-0000-0000-0000-000000000000')),
      ConstraintViolationError,
    ],
    ['a name that is none', () => client.del('uid=ann+,o=internet'), InvalidDNSyntaxError],
    ['an entry that is not there', () => client.del(`uid=nobody,${PEOPLE}`), NoSuchObjectError],
    ['an entry with others below', () => client.del(ACME), NotAllowedOnNonLeafError],
    [
      'a rename that leaves people without an address',
      () => client.modifyDN(ACME, 'dc=other'),
      UnwillingToPerformError,
    ],
    ['the root DSE', () => client.del(''), UnwillingToPerformError],
    ['the subschema', () => client.modify('cn=Subschema', replace('cn', 'x')), UnwillingToPerformError],
    ['an extended operation', () => client.exop('1.2.3.4'), ProtocolError],
  ];
  for (const [what, attempt, kind] of wrong) await assert.rejects(attempt, kind, what);
  await assert.rejects(client.modify(ann, [replace('description', 'three'), replace('noSuchAttribute', 'x')]));
  assert.equal(await client.compare(ann, 'description', 'two'), true);
});

test('compare says yes, no, or why not', async () => {
  const ann = `uid=ann,${PEOPLE}`;
  assert.equal(await client.compare(ann, 'mail', 'ANN@acme.EXAMPLE'), true);
  assert.equal(await client.compare(ann, 'mail', 'bob@acme.example'), false);
  await assert.rejects(client.compare(ann, 'noSuchAttribute', 'x'), UndefinedTypeError);
  await assert.rejects(client.compare(ann, 'title', 'x'), NoSuchAttributeError);
  await assert.rejects(client.compare(`uid=nobody,${PEOPLE}`, 'mail', 'x'), NoSuchObjectError);
});

test('a leaf is renamed and keeps its UUID', async () => {
  const uuid = async (dn: string): Promise<unknown> =>
    (await client.search(dn, { scope: 'base', attributes: ['entryUUID'] })).searchEntries[0]!['entryUUID'];
  const before = await uuid(`uid=bob,${PEOPLE}`);
  await client.modifyDN(`uid=bob,${PEOPLE}`, `uid=robert,${PEOPLE}`);
  assert.equal(await uuid(`uid=robert,${PEOPLE}`), before);
  await assert.rejects(client.search(`uid=bob,${PEOPLE}`), NoSuchObjectError);
});

test('a clear password is stored as a hash, and opens the own entry and no other', async () => {
  const ann = `uid=ann,${PEOPLE}`;
  await client.modify(ann, replace('userPassword', 'gehéim'));
  const { searchEntries } = await client.search(ann, { scope: 'base', attributes: ['userPassword'] });
  assert.match(String(searchEntries[0]!['userPassword']), /^\{ARGON2\}\$argon2id\$/);
  const user = new Client({ url: door.url });
  await assert.rejects(user.bind(ann, 'geheim'), InvalidCredentialsError);
  await assert.rejects(user.bind(ann, ''), UnwillingToPerformError);
  await user.bind(ann, 'gehéim');
  assert.equal((await user.search(ann, { scope: 'base' })).searchEntries.length, 1);
  assert.equal((await user.search(ACME)).searchEntries.length, 1);
  await assert.rejects(user.search(ACME, { scope: 'base' }), NoSuchObjectError);
  await assert.rejects(user.modify(ann, replace('cn', 'x')), InsufficientAccessError);
  await user.modify(ann, replace('userPassword', 'other'));
  await user.bind(ann, 'other');
  await user.unbind();
});

test('the size limit gives what fits', async () => {
  assert.equal((await client.search(ACME, { sizeLimit: 2 })).searchEntries.length, 2);
});

test('names that mean something to JavaScript are names like others', async () => {
  for (const name of ['__proto__', 'constructor', 'toString']) {
    await client.add(`cn=${name},${ACME}`, { objectClass: 'person', cn: name, sn: name });
    assert.deepEqual(await dns(ACME, { filter: `(cn=${name})` }), [`cn=${name},${ACME}`]);
    assert.deepEqual(await dns(ACME, { filter: `(${name}=*)` }), []);
    await assert.rejects(client.modify(`cn=${name},${ACME}`, replace(name, 'x')), UndefinedTypeError);
    await client.del(`cn=${name},${ACME}`);
  }
});

test('twenty connections add at once, and each sees its own entry when its add is answered', async () => {
  const clients = Array.from({ length: 20 }, () => new Client({ url: door.url }));
  await Promise.all(
    clients.map(async (one, i) => {
      await one.bind(ADMINISTRATOR, PASSWORD);
      for (let j = 0; j < 5; j++) {
        const uid = `u${i}-${j}`;
        await one.add(`uid=${uid},${PEOPLE}`, person(uid));
        assert.equal((await one.search(PEOPLE, { filter: `(uid=${uid})` })).searchEntries.length, 1);
        await one.del(`uid=${uid},${PEOPLE}`);
      }
      await one.unbind();
    }),
  );
  assert.deepEqual(await dns(PEOPLE, { filter: '(uid=u*)' }), []);
});
