import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { findEntry } from '../directory/entries.ts';
import { textValues } from '../directory/entry.ts';
import {
  add,
  addDomain,
  addGroup,
  addUser,
  domainDn,
  groupDn,
  openTestDirectory,
  replace,
  type TestDirectory,
  userDn,
} from './testing.ts';

let directory: TestDirectory;
beforeEach(async () => {
  directory = await openTestDirectory();
  await directory.apply(addDomain('acme.example', { preferredMailHost: ' mail2.example' }));
});
afterEach(() => directory.close());

const hostsOf = (dn: string): readonly string[] => textValues(findEntry(directory.reader, dn)!, 'mailhost');

test('a user who is added without a mailHost gets the one that the domain prefers, in one change', async () => {
  const { entries, rows } = await directory.apply(addUser('ann@acme.example'));
  assert.deepEqual(hostsOf(userDn('ann@acme.example')), ['mail2.example']);
  assert.deepEqual(
    entries.map(({ kind, dn }) => [kind, dn]),
    [['add', userDn('ann@acme.example')]],
  );
  assert.deepEqual(rows, [{ table: 'alias table', key: 'ann@acme.example', change: 'made' }]);
  const { targets } = directory.resolve('ann@acme.example');
  assert.deepEqual(
    targets.map(({ destination }) => destination),
    ['[mail2.example]'],
  );
});

test('what says where it is keeps it; lists, people without mail and users of other domains get none', async () => {
  await directory.apply(
    addDomain('b.example'),
    addUser('bob@acme.example', { mailHost: 'mail3.example' }),
    addUser('cy@b.example'),
    addGroup('all@acme.example', []),
    add(`uid=clerk,ou=People,${domainDn('acme.example')}`, {
      objectClass: 'inetOrgPerson',
      uid: 'clerk',
      cn: 'c',
      sn: 'c',
    }),
  );
  assert.deepEqual(hostsOf(userDn('bob@acme.example')), ['mail3.example']);
  assert.deepEqual(hostsOf(userDn('cy@b.example')), []);
  assert.deepEqual(hostsOf(groupDn('all@acme.example')), []);
  assert.deepEqual(hostsOf(`uid=clerk,ou=People,${domainDn('acme.example')}`), []);
});

test('the host stays when the domain prefers another one, or is taken away by hand', async () => {
  await directory.apply(addUser('ann@acme.example'));
  await directory.apply(replace(domainDn('acme.example'), { preferredMailHost: 'mail9.example' }));
  assert.deepEqual(hostsOf(userDn('ann@acme.example')), ['mail2.example']);
  await directory.apply(replace(userDn('ann@acme.example'), { mailHost: [] }));
  assert.deepEqual(hostsOf(userDn('ann@acme.example')), []);
});

test('where domains share a base, the one of the address counts', async () => {
  const base = 'ou=Shared,o=internet';
  const shared = (uid: string, mail: string) =>
    add(`uid=${uid},${base}`, { objectClass: ['inetOrgPerson', 'inetMailUser'], uid, cn: uid, sn: uid, mail });
  await directory.apply(
    add(base, { objectClass: 'organizationalUnit', ou: 'Shared' }),
    addDomain('one.example', { inetDomainBaseDN: base, preferredMailHost: 'host1.example' }),
    addDomain('two.example', { inetDomainBaseDN: base, preferredMailHost: 'host2.example' }),
    addDomain('three.example', { inetDomainBaseDN: base }),
    shared('a', 'a@two.example'),
    shared('b', 'b@three.example'),
    shared('c', 'c@elsewhere.example'),
  );
  assert.deepEqual(
    ['a', 'b', 'c'].map((uid) => hostsOf(`uid=${uid},${base}`)),
    [['host2.example'], [], ['host1.example']],
  );
});
