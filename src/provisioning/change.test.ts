// What one directory write makes: nodes, containers, accounts, rows, zone names; and what it takes away again.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { Failure } from '../base/failure.ts';
import { SERVER } from '../directory/caller.ts';
import { findEntry } from '../directory/entries.ts';
import type { DirectoryChange } from '../directory/entry.ts';
import { hasClass } from '../directory/entry.ts';
import { replies } from '../routing/replies.ts';
import { countRows, readProblems } from '../routing/table-contents.ts';
import { zoneNames } from '../zones/names.ts';
import { bootstrap } from './bootstrap.ts';
import { change } from './change.ts';
import {
  add,
  addDomain,
  addGroup,
  addUser,
  domainDn,
  groupDn,
  openTestDirectory,
  remove,
  replace,
  type TestDirectory,
  userDn,
} from './testing.ts';

let directory: TestDirectory;
beforeEach(async () => {
  directory = await openTestDirectory();
});
afterEach(() => directory.close());

const accountsOf = (address: string): number[] =>
  directory.resolve(address).targets.map((target) => Number(target.options['account']));

async function failsWith(ldap: string, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error) => error instanceof Failure && error.ldap?.name === ldap);
}

test('a domain entry brings the nodes above it, its containers, its route and its zone in one write', async () => {
  const { entries, rows } = await directory.apply(addDomain('acme.example'));
  assert.deepEqual(
    entries.map(({ dn, generated }) => [dn, generated]),
    [
      ['dc=example,o=internet', true],
      ['dc=acme,dc=example,o=internet', false],
      ['ou=People,dc=acme,dc=example,o=internet', true],
      ['ou=Groups,dc=acme,dc=example,o=internet', true],
    ],
  );
  assert.deepEqual(rows, [{ table: 'routing table', key: 'acme.example', change: 'made' }]);
  assert.ok(!hasClass(findEntry(directory.reader, domainDn('example'))!, 'maildomain'));
  assert.equal(directory.resolve('x@example').relay, true, 'a node on the way is not a mail domain');
  assert.equal(directory.resolve('x@acme.example').reply, replies.noSuchUser);
  assert.deepEqual(zoneNames(directory.reader).find('acme.example')?.row, { domain: 'mail', isApex: true });
  assert.equal(zoneNames(directory.reader).find('example')?.row, undefined);
});

test('a user routes from the commit on, by each address, until the entry goes', async () => {
  await directory.apply(
    addDomain('acme.example'),
    addUser('ann@acme.example', { mailAlternateAddress: ['A.Nn@acme.example', 'ann@elsewhere.example'] }),
  );
  const [account] = accountsOf('ann@acme.example');
  assert.ok(account !== undefined);
  assert.deepEqual(accountsOf('a.nn@acme.example'), [account]);
  assert.equal(directory.resolve('ann@elsewhere.example').relay, true);
  await directory.apply(remove(userDn('ann@acme.example')));
  assert.equal(directory.resolve('ann@acme.example').reply, replies.noSuchUser);
  assert.equal(directory.resolve('a.nn@acme.example').reply, replies.noSuchUser);
});

test('an account is its entry: a rename keeps it, a deletion and a new add do not', async () => {
  await directory.apply(addDomain('acme.example'), addUser('ann@acme.example'));
  const first = accountsOf('ann@acme.example');
  await directory.apply({
    kind: 'rename',
    dn: userDn('ann@acme.example'),
    newRdn: 'uid=anna',
    deleteOldRdn: true,
    newSuperior: undefined,
  });
  assert.deepEqual(accountsOf('ann@acme.example'), first);
  await directory.apply(remove(userDn('anna@acme.example')), addUser('ann@acme.example'));
  const second = accountsOf('ann@acme.example');
  assert.equal(second.length, 1);
  assert.notDeepEqual(second, first);
});

test('an address belongs to one entry; another that wants it is refused whole', async () => {
  await directory.apply(addDomain('acme.example'), addUser('ann@acme.example'));
  await failsWith(
    'constraintViolation',
    directory.apply(addUser('bob@acme.example', { mailAlternateAddress: 'ANN@acme.example' })),
  );
  assert.equal(findEntry(directory.reader, userDn('bob@acme.example')), undefined);
  await directory.apply(
    replace(userDn('ann@acme.example'), { mail: 'ann2@acme.example' }),
    addUser('bob@acme.example', { mailAlternateAddress: 'ANN@acme.example' }),
  );
  assert.deepEqual(accountsOf('ann@acme.example'), accountsOf('bob@acme.example'));
});

test('an address outside the domain that holds the entry neither routes nor blocks the one who may have it', async () => {
  await directory.apply(
    addDomain('acme.example'),
    addDomain('other.example'),
    addUser('ann@acme.example', { mailAlternateAddress: 'boss@other.example' }),
  );
  assert.equal(directory.resolve('boss@other.example').reply, replies.noSuchUser);
  await directory.apply(addUser('boss@other.example'));
  assert.equal(accountsOf('boss@other.example').length, 1);
});

test('several changes are one: when the last fails, nothing has happened', async () => {
  await failsWith(
    'noSuchObject',
    directory.apply(addDomain('acme.example'), addUser('ann@acme.example'), remove('cn=nobody,o=internet')),
  );
  assert.equal(findEntry(directory.reader, domainDn('example')), undefined);
  assert.equal(directory.resolve('ann@acme.example').relay, true);
});

test('a domain takes its empty containers with it, and is refused while anything else is below', async () => {
  await directory.apply(addDomain('acme.example'), addUser('ann@acme.example'));
  await failsWith('notAllowedOnNonLeaf', directory.apply(remove(domainDn('acme.example'))));
  assert.ok(findEntry(directory.reader, `ou=Groups,${domainDn('acme.example')}`), 'nothing is half deleted');
  await directory.apply(remove(userDn('ann@acme.example')));
  await directory.apply(remove(domainDn('acme.example')));
  assert.equal(directory.resolve('x@acme.example').relay, true);
  assert.equal(zoneNames(directory.reader).find('acme.example')?.row, undefined);
  assert.ok(findEntry(directory.reader, domainDn('example')), 'the nodes above stay');
});

test('a node made on the way becomes the entry that a later add names, once', async () => {
  await directory.apply(addDomain('acme.example'), addUser('ann@acme.example'));
  const { uuid } = findEntry(directory.reader, domainDn('example'))!;
  await directory.apply(addDomain('example', { mailDomainCatchallAddress: 'ann@acme.example' }));
  assert.equal(findEntry(directory.reader, domainDn('example'))!.uuid, uuid);
  assert.equal(accountsOf('any@example').length, 1);
  assert.equal(accountsOf('ann@acme.example').length, 1, 'the deeper domain keeps its people');
  await failsWith('entryAlreadyExists', directory.apply(addDomain('example')));
  await directory.apply(
    add(`ou=People,${domainDn('acme.example')}`, { objectClass: 'organizationalUnit', ou: 'People', description: 'x' }),
  );
  assert.equal(accountsOf('ann@acme.example').length, 1);
});

test('people elsewhere in the tree belong to the domain that names their base', async () => {
  await directory.apply(
    add('ou=Org,o=internet', { objectClass: 'organizationalUnit', ou: 'Org' }),
    add('uid=ann,ou=Org,o=internet', {
      objectClass: ['inetOrgPerson', 'inetUser', 'inetMailUser'],
      uid: 'ann',
      cn: 'ann',
      sn: 'ann',
      mail: ['ann@acme.example', 'ann@second.example'],
    }),
  );
  const base = { inetDomainBaseDN: 'OU = org, o=Internet' };
  const { entries } = await directory.apply(addDomain('acme.example', base));
  assert.ok(!entries.some(({ dn }) => dn.startsWith('ou=People')));
  const [account] = accountsOf('ann@acme.example');
  assert.ok(account !== undefined);
  await directory.apply(addDomain('second.example', base));
  assert.deepEqual(accountsOf('ann@second.example'), [account]);
  await directory.apply(replace('uid=ann,ou=Org,o=internet', { mail: 'ann@acme.example' }));
  await failsWith('unwillingToPerform', directory.apply(replace(domainDn('acme.example'), { inetDomainBaseDN: [] })));
  await directory.apply(replace('uid=ann,ou=Org,o=internet', { mail: ['ann@acme.example', 'ann@second.example'] }));
  await directory.apply(replace(domainDn('acme.example'), { inetDomainBaseDN: [] }));
  assert.equal(directory.resolve('ann@acme.example').reply, replies.noSuchUser);
  assert.deepEqual(accountsOf('ann@second.example'), [account]);
  await failsWith('notAllowedOnNonLeaf', directory.apply(remove(domainDn('second.example'))));
  await directory.apply(remove('uid=ann,ou=Org,o=internet'), remove(domainDn('second.example')));
  assert.equal(directory.resolve('ann@second.example').relay, true);
});

test('a base that would bring one address to two entries is refused', async () => {
  await directory.apply(
    addDomain('acme.example'),
    add('ou=Org,o=internet', { objectClass: 'organizationalUnit', ou: 'Org' }),
    ...['one', 'two'].map((name) =>
      add(`uid=${name},ou=Org,o=internet`, {
        objectClass: ['inetOrgPerson', 'inetUser', 'inetMailUser'],
        uid: name,
        cn: name,
        sn: name,
        mail: 'both@acme.example',
      }),
    ),
  );
  const move = replace(domainDn('acme.example'), { inetDomainBaseDN: 'ou=Org,o=internet' });
  await failsWith('constraintViolation', directory.apply(move));
  assert.equal(directory.resolve('both@acme.example').reply, replies.noSuchUser);
});

test('a list follows its members: who goes is out, who is renamed stays', async () => {
  await directory.apply(
    addDomain('acme.example'),
    addUser('ann@acme.example'),
    addUser('bob@acme.example'),
    addGroup('all@acme.example', [userDn('ann@acme.example'), userDn('bob@acme.example')]),
  );
  assert.equal(accountsOf('all@acme.example').length, 2);
  await directory.apply(remove(userDn('ann@acme.example')));
  assert.deepEqual(accountsOf('all@acme.example'), accountsOf('bob@acme.example'));
  await directory.apply(addUser('ann@acme.example'));
  assert.equal(accountsOf('all@acme.example').length, 1, 'another one of that name does not come by it');
  const bob = accountsOf('bob@acme.example');
  await directory.apply({
    kind: 'rename',
    dn: userDn('bob@acme.example'),
    newRdn: 'uid=robert',
    deleteOldRdn: true,
    newSuperior: undefined,
  });
  assert.deepEqual(accountsOf('all@acme.example'), bob);
  assert.deepEqual(accountsOf('bob@acme.example'), bob);
});

test('what was resolved before a member came or went is resolved again', async () => {
  const other = 'cn=other,ou=Groups,dc=acme,dc=example,o=internet';
  await directory.apply(
    addDomain('acme.example'),
    addGroup('all@acme.example', [userDn('ann@acme.example')]),
    add(other, { objectClass: 'groupOfUniqueNames', cn: 'other' }),
  );
  const moves = async (dn: string, uniqueMember: readonly string[]): Promise<boolean> => {
    const before = directory.shared.routingRevision();
    await directory.apply(replace(dn, { uniqueMember }));
    return directory.shared.routingRevision() !== before;
  };
  const list = groupDn('all@acme.example');
  assert.equal(await moves(list, [userDn('ann@acme.example'), userDn('bob@acme.example')]), true);
  assert.equal(await moves(list, [userDn('bob@acme.example'), userDn('ann@acme.example')]), false);
  assert.equal(await moves(list, [userDn('bob@acme.example')]), true);
  assert.equal(await moves(other, [userDn('bob@acme.example')]), false, 'no mail finds it');
});

test('a change that says nothing about mail writes no row', async () => {
  await directory.apply(addDomain('acme.example'), addUser('ann@acme.example'));
  const { rows } = await directory.apply(replace(userDn('ann@acme.example'), { description: 'likes tea' }));
  assert.deepEqual(rows, []);
});

test('each change is decided for its caller: one that it may not make undoes those before it', async () => {
  await directory.apply(addDomain('acme.example'), addUser('ann@acme.example'), addUser('bob@acme.example'));
  const { uuid, dn } = findEntry(directory.reader, userDn('ann@acme.example'))!;
  const password = (address: string) => replace(userDn(address), { userPassword: '{SHA}x' });
  const ask = (...changes: DirectoryChange[]) =>
    directory.writer.execute(change, { changes, caller: { kind: 'entry', uuid, dn }, peer: '', now: 0 });
  const before = directory.shared.revision();
  await assert.rejects(ask(password('ann@acme.example'), password('bob@acme.example')), { kind: 'denied' });
  assert.equal(directory.shared.revision(), before);
  await ask(password('ann@acme.example'));
  const changed = findEntry(directory.reader, dn)!;
  assert.deepEqual([changed.attributes.has('userpassword'), changed.modifiedBy], [true, dn]);
});

test('a dry run says what it would do, and nothing has happened', async () => {
  const changes = [addDomain('acme.example'), addUser('ann@acme.example')];
  const before = directory.shared.revision();
  const kinds: string[] = [];
  directory.onNotification(({ kind }) => kinds.push(kind));
  const summary = await directory.writer.execute(change, {
    changes: [...changes, replace('cn=Directory Manager', { userPassword: '{SHA}kGByAB793z4R5tK1eC9Hd/4Dhzk=' })],
    caller: SERVER,
    peer: '',
    now: 0,
    dryRun: true,
  });
  assert.equal(summary.entries.length, 6);
  assert.deepEqual(summary.rows, [
    { table: 'routing table', key: 'acme.example', change: 'made' },
    { table: 'alias table', key: 'ann@acme.example', change: 'made' },
  ]);
  assert.deepEqual(kinds, []);
  assert.equal(directory.shared.revision(), before);
  assert.equal(findEntry(directory.reader, domainDn('example')), undefined);
});

test('the first start makes the site postmaster; a second start changes nothing', async () => {
  const [account] = accountsOf('postmaster');
  assert.ok(account !== undefined);
  assert.deepEqual(accountsOf('postmaster@mail.test.example'), [account]);
  assert.equal(directory.cache.findLogin('Postmaster@mail.test.example')?.account, account);
  assert.deepEqual(directory.cache.findLogin('postmaster')?.addresses, ['postmaster@mail.test.example']);
  const again = { passwordValues: ['{ARGON2}other'], hostname: 'mail.test.example', now: 0 };
  const before = directory.shared.revision();
  await directory.writer.execute(bootstrap, again);
  assert.equal(directory.shared.revision(), before);
});

test('a login is any address of a user; the statuses say whether it helps', async () => {
  await directory.apply(
    addDomain('acme.example'),
    addUser('ann@acme.example', { mailAlternateAddress: 'a@acme.example', mailUserStatus: 'overquota' }),
    addUser('bob@acme.example', { inetUserStatus: 'inactive' }),
    addGroup('all@acme.example', [userDn('ann@acme.example')]),
  );
  const login = directory.cache.findLogin('A@Acme.example');
  assert.deepEqual(login?.addresses, ['ann@acme.example', 'a@acme.example']);
  assert.equal(login?.refusedBy, undefined);
  assert.equal(directory.cache.findLogin('bob@acme.example')?.refusedBy, 'inetUserStatus: inactive');
  for (const none of ['all@acme.example', 'nobody@acme.example', 'ann', '', 'ann@elsewhere.example'])
    assert.equal(directory.cache.findLogin(none), undefined);
  await directory.apply(replace(domainDn('acme.example'), { mailDomainStatus: 'inactive' }));
  assert.equal(directory.cache.findLogin('ann@acme.example')?.refusedBy, 'mailDomainStatus: inactive');
});

test('a name that no mail can be sent to does not become a domain', async () => {
  await failsWith('namingViolation', directory.apply(addDomain('under_score.example')));
});

test('values that cannot be used are kept, named, and forgotten when they are corrected', async () => {
  await directory.apply(
    addDomain('acme.example', { waypostRoute: 'round' }),
    addUser('ann@acme.example', { mailDeliveryOption: 'native' }),
    addUser('bob@acme.example'),
  );
  assert.deepEqual(
    readProblems(directory.reader).map(({ dn, problems }) => [dn, problems.map(({ attribute }) => attribute)]),
    [
      [domainDn('acme.example'), ['waypostRoute']],
      [userDn('ann@acme.example'), ['mailDeliveryOption']],
    ],
  );
  assert.deepEqual(countRows(directory.reader), { domains: 1, addresses: 3 });
  await directory.apply(
    replace(domainDn('acme.example'), { waypostRoute: [] }),
    replace(userDn('ann@acme.example'), { mailDeliveryOption: 'mailbox' }),
  );
  assert.deepEqual(readProblems(directory.reader), []);
});
