// Names in other entries follow who is renamed, moved or removed, in the same commit, and so do the tables of mail; a subtree
// moves as a whole, and nobody loses all his addresses by it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { DirectoryResultName } from '../base/directory-result.ts';
import { Failure } from '../base/failure.ts';
import { findEntry } from '../directory/entries.ts';
import { type DirectoryChange, textValues } from '../directory/entry.ts';
import { readMemberValues } from '../directory/member-values.ts';
import { loggedChanges } from '../directory/testing.ts';
import { verifyTables } from '../routing/verify.ts';
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
let domains = 0;
before(async () => {
  directory = await openTestDirectory();
});
after(() => directory.close());

/** A domain of its own with ann and bob, ann in a list. */
async function openDomain(...more: readonly DirectoryChange[]): Promise<string> {
  const domain = `d${++domains}.test`;
  await directory.apply(
    addDomain(domain),
    addUser(`ann@${domain}`),
    addUser(`bob@${domain}`, { manager: userDn(`ann@${domain}`), seeAlso: userDn(`ann@${domain}`) }),
    addGroup(`all@${domain}`, [userDn(`ann@${domain}`), userDn(`bob@${domain}`)], { owner: userDn(`ann@${domain}`) }),
    ...more,
  );
  return domain;
}

const rename = (dn: string, newRdn: string, newSuperior?: string): DirectoryChange => ({
  kind: 'rename',
  dn,
  newRdn,
  deleteOldRdn: true,
  newSuperior,
});

async function resultOf(...changes: readonly DirectoryChange[]): Promise<DirectoryResultName | 'success'> {
  try {
    await directory.apply(...changes);
    return 'success';
  } catch (error) {
    assert.ok(error instanceof Failure && error.ldap !== undefined, String(error));
    return error.ldap.name;
  }
}

const values = (dn: string, key: string) => textValues(findEntry(directory.reader, dn)!, key);
const members = (dn: string) =>
  readMemberValues(directory.reader, findEntry(directory.reader, dn)!.id, 0, 100).map(({ value }) => value);
/** The tables are those that a full compile gives. */
function agree(): void {
  const pages = verifyTables(directory.reader);
  let page = pages.next();
  while (page.done !== true) page = pages.next();
  assert.deepEqual(page.value.differences, []);
}

const routes = (address: string) => directory.resolve(address).targets.length;

test('whoever is renamed keeps his lists, and who named him names him still', async () => {
  const domain = await openDomain();
  const was = directory.reader.revision();
  const people = `ou=People,${domainDn(domain)}`;
  await directory.apply(rename(userDn(`ann@${domain}`), 'uid=anna'));
  const is = `uid=anna,${people}`;
  assert.deepEqual(members(groupDn(`all@${domain}`)), [userDn(`bob@${domain}`), is]);
  assert.deepEqual(values(groupDn(`all@${domain}`), 'owner'), [is]);
  assert.deepEqual(values(userDn(`bob@${domain}`), 'manager'), [is]);
  assert.deepEqual(values(userDn(`bob@${domain}`), 'seealso'), [is]);
  assert.equal(routes(`all@${domain}`), 2);
  const log = loggedChanges(directory.reader, was).map(({ kind, dn }) => `${kind} ${dn}`);
  assert.deepEqual(log, [
    `rename ${userDn(`ann@${domain}`)}`,
    `modify ${userDn(`bob@${domain}`)}`,
    `modify ${groupDn(`all@${domain}`)}`,
  ]);
});

test('whoever is removed is out of all lists, and no one of that name comes in by them', async () => {
  const domain = await openDomain();
  await directory.apply(remove(userDn(`ann@${domain}`)));
  assert.deepEqual(members(groupDn(`all@${domain}`)), [userDn(`bob@${domain}`)]);
  assert.deepEqual(values(groupDn(`all@${domain}`), 'owner'), []);
  assert.deepEqual(values(userDn(`bob@${domain}`), 'manager'), []);
  await directory.apply(addUser(`ann@${domain}`));
  assert.equal(routes(`all@${domain}`), 1);
});

test('a member with a bit string keeps it, and one that is there already under the new name stays once', async () => {
  const domain = await openDomain();
  const list = groupDn(`all@${domain}`);
  const anna = `uid=anna,ou=People,${domainDn(domain)}`;
  await directory.apply(
    replace(list, { uniqueMember: [`${userDn(`ann@${domain}`)}#'01'B`, anna, userDn(`ann@${domain}`)] }),
  );
  await directory.apply(rename(userDn(`ann@${domain}`), 'uid=anna'));
  assert.deepEqual(members(list), [anna, `${anna}#'01'B`]);
});

test('a name longer than its index row is found, and its neighbours are left alone', async () => {
  const domain = await openDomain();
  const long = (end: string) => `cn=${'x'.repeat(170)}${end},ou=People,${domainDn(domain)}`;
  const person = { objectClass: 'person', sn: 'x' };
  await directory.apply(add(long('a'), person), add(long('b'), person));
  await directory.apply(replace(userDn(`bob@${domain}`), { seeAlso: [long('b'), long('a')] }));
  await directory.apply(rename(long('a'), 'cn=short'));
  assert.deepEqual(values(userDn(`bob@${domain}`), 'seealso'), [long('b'), `cn=short,ou=People,${domainDn(domain)}`]);
});

test('what names an entry by its own name keeps that name', async () => {
  const domain = await openDomain();
  const of = `seeAlso=uid\\=ann\\,ou\\=People\\,${domainDn(domain).replaceAll(',', '\\,').replaceAll('=', '\\=')}`;
  const dn = `${of},ou=People,${domainDn(domain)}`;
  await directory.apply(add(dn, { objectClass: ['device', 'extensibleObject'], cn: 'x' }));
  await directory.apply(rename(userDn(`ann@${domain}`), 'uid=anna'));
  assert.deepEqual(values(dn, 'seealso'), [userDn(`ann@${domain}`)]);
});

test('an alias follows its target, and loses it with it; an alias domain follows its domain', async () => {
  const domain = await openDomain();
  const alias = `cn=alias,${domainDn(domain)}`;
  await directory.apply(
    add(alias, { objectClass: ['alias', 'extensibleObject'], aliasedObjectName: userDn(`ann@${domain}`) }),
    addDomain(`plain-${domain}`),
    add(domainDn(`other-${domain}`), {
      objectClass: ['domain', 'inetDomain', 'inetDomainAlias'],
      aliasedObjectName: domainDn(`plain-${domain}`),
    }),
  );
  await directory.apply(rename(userDn(`ann@${domain}`), 'uid=anna'));
  assert.deepEqual(values(alias, 'aliasedobjectname'), [`uid=anna,ou=People,${domainDn(domain)}`]);
  await directory.apply(remove(`uid=anna,ou=People,${domainDn(domain)}`));
  assert.deepEqual(values(alias, 'aliasedobjectname'), []);
  await directory.apply(rename(domainDn(`plain-${domain}`), `dc=moved-d${domains}`));
  assert.deepEqual(values(domainDn(`other-${domain}`), 'aliasedobjectname'), [domainDn(`moved-${domain}`)]);
  await directory.apply(addUser(`eve@moved-${domain}`));
  assert.equal(routes(`eve@other-${domain}`), 1);
});

test('a base that moves is still the base, with all its people; one that would go stays', async () => {
  const domain = `d${++domains}.test`;
  const firm = `o=Firm${domains},o=internet`;
  const person = { objectClass: ['inetOrgPerson', 'inetUser', 'inetMailUser'], cn: 'x', sn: 'x' };
  await directory.apply(
    add(firm, { objectClass: 'organization' }),
    add(`ou=People,${firm}`, { objectClass: 'organizationalUnit' }),
    addDomain(domain, { inetDomainBaseDN: firm }),
    ...['ann', 'bob'].map((uid) => add(`uid=${uid},ou=People,${firm}`, { ...person, mail: `${uid}@${domain}` })),
    add(`cn=all,${firm}`, {
      objectClass: ['groupOfUniqueNames', 'inetMailGroup', 'inetLocalMailRecipient'],
      mail: `all@${domain}`,
      uniqueMember: [`uid=ann,ou=People,${firm}`, `uid=bob,ou=People,${firm}`],
      owner: `uid=ann,ou=People,${firm}`,
    }),
  );
  const accounts = directory.resolve(`all@${domain}`).targets;
  const was = directory.reader.revision();
  const is = `o=Other${domains},o=internet`;
  assert.equal(await resultOf(rename(firm, `o=Other${domains}`)), 'success');
  assert.deepEqual(values(domainDn(domain), 'inetdomainbasedn'), [is]);
  assert.deepEqual(members(`cn=all,${is}`), [`uid=ann,ou=People,${is}`, `uid=bob,ou=People,${is}`]);
  assert.deepEqual(values(`cn=all,${is}`, 'owner'), [`uid=ann,ou=People,${is}`]);
  assert.deepEqual(directory.resolve(`all@${domain}`).targets, accounts);
  assert.equal(routes(`ann@${domain}`), 1);
  assert.deepEqual(
    loggedChanges(directory.reader, was).map(({ kind, dn, newDn = '' }) => `${kind} ${dn} ${newDn}`),
    [
      `rename ${firm} ${is}`,
      `rename cn=all,${firm} cn=all,${is}`,
      `rename ou=People,${firm} ou=People,${is}`,
      `rename uid=ann,ou=People,${firm} uid=ann,ou=People,${is}`,
      `rename uid=bob,ou=People,${firm} uid=bob,ou=People,${is}`,
      `modify ${domainDn(domain)} `,
      `modify cn=all,${is} `,
    ],
  );
  // A respelling of the name is one of all names below.
  assert.equal(await resultOf(rename(is, `o=OTHER${domains}`)), 'success');
  assert.equal(
    findEntry(directory.reader, `uid=ann,ou=People,${is}`)!.dn,
    `uid=ann,ou=People,o=OTHER${domains},o=internet`,
  );
  assert.equal(routes(`ann@${domain}`), 1);
  const empty = `d${++domains}.test`;
  await directory.apply(
    add(`ou=base,${is}`, { objectClass: 'organizationalUnit' }),
    addDomain(empty, { inetDomainBaseDN: `ou=base,${is}` }),
  );
  assert.equal(await resultOf(remove(`ou=base,${is}`)), 'notAllowedOnNonLeaf');
  await directory.apply(remove(domainDn(empty)));
  assert.equal(await resultOf(remove(`ou=base,${is}`)), 'success');
});

test('a move that leaves somebody without an address is refused and names him; with another address it is made', async () => {
  const domain = await openDomain();
  const other = await openDomain();
  const people = `ou=People,${domainDn(other)}`;
  const move = rename(userDn(`ann@${domain}`), 'uid=ann2', people);
  await assert.rejects(directory.apply(move), (error: Failure) => {
    assert.equal(error.ldap?.name, 'unwillingToPerform');
    assert.match(error.message, new RegExp(`ann@${domain}.*uid=ann2,${people}`));
    return true;
  });
  assert.equal(await resultOf(rename(`ou=People,${domainDn(domain)}`, 'ou=Staff', people)), 'unwillingToPerform');
  assert.equal(routes(`ann@${domain}`), 1);
  const account = directory.resolve(`ann@${domain}`).targets[0]!.key;
  // In one commit the address may follow.
  assert.equal(await resultOf(move, replace(`uid=ann2,${people}`, { mail: `ann2@${other}` })), 'success');
  assert.equal(directory.resolve(`ann2@${other}`).targets[0]!.key, account);
  assert.equal(routes(`all@${domain}`), 2, 'the list has it where it is now');
  agree();
});

test('a subtree of ten thousand entries moves, one more does not', { timeout: 280_000 }, async () => {
  const domain = await openDomain();
  const base = `ou=many,${domainDn(domain)}`;
  const unit = { objectClass: 'organizationalUnit' };
  const count = Number(process.env['WAYPOST_SUBTREE'] ?? 200);
  const adds = [add(base, unit)];
  for (let n = 1; n < count; n++) adds.push(add(`ou=n${n},${base}`, unit));
  for (let from = 0; from < adds.length; from += 500) await directory.apply(...adds.slice(from, from + 500));
  assert.equal(await resultOf(rename(base, 'ou=most')), 'success');
  assert.equal(findEntry(directory.reader, base), undefined);
  if (count < 10_000) return;
  await directory.apply(add(`ou=one more,ou=most,${domainDn(domain)}`, unit));
  const was = directory.reader.revision();
  assert.equal(await resultOf(rename(`ou=most,${domainDn(domain)}`, 'ou=many')), 'adminLimitExceeded');
  assert.equal(directory.reader.revision(), was);
});
