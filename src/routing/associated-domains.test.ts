import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { Failure } from '../base/failure.ts';
import type { DirectoryChange } from '../directory/entry.ts';
import {
  add,
  addDomain,
  addUser,
  domainDn,
  openTestDirectory,
  remove,
  replace,
  type TestDirectory,
} from '../provisioning/testing.ts';
import { readProblems, readRoutes } from './table-contents.ts';

let directory: TestDirectory;
beforeEach(async () => {
  directory = await openTestDirectory();
  await directory.apply(
    addDomain('acme.example', { associatedDomain: ['Also.Example', 'sales.also.example'] }),
    addUser('ann@acme.example'),
  );
});
afterEach(() => directory.close());

const reply = (address: string): string => {
  const { reply: said, targets } = directory.resolve(address);
  return `${said.code} ${said.enhanced}, ${targets.map(({ channel }) => channel).join()}`;
};
const resultOf = (...changes: readonly DirectoryChange[]): Promise<string> =>
  directory.apply(...changes).then(
    () => 'success',
    (error: unknown) => (error instanceof Failure ? `${error.ldap?.name}: ${error.message}` : String(error)),
  );
const NOBODY = '550 5.1.1, ';
const STORE = '250 2.1.5, store';
const FOREIGN = '250 2.1.5, smtp';

test('an associatedDomain is the domain by another name, as long as its entry says so', async () => {
  assert.deepEqual([reply('ann@also.example'), reply('Ann+x@SALES.also.example')], [STORE, STORE]);
  assert.equal(reply('bob@also.example'), NOBODY);
  const { rows } = await directory.apply(
    replace(domainDn('acme.example'), { associatedDomain: ['also.example', 'new.example'] }),
  );
  assert.deepEqual(rows.map(({ key, change }) => `${key} ${change}`).toSorted(), [
    'new.example made',
    'sales.also.example removed',
  ]);
  assert.deepEqual([reply('ann@sales.also.example'), reply('ann@new.example')], [FOREIGN, STORE]);
  await directory.apply(replace(domainDn('acme.example'), { mailDomainStatus: 'inactive' }));
  assert.equal(reply('ann@new.example'), '450 4.2.1, ');
});

test("a domain's own entry wins, and when it goes the name is the other's again", async () => {
  await directory.apply(addDomain('also.example'));
  assert.equal(reply('ann@also.example'), NOBODY);
  await directory.apply(addUser('bob@also.example'));
  assert.equal(reply('bob@also.example'), STORE);
  await directory.apply(remove(`uid=bob,ou=People,${domainDn('also.example')}`), remove(domainDn('also.example')));
  assert.equal(reply('ann@also.example'), STORE);
  await directory.apply(remove(`uid=ann,ou=People,${domainDn('acme.example')}`), remove(domainDn('acme.example')));
  assert.equal(reply('ann@also.example'), FOREIGN);
  assert.deepEqual(readRoutes(directory.reader), []);
});

test('a name stands in one domain entry only', async () => {
  assert.match(
    await resultOf(addDomain('b.example', { associatedDomain: 'ALSO.example' })),
    /^constraintViolation: also.example .*acme.example/,
  );
  assert.equal(await resultOf(addDomain('b.example'), addDomain('also.example')), 'success');
  assert.match(
    await resultOf(replace(domainDn('b.example'), { associatedDomain: 'also.example' })),
    /^constraintViolation/,
  );
  const organization = { objectClass: ['organization', 'domainRelatedObject'], associatedDomain: 'also.example' };
  assert.equal(await resultOf(add('o=Acme,o=internet', organization)), 'success', 'elsewhere it names no mail domain');
  const moved = [
    replace(domainDn('acme.example'), { associatedDomain: [] }),
    replace(domainDn('b.example'), { associatedDomain: 'also.example' }),
  ];
  assert.equal(await resultOf(...moved), 'success');
  assert.equal(await resultOf(replace(domainDn('b.example'), { description: 'x' })), 'success');
});

test('what is no name is ignored and named, its own name means nothing, and an alias has no further names', async () => {
  await directory.apply(
    addDomain('b.example', { associatedDomain: ['b.example', 'no domain', 'b2.example'] }),
    addDomain('c.example', {
      objectClass: ['domain', 'inetDomain', 'mailDomain', 'inetDomainAlias'],
      aliasedObjectName: domainDn('acme.example'),
      associatedDomain: 'c2.example',
    }),
  );
  assert.deepEqual(
    readProblems(directory.reader).map(({ dn, problems }) => [dn, ...problems.map(({ value }) => value)]),
    [[domainDn('b.example'), 'no domain']],
  );
  assert.deepEqual([reply('x@b.example'), reply('x@b2.example')], [NOBODY, NOBODY]);
  assert.deepEqual([reply('ann@c.example'), reply('ann@c2.example')], [STORE, '451 4.3.5, ']);
});

test('by the rename of a node the names follow it', async () => {
  await directory.apply(
    addDomain('b.example', { inetDomainBaseDN: domainDn('acme.example'), associatedDomain: 'b2.example' }),
  );
  await directory.apply({
    kind: 'rename',
    dn: domainDn('b.example'),
    newRdn: 'dc=bb',
    deleteOldRdn: true,
    newSuperior: undefined,
  });
  const rows = readRoutes(directory.reader).map(({ domain, aliasOf }) => `${domain} ${aliasOf}`);
  assert.ok(rows.includes('b2.example bb.example'), rows.join());
});
