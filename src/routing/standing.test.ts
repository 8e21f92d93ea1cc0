// What the directory says of an entry, over the real tables: each change as somebody writes it.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
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
  testSite,
  userDn,
} from '../provisioning/testing.ts';
import { type Standing, standingOfDn, standingOfUuid } from './standing.ts';

const ANN = userDn('ann@acme.example');

let directory: TestDirectory;
beforeEach(async () => {
  directory = await openTestDirectory();
  await directory.apply(addDomain('acme.example'), addUser('ann@acme.example'));
});
afterEach(() => directory.close());

const standing = (dn = ANN) => standingOfDn(directory.reader, testSite, dn);
const refusedBy = (dn = ANN) => refusalOf(standing(dn)!);

/** Where there are several domains, one that admits is enough. */
function refusalOf({ admissions }: Standing): string | undefined {
  return admissions.some((admission) => admission.refusedBy === undefined) ? undefined : admissions[0].refusedBy;
}

test('a user of an active domain is let in, as its account', () => {
  const { caller, login, entry } = standing()!;
  assert.deepEqual(caller, { kind: 'entry', uuid: entry.uuid, dn: ANN });
  assert.deepEqual([login?.addresses, login?.dn, refusedBy()], [['ann@acme.example'], ANN, undefined]);
  assert.equal(login?.account, directory.cache.findLogin('ann@acme.example')?.account);
});

test('each level of status keeps it out, the first that is not active is named', async () => {
  const acme = domainDn('acme.example');
  const levels: [dn: string, attribute: string, value: string][] = [
    [ANN, 'mailUserStatus', 'disabled'],
    [ANN, 'inetUserStatus', 'inactive'],
    [acme, 'mailDomainStatus', 'hold'],
    [acme, 'inetDomainStatus', 'deleted'],
  ];
  for (const [dn, attribute, value] of levels) {
    await directory.apply(replace(dn, { [attribute]: value }));
    assert.equal(refusedBy(), `${attribute}: ${value}`);
    assert.equal(directory.cache.findLogin('ann@acme.example')?.refusedBy, `${attribute}: ${value}`);
  }
});

test('a domain that says -1 has no limit and no count', async () => {
  const limited = async (mailDomainDiskQuota: string) => {
    const quotas = { mailDomainDiskQuota, mailDomainMsgQuota: '-1' };
    await directory.apply(replace(domainDn('acme.example'), quotas));
    return directory.cache.findLogin('ann@acme.example')?.quota;
  };
  assert.deepEqual(await limited('1K'), { domain: { octets: 1024, name: 'acme.example' } });
  assert.equal(await limited('-1'), undefined);
});

test('who is over quota is let in', async () => {
  await directory.apply(replace(ANN, { mailUserStatus: 'overquota' }));
  assert.equal(refusedBy(), undefined);
});

test('an entry without an address belongs to the domain whose base holds it', async () => {
  const people = `ou=People,${domainDn('acme.example')}`;
  const clerk = `uid=clerk,${people}`;
  await directory.apply(
    add(clerk, { objectClass: ['inetOrgPerson', 'inetUser'], uid: 'clerk', cn: 'c', sn: 'c' }),
    replace(ANN, { mail: [] }),
    addGroup('all@acme.example', []),
  );
  assert.deepEqual([refusedBy(), refusedBy(clerk), standing(clerk)?.login], [undefined, undefined, undefined]);
  assert.deepEqual(standing()?.login?.addresses, []);
  await directory.apply(replace(domainDn('acme.example'), { inetDomainStatus: 'deleted' }));
  for (const dn of [ANN, clerk, groupDn('all@acme.example')]) assert.equal(refusedBy(dn), 'inetDomainStatus: deleted');
  await directory.apply(
    replace(domainDn('acme.example'), { inetDomainStatus: [] }),
    replace(clerk, { inetUserStatus: 'inactive' }),
  );
  assert.equal(refusedBy(clerk), 'inetUserStatus: inactive');
});

test('where domains share a base, one that admits is enough for an entry without an address', async () => {
  const base = 'ou=Shared,o=internet';
  const clerk = `uid=clerk,${base}`;
  await directory.apply(
    add(base, { objectClass: 'organizationalUnit', ou: 'Shared' }),
    addDomain('one.example', { inetDomainBaseDN: base, inetDomainStatus: 'deleted' }),
    addDomain('two.example', { inetDomainBaseDN: base }),
    add(clerk, { objectClass: ['inetOrgPerson', 'inetUser'], uid: 'clerk', cn: 'c', sn: 'c' }),
  );
  assert.equal(refusedBy(clerk), undefined);
  await directory.apply(replace(domainDn('two.example'), { mailDomainStatus: 'inactive' }));
  assert.equal(refusedBy(clerk), 'inetDomainStatus: deleted');
});

test('where the mailbox is at another host, that is named', async () => {
  const elsewhere = () => standing()!.admissions.map((each) => each.elsewhere);
  assert.deepEqual(elsewhere(), [undefined]);
  await directory.apply(replace(ANN, { mailHost: testSite.hostnames[0]! }));
  assert.deepEqual(elsewhere(), [undefined]);
  await directory.apply(replace(ANN, { mailHost: 'Mail2.Example' }));
  assert.deepEqual(elsewhere(), ['mail2.example']);
  assert.equal(directory.cache.findLogin('ann@acme.example')?.elsewhere, 'mail2.example');
  await directory.apply(replace(ANN, { mail: [] }));
  assert.deepEqual(elsewhere(), ['mail2.example']);
});

test('entries outside all domains have no status but their own', () => {
  const administrator = standing('cn=Directory Manager')!;
  assert.deepEqual([administrator.caller.kind, refusalOf(administrator)], ['administrator', undefined]);
  const postmaster = standing('uid=postmaster,ou=Waypost,o=internet')!;
  assert.deepEqual(postmaster.login?.addresses, ['postmaster@mail.test.example']);
  assert.equal(refusalOf(postmaster), undefined);
});

test('by UUID it is the same entry under its new name, and nobody when it is gone', async () => {
  const { uuid } = standing()!.entry;
  await directory.apply({ kind: 'rename', dn: ANN, newRdn: 'uid=anna', deleteOldRdn: true, newSuperior: undefined });
  const renamed = standingOfUuid(directory.reader, testSite, uuid)!;
  assert.equal(renamed.login?.dn, userDn('anna@acme.example'));
  await directory.apply(remove(renamed.entry.dn), addUser('ann@acme.example'));
  assert.equal(standingOfUuid(directory.reader, testSite, uuid), undefined);
});
