// What no change may take away: the people of a domain, the entries that all stands on, names that mail can be sent to.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { DirectoryResultName } from '../base/directory-result.ts';
import { Failure } from '../base/failure.ts';
import { ADMINISTRATOR_DN } from '../directory/caller.ts';
import { findEntry } from '../directory/entries.ts';
import type { DirectoryChange } from '../directory/entry.ts';
import { sitePostmasterDn } from '../routing/compile.ts';
import { misplacedDomains } from '../routing/misplaced.ts';
import { replies } from '../routing/replies.ts';
import { ownDn } from './guards.ts';
import { add, addDomain, domainDn, openTestDirectory, remove, replace, type TestDirectory } from './testing.ts';

let directory: TestDirectory;
beforeEach(async () => {
  directory = await openTestDirectory();
});
afterEach(() => directory.close());

/** The LDAP result of the changes, as one. */
async function resultOf(...changes: readonly DirectoryChange[]): Promise<DirectoryResultName | 'success'> {
  try {
    await directory.apply(...changes);
    return 'success';
  } catch (error) {
    assert.ok(error instanceof Failure, String(error));
    assert.ok(error.ldap !== undefined, error.message);
    return error.ldap.name;
  }
}

const rename = (dn: string, newRdn: string, newSuperior?: string): DirectoryChange => ({
  kind: 'rename',
  dn,
  newRdn,
  deleteOldRdn: true,
  newSuperior,
});

const FIRM = 'o=Firm,o=internet';
const person = {
  objectClass: ['inetOrgPerson', 'inetUser', 'inetMailUser', 'inetLocalMailRecipient'],
  cn: 'x',
  sn: 'x',
};

/** A domain whose people stand elsewhere in the tree. */
async function openFirm(): Promise<void> {
  await directory.apply(
    add(FIRM, { objectClass: 'organization' }),
    add(`ou=People,${FIRM}`, { objectClass: 'organizationalUnit' }),
    addDomain('firm.test', { inetDomainBaseDN: FIRM }),
    add(`uid=fa,ou=People,${FIRM}`, { ...person, mail: 'fa@firm.test', mailAlternateAddress: 'f.a@two.firm.test' }),
  );
}

const routes = (address: string) => directory.resolve(address).targets.length === 1;

test('a domain entry stays as long as somebody has no other address that routes, wherever he stands', async () => {
  await openFirm();
  assert.equal(await resultOf(remove(domainDn('firm.test'))), 'notAllowedOnNonLeaf');
  assert.ok(routes('fa@firm.test'));
  // An entry that has only an address of another domain does not hold it.
  assert.equal(
    await resultOf(replace(`uid=fa,ou=People,${FIRM}`, { mail: 'fa@else.test' }), remove(domainDn('firm.test'))),
    'success',
  );
});

test('an equivalent address holds its domain, too', async () => {
  await openFirm();
  await directory.apply(
    replace(`uid=fa,ou=People,${FIRM}`, { mail: [], mailAlternateAddress: [], mailEquivalentAddress: 'eq@firm.test' }),
  );
  assert.equal(await resultOf(remove(domainDn('firm.test'))), 'notAllowedOnNonLeaf');
});

const losing: [what: string, change: DirectoryChange][] = [
  ['the class goes', replace(domainDn('firm.test'), { objectClass: ['domain', 'inetDomain'] })],
  ['the base goes', replace(domainDn('firm.test'), { inetDomainBaseDN: [] })],
  ['the base moves', replace(domainDn('firm.test'), { inetDomainBaseDN: `ou=Groups,${FIRM}` })],
  ['the node is renamed', rename(domainDn('firm.test'), 'dc=company')],
  ['the node moves', rename(domainDn('firm.test'), 'dc=firm', 'dc=other,o=internet')],
  ['another domain takes a deeper base', addDomain('other.test', { inetDomainBaseDN: `ou=People,${FIRM}` })],
];
for (const [what, change] of losing)
  test(`a change after which no address of somebody would route is refused: ${what}`, async () => {
    await openFirm();
    await directory.apply(add('dc=other,o=internet', { objectClass: 'domain' }));
    assert.equal(await resultOf(change), 'unwillingToPerform');
    // One whose row names no problem.
    await directory.apply(replace(`uid=fa,ou=People,${FIRM}`, { mailAlternateAddress: [] }));
    assert.equal(await resultOf(change), 'unwillingToPerform');
    assert.ok(routes('fa@firm.test'));
    await directory.apply(remove(`uid=fa,ou=People,${FIRM}`));
    assert.equal(await resultOf(change), 'success');
  });

test('of two domains with one base the one that routes to people by no other address stays', async () => {
  await openFirm();
  await directory.apply(addDomain('two.firm.test', { inetDomainBaseDN: FIRM }));
  assert.ok(routes('f.a@two.firm.test'));
  await directory.apply(replace(`uid=fa,ou=People,${FIRM}`, { mail: [] }));
  assert.equal(
    await resultOf(replace(domainDn('two.firm.test'), { objectClass: 'domain', inetDomainBaseDN: [] })),
    'unwillingToPerform',
  );
  await directory.apply(replace(`uid=fa,ou=People,${FIRM}`, { mail: 'fa@firm.test' }));
  assert.equal(
    await resultOf(replace(domainDn('two.firm.test'), { objectClass: 'domain', inetDomainBaseDN: [] })),
    'success',
  );
  assert.ok(routes('fa@firm.test'));
});

test('a change by which all keep their addresses is made', async () => {
  await openFirm();
  assert.equal(await resultOf(replace(domainDn('firm.test'), { inetDomainBaseDN: `ou=People,${FIRM}` })), 'success');
  assert.equal(await resultOf(replace(domainDn('firm.test'), { inetDomainStatus: 'inactive' })), 'success');
  assert.equal(await resultOf(addDomain('two.firm.test', { inetDomainBaseDN: `ou=People,${FIRM}` })), 'success');
  assert.equal(directory.resolve('fa@firm.test').reply, replies.inactive);
  assert.ok(routes('f.a@two.firm.test'), 'and may get more of them');
});

test('an alias domain is held by its own addresses', async () => {
  await directory.apply(
    add(FIRM, { objectClass: 'organization' }),
    add(domainDn('alias.test'), {
      objectClass: ['domain', 'inetDomain', 'inetDomainAlias'],
      inetDomainBaseDN: FIRM,
    }),
    add(`uid=fa,${FIRM}`, { ...person, mail: 'fa@alias.test' }),
  );
  assert.equal(await resultOf(remove(domainDn('alias.test'))), 'notAllowedOnNonLeaf');
  assert.equal(
    await resultOf(replace(domainDn('alias.test'), { objectClass: ['domain', 'inetDomain'] })),
    'unwillingToPerform',
  );
});

for (const dn of [sitePostmasterDn(), ownDn(), 'o=internet', ADMINISTRATOR_DN]) {
  test(`${dn} keeps its name, its classes and itself`, async () => {
    const { attributes } = findEntry(directory.reader, dn)!;
    const [, ...classes] = attributes.get('objectclass')!.values as string[];
    assert.equal(await resultOf(remove(dn.toUpperCase())), 'unwillingToPerform');
    assert.equal(await resultOf(rename(dn, 'cn=other')), 'unwillingToPerform');
    assert.match(await resultOf(replace(dn, { objectClass: [...classes, 'device'] })), /^(unwilling|objectClass)/);
    assert.equal(await resultOf(replace(dn, { description: 'x' })), 'success');
    assert.equal(
      await resultOf(
        replace(dn, { objectClass: [...(attributes.get('objectclass')!.values as string[]), 'labeledURIObject'] }),
      ),
      'success',
      'a further class changes nothing of what it is',
    );
  });
}

test('the site postmaster does not become a list', async () => {
  assert.equal(
    await resultOf({
      kind: 'modify',
      dn: sitePostmasterDn(),
      modifications: [{ operation: 'add', attribute: 'objectClass', values: ['inetMailGroup'] }],
    }),
    'unwillingToPerform',
  );
  assert.equal(directory.resolve('postmaster').targets.length, 1);
});

test('the administrator can always bind: a password that can be verified, a status that admits', async () => {
  const HASH = '{SSHA}oLNjyDcVxF5vLOmmlUGbbmDXJYc5lCA5';
  const refused = [
    { userPassword: [] },
    { userPassword: '{CRYPT}$6$x$y' },
    { userPassword: '{SSHA}short' },
    { userPassword: ['{X}a', '{CLEARTEXT}b'] },
    { inetUserStatus: 'inactive' },
    { mailUserStatus: 'disabled' },
    { mailAllowedServiceAccess: '-ldap:*' },
    { mailAllowedServiceAccess: '+ldap:127.0.0.1,192.0.2.0/24' },
  ];
  await directory.apply(replace(ADMINISTRATOR_DN, { objectClass: ['person', 'extensibleObject'] }));
  assert.equal(await resultOf(replace(ADMINISTRATOR_DN, { userPassword: HASH })), 'success');
  for (const values of refused)
    assert.equal(await resultOf(replace(ADMINISTRATOR_DN, values)), 'unwillingToPerform', JSON.stringify(values));
  assert.equal(await resultOf(replace(ADMINISTRATOR_DN, { userPassword: ['{X}a', HASH] })), 'success');
  assert.equal(
    await resultOf(replace(ADMINISTRATOR_DN, { userPassword: [HASH], inetUserStatus: 'active' })),
    'success',
  );
  const fromHere = { mailAllowedServiceAccess: '+ldap:127.0.0.0/8,::1,192.0.2.0/24' };
  assert.equal(await resultOf(replace(ADMINISTRATOR_DN, fromHere)), 'success');
  const taken: DirectoryChange = {
    kind: 'modify',
    dn: ADMINISTRATOR_DN,
    modifications: [{ operation: 'delete', attribute: 'userPassword', values: [HASH] }],
  };
  assert.equal(await resultOf(taken), 'unwillingToPerform');
});

test('a mail domain of the DC tree has a name that mail can be sent to', async () => {
  await directory.apply(add('dc=node.example,o=internet', { objectClass: 'domain' }));
  for (const objectClass of ['mailDomain', 'inetDomainAlias']) {
    const classes = { objectClass: ['domain', 'inetDomain', objectClass] };
    for (const dn of ['dc=whole.example', 'dc=a_b', 'dc=-a,dc=example', 'dc=a,dc=node.example', 'dc=12'])
      assert.equal(await resultOf(add(`${dn},o=internet`, classes)), 'namingViolation', dn);
  }
  const plain = 'dc=a.b,o=internet';
  assert.equal(await resultOf(add(plain, { objectClass: 'domain' })), 'success', 'a node may have any name');
  assert.equal(await resultOf(replace(plain, { objectClass: ['domain', 'mailDomain'] })), 'namingViolation');
  await directory.apply(addDomain('ab.example'));
  assert.equal(await resultOf(rename(domainDn('ab.example'), 'dc=a_b')), 'namingViolation');
});

test('a mail domain outside the DC tree does nothing, and is named', async () => {
  await directory.apply(addDomain('acme.example'));
  assert.deepEqual(await misplacedDomains(directory.reader), []);
  const outside = ['o=firm,o=internet', `ou=dept,${domainDn('acme.example')}`, 'dc=a+o=b,o=internet'];
  const structural = ['organization', 'organizationalUnit', 'domain'];
  for (const [index, dn] of outside.entries())
    assert.equal(await resultOf(add(dn, { objectClass: [structural[index]!, 'mailDomain'] })), 'success');
  const found = await misplacedDomains(directory.reader);
  assert.deepEqual(found.map(({ dn }) => dn).sort(), [...outside].sort());
  assert.deepEqual(found[0]!.problems, [
    { attribute: 'objectClass', value: 'mailDomain', reason: 'this entry is no domain of the DC tree' },
  ]);
  assert.equal((await misplacedDomains(directory.reader, 2)).length, 2);
});
