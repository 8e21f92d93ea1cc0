// Administrators of a domain over LDAP: what they may do there and not elsewhere, until they are taken out of the group.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { TENANT } from '../../base/tenant.ts';
import { operation } from '../../database/operation.ts';
import { ACI_VALUES_MAX } from '../../directory/access/rules.ts';
import {
  add,
  addDomain,
  addGroup,
  addUser,
  domainDn,
  groupDn,
  remove,
  replace,
  userDn,
} from '../../provisioning/testing.ts';
import { assertion } from '../../wire/ldap/controls/assertion.ts';
import { controlOf } from '../../wire/ldap/controls/codec.ts';
import { manageDsaIt } from '../../wire/ldap/controls/manage-dsa-it.ts';
import { pagedResults } from '../../wire/ldap/controls/paged-results.ts';
import { postReadRequest } from '../../wire/ldap/controls/read-entry.ts';
import { sortRequest } from '../../wire/ldap/controls/sort.ts';
import type { Control } from '../../wire/ldap/controls.ts';
import { parseFilter } from '../../wire/ldap/filter-text.ts';
import type { LdapRequest } from '../../wire/ldap/message.ts';
import { codeOf, GEHEIM, openTestDoor, RawClient, searchFor } from './testing.ts';

/** Entries that no index leads to, faster than one by one. */
const fill = operation('test.fill', async (tx, above: string) => {
  await tx.run(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10500)
     INSERT INTO dit (id, tenant, parent, path, dn, uuid, revision, generated, created_at, created_by, modified_at,
       modified_by, attributes, member_counts)
     SELECT 5000000 + i, tenant, id, path || 'cn=n' || i || ',', 'cn=n' || i || ',' || dn, 'uuid' || i, revision, 0, 0, '', 0, '',
       '[["objectClass",["device"]],["cn",["n"]]]', '' FROM dit, n WHERE dn = ?`,
    above,
  );
});

/** Index rows alone: to be counted, not to be compiled. */
const pretendRules = operation('test.pretend-rules', async (tx, count: number) => {
  if (count === 0) return void (await tx.run('DELETE FROM dit_index WHERE entry > 9000000'));
  await tx.run(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
     INSERT INTO dit_index (tenant, attribute, value, entry) SELECT ${TENANT}, 'aci', 'v' || i, 9000000 + i FROM n`,
    count,
  );
});

const door = await openTestDoor();
after(() => door.close());

const ACME = domainDn('acme.example');
const ADMINS = `cn=admins,ou=Groups,${ACME}`;
const SITE = 'cn=Site Administrators,ou=Waypost,o=internet';
const [ann, bob, zoe, sue] = ['ann@acme.example', 'bob@acme.example', 'zoe@other.example', 'sue@acme.example'].map(
  userDn,
) as [string, string, string, string];
const kim = userDn('kim@sub.acme.example');

await door.directory.apply(
  addDomain('acme.example', { waypostAdministrator: ADMINS }),
  addDomain('sub.acme.example'),
  addDomain('other.example'),
  addUser('ann@acme.example', GEHEIM),
  addUser('bob@acme.example', GEHEIM),
  addUser('sue@acme.example', GEHEIM),
  addUser('zoe@other.example', GEHEIM),
  addUser('kim@sub.acme.example'),
  add(ADMINS, { objectClass: 'groupOfNames', cn: 'admins', member: ann }),
  addGroup('sales@acme.example', [bob], { owner: bob }),
  addGroup('all@other.example', [zoe]),
  replace(SITE, { member: sue }),
);

const modify = (
  dn: string,
  attribute: string,
  values: readonly string[],
  operation: 'add' | 'delete' | 'replace' = 'replace',
): LdapRequest => ({ kind: 'modify', dn, modifications: [{ operation, attribute, values }] });

const addOf = (change: ReturnType<typeof addUser>): LdapRequest => change as LdapRequest & { kind: 'add' };
const del = (dn: string): LdapRequest => ({ kind: 'delete', dn });

async function as(dn: string): Promise<RawClient> {
  const client = await RawClient.open(door.port);
  assert.equal(await client.bind(dn, 'geheim'), 0);
  return client;
}

async function found(client: RawClient, base: string, text = '(objectClass=*)'): Promise<string[]> {
  client.request(searchFor(base, { scope: 'sub', text }));
  const dns: string[] = [];
  for (;;) {
    const { operation } = (await client.response())!;
    if (operation.kind !== 'searchEntry') return dns.sort();
    dns.push(operation.dn);
  }
}

test('they see and change their domain, and nothing else', async () => {
  using client = await as(ann);
  const seen = await found(client, 'o=internet', '(mail=*)');
  assert.deepEqual(seen, [groupDn('sales@acme.example'), ann, bob, sue].sort());
  for (const base of [
    zoe,
    domainDn('other.example'),
    domainDn('sub.acme.example'),
    'ou=Waypost,o=internet',
    'o=nowhere',
  ])
    assert.equal(await codeOf(client, searchFor(base)), 32, base);
  assert.equal(await codeOf(client, addOf(addUser('new@acme.example', GEHEIM))), 0);
  const fresh = userDn('new@acme.example');
  assert.equal(await codeOf(client, modify(fresh, 'displayName', ['New'])), 0);
  assert.equal(
    await codeOf(client, {
      kind: 'modifyDn',
      dn: fresh,
      newRdn: 'uid=newer',
      deleteOldRdn: true,
      newSuperior: undefined,
    }),
    0,
  );
  assert.equal(await codeOf(client, del(userDn('newer@acme.example'))), 0);
  assert.equal(await codeOf(client, addOf(addGroup('team@acme.example', [bob]))), 0);
  assert.equal(await codeOf(client, modify(groupDn('team@acme.example'), 'uniqueMember', [ann], 'add')), 0);
  for (const request of [
    addOf(addUser('new@other.example')),
    addOf(addUser('new@sub.acme.example')),
    addOf(addUser('new@nowhere.example')),
    modify(zoe, 'displayName', ['x']),
    modify('uid=nobody,o=nowhere', 'displayName', ['x']),
    del(zoe),
    del('uid=nobody,o=nowhere'),
    modify(SITE, 'member', [ann], 'add'),
    modify('o=internet', 'aci', []),
  ])
    assert.equal(await codeOf(client, request), 50, JSON.stringify(request));
  await door.directory.apply(remove(groupDn('team@acme.example')));
});

test('whose base is missing is told which superior is there, unless that is not to be seen', async () => {
  using client = await as(ann);
  const matched = async (dn: string): Promise<string> => {
    client.request(searchFor(dn));
    const { operation } = (await client.response())!;
    assert.ok(operation.kind === 'searchDone');
    return operation.result.matchedDn;
  };
  assert.equal(await matched(`cn=none,${bob}`), bob);
  assert.equal(await matched(`cn=none,${zoe}`), '');
  assert.equal(await matched(`cn=none,${domainDn('other.example')}`), '');
});

test('what is reserved is refused in their domain too', async () => {
  using client = await as(ann);
  const program = { mailDeliveryOption: 'program' };
  const [alias, referral] = [`cn=other,${ACME}`, `cn=elsewhere,${ACME}`];
  await door.directory.apply(
    add(`ou=Shared,${ACME}`, { objectClass: 'organizationalUnit', ou: 'Shared' }),
    add(`ou=Guests,ou=Shared,${ACME}`, { objectClass: 'organizationalUnit', ou: 'Guests' }),
    addDomain('guests.example', { inetDomainBaseDN: `ou=Guests,ou=Shared,${ACME}` }),
    add(`cn=no domain,${domainDn('other.example')}`, {
      objectClass: ['device', 'extensibleObject'],
      cn: 'no domain',
      inetDomainBaseDN: `ou=none,ou=People,${ACME}`,
    }),
    add(alias, { objectClass: ['alias', 'extensibleObject'], cn: 'other', aliasedObjectName: bob }),
    add(referral, { objectClass: ['referral', 'extensibleObject'], cn: 'elsewhere', ref: 'ldap://mx2.example/o=x' }),
  );
  for (const request of [
    modify(bob, 'mailHost', ['mx2.example']),
    modify(bob, 'waypostRecipientsPerHour', ['5']),
    modify(bob, 'aci', ['(targetattr="*")(version 3.0; acl "x"; allow (all) userdn="ldap:///anyone";)']),
    modify(bob, 'mailDeliveryOption', ['mailbox', 'Program']),
    modify(bob, 'mailDeliveryOption', ['file'], 'add'),
    modify(ACME, 'mailDomainDiskQuota', ['1G']),
    modify(ACME, 'waypostAdministrator', [bob], 'add'),
    modify(ACME, 'objectClass', ['domain']),
    modify(sue, 'userPassword', ['new']),
    modify(sue, 'mailForwardingAddress', ['ann@acme.example']),
    modify(`ou=People,${ACME}`, 'objectClass', ['mailDomain'], 'add'),
    modify(groupDn('sales@acme.example'), 'mgrpErrorsTo', ['x@other.example']),
    modify(groupDn('sales@acme.example'), 'memberURL', [`ldap:///${domainDn('other.example')}??sub?(mail=*)`], 'add'),
    // All that is below where another domain's people are, though its entry stands elsewhere.
    modify(groupDn('sales@acme.example'), 'memberURL', [`ldap:///ou=Shared,${ACME}??sub?(mail=*)`], 'add'),
    // All that is below the domain's entry, the next domain's people among it.
    modify(groupDn('sales@acme.example'), 'memberURL', [`ldap:///${ACME}??sub?(mail=*)`], 'add'),
    modify(groupDn('sales@acme.example'), 'mgrpModerator', [`ldap:///${domainDn('other.example')}??sub?(mail=*)`]),
    modify(groupDn('sales@acme.example'), 'mgrpAllowedBroadcaster', [groupDn('all@other.example')]),
    modify(groupDn('sales@acme.example'), 'mgrpDisallowedBroadcaster', ['bob@acme.example', zoe]),
    modify(alias, 'aliasedObjectName', [zoe]),
    addOf(addUser('prog@acme.example', program)),
    addOf(addUser('host@acme.example', { mailHost: 'mx2.example' })),
    addOf(addDomain('deep.acme.example')),
    del(domainDn('sub.acme.example')),
    del(ACME),
    del(sue),
    rename(`ou=People,${ACME}`, 'ou=Folk'),
    {
      kind: 'modifyDn',
      dn: bob,
      newRdn: 'uid=bob',
      deleteOldRdn: false,
      newSuperior: `ou=People,${domainDn('other.example')}`,
    },
    { kind: 'modifyDn', dn: sue, newRdn: 'uid=susan', deleteOldRdn: true, newSuperior: undefined },
  ] satisfies LdapRequest[])
    assert.equal(await codeOf(client, request), 50, JSON.stringify(request));
  client.request(modify(referral, 'ref', ['ldap://x.example/o=x']), [controlOf(manageDsaIt, undefined, true)]);
  assert.equal((await client.result())?.code, 50);
  assert.equal(await codeOf(client, modify(ACME, 'description', ['Acme'])), 0);
  assert.equal(await codeOf(client, modify(groupDn('sales@acme.example'), 'mgrpErrorsTo', ['bob@acme.example'])), 0);
  const url = `ldap:///ou=People,${ACME}??sub?(mail=*)`;
  assert.equal(await codeOf(client, modify(groupDn('sales@acme.example'), 'memberURL', [url])), 0);
  const broadcasters = ['zoe@other.example', 'mailto:all@other.example', bob, url];
  assert.equal(
    await codeOf(client, modify(groupDn('sales@acme.example'), 'mgrpAllowedBroadcaster', broadcasters)),
    0,
    'the addresses of others are no secret',
  );
  await door.directory.apply(
    remove(alias),
    remove(referral),
    remove(`cn=no domain,${domainDn('other.example')}`),
    remove(domainDn('guests.example')),
    remove(`ou=Guests,ou=Shared,${ACME}`),
    remove(`ou=Shared,${ACME}`),
  );
});

const rename = (
  dn: string,
  newRdn: string,
  more: { deleteOldRdn?: boolean; newSuperior?: string } = {},
): LdapRequest => ({
  kind: 'modifyDn',
  dn,
  newRdn,
  deleteOldRdn: true,
  newSuperior: undefined,
  ...more,
});

test('nobody takes the name of somebody whom they must not write, and none leaves the own name', async () => {
  const ghost = userDn('ghost@acme.example');
  await door.directory.apply(
    addUser('mallory@acme.example', { ...GEHEIM, mailHost: 'mx2.example' }),
    add(`ou=Old,${ACME}`, { objectClass: 'organizationalUnit', ou: 'Old' }),
    add(`uid=x,ou=Old,${ACME}`, { objectClass: 'inetOrgPerson', uid: 'x', cn: 'x', sn: 'x' }),
    replace(SITE, { member: [sue, ghost] }),
  );
  const mallory = userDn('mallory@acme.example');
  using client = await as(ann);
  assert.equal(await codeOf(client, addOf(addUser('ghost@acme.example'))), 50);
  assert.equal(await codeOf(client, rename(mallory, 'uid=ghost')), 50);
  assert.equal(await codeOf(client, rename(mallory, 'uid=ghost', { deleteOldRdn: false })), 50);
  assert.equal(
    await codeOf(client, rename(`uid=x,ou=Old,${ACME}`, 'uid=ghost', { newSuperior: `ou=People,${ACME}` })),
    50,
  );
  assert.equal(await codeOf(client, rename(`ou=Old,${ACME}`, 'ou=New')), 0);
  // What is reserved and there already, her server, stays as it is.
  assert.equal(await codeOf(client, rename(mallory, 'uid=molly')), 0);
  using self = await as(userDn('molly@acme.example'));
  assert.equal(await codeOf(self, modify(userDn('molly@acme.example'), 'displayName', ['Molly'])), 0);
  assert.equal(
    await codeOf(self, rename(userDn('molly@acme.example'), 'displayName=Molly', { deleteOldRdn: false })),
    50,
  );
  await door.directory.apply(
    remove(userDn('molly@acme.example')),
    remove(`uid=x,ou=New,${ACME}`),
    remove(`ou=New,${ACME}`),
    replace(SITE, { member: sue }),
  );
});

test('who may not change an entry is told neither how much is below it nor that it is a referral', async () => {
  const away = `ou=Away,${ACME}`;
  await door.directory.apply(
    add(away, { objectClass: ['referral', 'extensibleObject'], ou: 'Away', ref: 'ldap://far.example/' }),
  );
  using nobody = await RawClient.open(door.port);
  using owner = await as(bob);
  using site = await as(sue);
  const asked = async (client: RawClient, request: LdapRequest, ...controls: Control[]) => {
    client.request(request, controls);
    return (await client.result())!;
  };
  const post = controlOf(postReadRequest, ['ou'], true);
  const other = modify(away, 'description', ['x']);
  for (const client of [nobody, owner])
    for (const answer of [
      await asked(client, del(away)),
      await asked(client, del(`uid=x,${away}`)),
      await asked(client, addOf(add(`ou=x,${away}`, { objectClass: 'organizationalUnit', ou: 'x' }) as never)),
      await asked(client, other, post),
      await asked(client, other),
    ]) {
      assert.equal(answer.code, 50);
      assert.doesNotMatch(answer.text, /far|another server/);
    }
  assert.equal((await asked(site, del(`uid=x,${away}`))).code, 10);
  assert.equal((await asked(site, other, post)).code, 10);
  const sales = groupDn('sales@acme.example');
  const holds = (text: string) => controlOf(assertion, parseFilter(text), true);
  // The right first, then what is asserted; members are looked at where a filter asks for them.
  const title = modify(sales, 'cn', ['Sales']);
  assert.equal((await asked(owner, title, holds('(cn=nothing)'))).code, 50);
  const said = modify(sales, 'description', ['Selling']);
  assert.equal((await asked(owner, said, holds('(cn=nothing)'))).code, 122);
  assert.equal((await asked(owner, said, holds(`(uniqueMember=${zoe})`))).code, 122);
  assert.equal((await asked(owner, said, holds(`(!(&(cn=*)(uniqueMember=${bob})))`))).code, 122);
  assert.equal((await asked(owner, said, holds(`(&(cn=*)(uniqueMember=${bob}))`))).code, 0);
  assert.equal((await asked(owner, said, holds(`(:uniqueMemberMatch:=${bob})`))).code, 0);
  await door.directory.apply(remove(away), replace(sales, { description: [] }));
});

test('a rule about values is asked of those that go with their attribute, and of sums', async () => {
  const team = groupDn('valued@acme.example');
  const rule = (targets: string): string =>
    `${targets}(version 3.0; acl "values"; deny (write) userdn="ldap:///${ann}";)`;
  await door.directory.apply(
    addGroup('valued@acme.example', [bob, sue]),
    replace(ACME, {
      aci: [
        rule(`(targattrfilters="del=uniqueMember:(uniqueMember=${sue})")`),
        rule('(targattrfilters="add=uidNumber:(uidNumber=1002)")'),
        rule('(targattrfilters="del=mgrpErrorsTo:(!(mgrpErrorsTo:waypostOwnDomainMatch:=TRUE))")'),
      ],
    }),
    replace(team, { mgrpErrorsTo: 'x@other.example' }),
    replace(bob, {
      objectClass: ['inetOrgPerson', 'inetUser', 'inetMailUser', 'inetLocalMailRecipient', 'posixAccount'],
      uidNumber: '1000',
      gidNumber: '1',
      homeDirectory: '/home/bob',
    }),
  );
  using client = await as(ann);
  const increment = { operation: 'increment', attribute: 'uidNumber', values: ['1'] } as const;
  for (const request of [
    modify(team, 'uniqueMember', [], 'delete'),
    modify(team, 'uniqueMember', []),
    modify(team, 'uniqueMember', [ann]),
    modify(team, 'uniqueMember', [sue], 'delete'),
    modify(team, 'mgrpErrorsTo', []),
    { kind: 'modify', dn: bob, modifications: [increment, increment] },
    { kind: 'modify', dn: bob, modifications: [{ ...increment, values: ['2'] }] },
  ] satisfies LdapRequest[])
    assert.equal(await codeOf(client, request), 50, JSON.stringify(request));
  assert.equal(await codeOf(client, modify(team, 'uniqueMember', [sue, ann])), 0);
  assert.equal(await codeOf(client, modify(team, 'uniqueMember', [ann], 'delete')), 0);
  assert.equal(await codeOf(client, { kind: 'modify', dn: bob, modifications: [increment] }), 0);
  assert.equal(await codeOf(client, { kind: 'modify', dn: bob, modifications: [{ ...increment, values: ['x'] }] }), 21);
  const many = Array.from({ length: 1001 }, (_, at) => userDn(`n${at}@acme.example`));
  await door.directory.apply(replace(team, { uniqueMember: many }));
  assert.equal(await codeOf(client, modify(team, 'uniqueMember', [])), 11);
  await door.directory.apply(replace(ACME, { aci: [] }), remove(team));
});

test('who is taken out of the group is refused at the next operation of an open connection', async () => {
  using client = await as(ann);
  assert.equal(await codeOf(client, searchFor(bob)), 0);
  await door.directory.apply(replace(ADMINS, { member: [] }));
  assert.equal(await codeOf(client, searchFor(bob)), 32);
  assert.equal(await codeOf(client, modify(bob, 'displayName', ['x'])), 50);
  await door.directory.apply(replace(ADMINS, { member: [ann] }));
  assert.equal(await codeOf(client, searchFor(bob)), 0);
  await door.directory.apply(replace(ACME, { waypostAdministrator: [] }));
  assert.equal(await codeOf(client, searchFor(bob)), 32);
  await door.directory.apply(replace(ACME, { waypostAdministrator: [ADMINS] }));
  assert.equal(await codeOf(client, modify(bob, 'displayName', ['x'])), 0);
});

test('a group in a group counts, five deep and no deeper', async () => {
  const groups = [1, 2, 3, 4, 5].map((level) => `cn=g${level},ou=Groups,${domainDn('other.example')}`);
  await door.directory.apply(
    ...groups.map((dn, at) =>
      add(dn, { objectClass: 'groupOfNames', cn: `g${at + 1}`, member: [at === 0 ? zoe : groups[at - 1]!] }),
    ),
  );
  using client = await as(zoe);
  await door.directory.apply(replace(ACME, { waypostAdministrator: [groups[4]!] }));
  assert.equal(await codeOf(client, searchFor(bob)), 0);
  await door.directory.apply(
    replace(ACME, { waypostAdministrator: [ADMINS] }),
    replace(ADMINS, { member: [groups[4]!, ann] }),
  );
  assert.equal(await codeOf(client, searchFor(bob)), 32);
  await door.directory.apply(replace(ADMINS, { member: [groups[3]!, ann] }));
  assert.equal(await codeOf(client, searchFor(bob)), 0);
  // In the middle, of a group that no rule names itself.
  await door.directory.apply(replace(groups[2]!, { member: [] }));
  assert.equal(await codeOf(client, searchFor(bob)), 32);
  await door.directory.apply(replace(ADMINS, { member: [ann] }));
});

test('a site administrator does all but see secrets and touch the Directory Manager', async () => {
  using client = await as(sue);
  assert.ok((await found(client, 'o=internet')).length > 10);
  assert.equal(await codeOf(client, modify(zoe, 'mailHost', ['mx2.example'])), 0);
  assert.equal(await codeOf(client, modify(zoe, 'mailHost', [])), 0);
  assert.deepEqual(await found(client, 'o=internet', '(userPassword=*)'), []);
  assert.equal(await codeOf(client, searchFor('cn=Directory Manager')), 32);
  assert.equal(await codeOf(client, modify('cn=Directory Manager', 'userPassword', ['x'])), 50);
});

test('the owner of a list changes its members and description', async () => {
  using client = await as(bob);
  const sales = groupDn('sales@acme.example');
  assert.deepEqual(await found(client, ACME), [sales, bob].sort());
  assert.equal(await codeOf(client, modify(sales, 'uniqueMember', [ann], 'add')), 0);
  assert.equal(await codeOf(client, modify(sales, 'description', ['Sales'])), 0);
  assert.equal(await codeOf(client, modify(sales, 'owner', [ann])), 50);
  assert.equal(await codeOf(client, modify(sales, 'mail', ['x@acme.example'])), 50);
  assert.equal(await codeOf(client, del(sales)), 50);
});

test('what a rule gives the members of a list, nobody else may: by their own name, and by that of a group', async () => {
  const team = groupDn('team@acme.example');
  const all = groupDn('all@other.example');
  const may = (bind: string) =>
    `(targetattr="cn || description")(version 3.0; acl "m"; allow (read, search, write) userattr="uniqueMember#${bind}";)`;
  await door.directory.apply(addGroup('team@acme.example', [kim]), replace(ACME, { aci: may('USERDN') }));
  using client = await as(zoe);
  const codes = async () => [
    await codeOf(client, searchFor(team)),
    await codeOf(client, modify(team, 'description', ['x'])),
  ];
  assert.deepEqual(await codes(), [32, 50]);
  await door.directory.apply(replace(team, { uniqueMember: [kim, zoe] }));
  assert.deepEqual(await codes(), [0, 0]);
  await door.directory.apply(replace(ACME, { aci: may('GROUPDN') }));
  assert.deepEqual(await codes(), [32, 50]);
  await door.directory.apply(replace(team, { uniqueMember: [kim, all] }));
  assert.deepEqual(await codes(), [0, 0]);
  await door.directory.apply(replace(ACME, { aci: [] }), remove(team));
});

test('a user writes what is said of self, and of the options three', async () => {
  using client = await as(bob);
  for (const [attribute, value, code] of [
    ['telephoneNumber', '+1 555', 0],
    ['mailAutoReplyText', 'away', 0],
    ['vacationStartDate', '20261127000000Z', 0],
    ['mailForwardingAddress', 'bob@far.example', 0],
    ['mailDeliveryOption', 'forward', 0],
    ['mailDeliveryOption', 'program', 50],
    ['mailQuota', '1G', 50],
    ['mail', 'x@acme.example', 50],
  ] as const)
    assert.equal(await codeOf(client, modify(bob, attribute, [value])), code, `${attribute} ${value}`);
});

test('an aci that does not parse is 21, and says the column', async () => {
  using client = await as(sue);
  for (const [text, column] of [
    ['(targetattr="nothing")(version 3.0; acl "x"; allow (read) userdn="ldap:///all";)', 14],
    ['(targetattr="*")(version 3.0; acl "x"; allow (read) ip="192.0.2.1";)', 53],
    ['(target="ldap:///ou=($dn),o=internet")(version 3.0; acl "x"; allow (read) userdn="ldap:///all";)', 21],
    ['(targetattr="*")(version 3.0; acl "x"; allow (reed) userdn="ldap:///all";)', 47],
    ['(targetfilter="(userPassword:2.5.13.18:=x)")(version 3.0; acl "x"; allow (read) userdn="ldap:///all";)', 16],
    ['x', 1],
  ] as const) {
    client.request(modify(ACME, 'aci', [text]));
    const { code, text: said } = (await client.result())!;
    assert.deepEqual([code, said.match(/column (\d+)/)?.[1]], [21, String(column)], said);
  }
});

test('a filter on what may not be searched is undefined, and not even its opposite matches', async () => {
  const rule = `(targetattr="cn")(version 3.0; acl "names"; allow (read, search) userdn="ldap:///${zoe}";)`;
  await door.directory.apply(replace(ACME, { aci: rule }));
  using client = await as(zoe);
  assert.deepEqual(await found(client, ACME, '(cn=bob)'), [bob]);
  assert.deepEqual(
    await found(client, ACME, '(!(cn=bob))'),
    [groupDn('sales@acme.example'), ann, sue, ADMINS, userDn('kim@sub.acme.example')].sort(),
  );
  assert.deepEqual(await found(client, ACME, '(mail=bob@acme.example)'), []);
  assert.deepEqual(await found(client, ACME, '(!(mail=bob@acme.example))'), []);
  assert.deepEqual(await found(client, ACME, '(|(mail=bob@acme.example)(cn=bob))'), [bob]);
  assert.equal(await codeOf(client, { kind: 'compare', dn: bob, attribute: 'cn', value: 'bob' }), 16);
  await door.directory.apply(replace(ACME, { aci: [] }));
  assert.equal(await codeOf(client, searchFor(bob)), 32);
});

test('a rule about values is asked of the members of a list that moves', async () => {
  const moving = groupDn('moving@acme.example');
  const there = `ou=Closed,${ACME}`;
  await door.directory.apply(
    addGroup('moving@acme.example', [bob, zoe]),
    add(there, { objectClass: 'organizationalUnit', ou: 'Closed' }),
    replace(there, {
      aci: `(targattrfilters="add=uniqueMember:(!(uniqueMember:waypostOwnDomainMatch:=TRUE))")(version 3.0; acl "own"; deny (write) userdn="ldap:///${ann}";)`,
    }),
  );
  using client = await as(ann);
  const move = (dn: string, newSuperior: string): LdapRequest => ({
    kind: 'modifyDn',
    dn,
    newRdn: 'cn=moving',
    deleteOldRdn: true,
    newSuperior,
  });
  assert.equal(await codeOf(client, move(moving, there)), 50);
  await door.directory.apply(replace(moving, { uniqueMember: [bob] }));
  assert.equal(await codeOf(client, move(moving, there)), 0);
  const moved = `cn=moving,${there}`;
  const many = Array.from({ length: 1001 }, (_, at) => userDn(`n${at}@acme.example`));
  await door.directory.apply(replace(moved, { uniqueMember: many }));
  assert.equal(await codeOf(client, move(moved, `ou=Groups,${ACME}`)), 0);
  assert.equal(await codeOf(client, move(moving, there)), 11);
  await door.directory.apply(remove(moving), remove(there));
});

test('whom an entry above names may move what is below it to where the new place names the same one, and nowhere else', async () => {
  const ou = (name: string, above: string, more = {}) =>
    add(`ou=${name},${above}`, { objectClass: 'organizationalUnit', ou: name, ...more });
  const [from, to, elsewhere] = ['From', 'To', 'Elsewhere'].map((name) => `ou=${name},${ACME}`) as [
    string,
    string,
    string,
  ];
  await door.directory.apply(
    ou('From', ACME, { seeAlso: bob }),
    ou('To', ACME, { seeAlso: bob }),
    ou('Elsewhere', ACME, { seeAlso: ann }),
    ou('base', from),
    ou('leaf', `ou=base,${from}`),
    replace(ACME, {
      aci: '(targetattr="*")(version 3.0; acl "kept"; allow (all) userattr="parent[1,2].seeAlso#USERDN";)',
    }),
  );
  using client = await as(bob);
  const move = (newSuperior: string): LdapRequest => ({
    ...{ kind: 'modifyDn', dn: `ou=base,${from}`, newRdn: 'ou=base', deleteOldRdn: true, newSuperior },
  });
  assert.equal(await codeOf(client, move(elsewhere)), 50);
  assert.equal(await codeOf(client, move(to)), 0);
  const moved = [`ou=leaf,ou=base,${to}`, `ou=base,${to}`];
  await door.directory.apply(replace(ACME, { aci: [] }), ...[...moved, from, to, elsewhere].map(remove));
});

test('below a base that is not seen too much to look at is as nothing', async () => {
  await door.directory.apply(add('ou=Many,o=internet', { objectClass: 'organizationalUnit', ou: 'Many' }));
  await door.directory.writer.execute(fill, 'ou=Many,o=internet');
  using client = await as(zoe);
  assert.equal(await codeOf(client, searchFor('ou=Many,o=internet', { scope: 'sub', text: '(description=*)' })), 32);
  assert.equal(await codeOf(client, searchFor('ou=None,o=internet', { scope: 'sub', text: '(description=*)' })), 32);
  await door.directory.apply(
    replace('ou=Many,o=internet', {
      aci: `(targetattr="ou")(targetscope="base")(version 3.0; acl "seen"; allow (read) userdn="ldap:///${zoe}";)`,
    }),
  );
  assert.equal(await codeOf(client, searchFor('ou=Many,o=internet', { scope: 'sub', text: '(description=*)' })), 11);
});

test('one value of aci too many is refused', async () => {
  await door.directory.writer.execute(pretendRules, ACI_VALUES_MAX);
  const rule = `(version 3.0; acl "more"; allow (read) userdn="ldap:///${zoe}";)`;
  using client = await as(sue);
  assert.equal(await codeOf(client, modify(ACME, 'aci', [rule], 'add')), 11);
  assert.equal(await codeOf(client, modify(ACME, 'description', ['x'])), 0);
  await door.directory.writer.execute(pretendRules, 0);
});

test('no control tells a base that is not seen from one that is not there', async () => {
  using client = await as(zoe);
  const codes = async (base: string) => {
    const answers: (number | undefined)[] = [];
    for (const control of [
      controlOf(pagedResults, { size: 0, cookie: new Uint8Array() }, true),
      controlOf(sortRequest, [{ attribute: 'uid', rule: undefined, reverse: false }], true),
    ]) {
      client.request(searchFor(base), [control]);
      answers.push((await client.result())?.code);
    }
    return answers;
  };
  assert.deepEqual(await codes(bob), [32, 32]);
  assert.deepEqual(await codes(userDn('nobody@acme.example')), [32, 32]);
  assert.deepEqual(await codes(zoe), [0, 12]);
});

test('a supertype is compared by those of its subtypes that may be', async () => {
  const rule = `(targetattr="cn || name")(version 3.0; acl "names"; allow (read, compare) userdn="ldap:///${zoe}";)`;
  await door.directory.apply(replace(ACME, { aci: rule }), replace(bob, { sn: 'Builder' }));
  using client = await as(zoe);
  const compared = (value: string) => codeOf(client, { kind: 'compare', dn: bob, attribute: 'name', value });
  assert.deepEqual([await compared('bob'), await compared('Builder')], [6, 5]);
  await door.directory.apply(replace(ACME, { aci: [] }));
});

test('a supertype in a filter is asked of those of its subtypes that may be', async () => {
  const rule = `(targetattr="cn || name || uid")(version 3.0; acl "names"; allow (read, search) userdn="ldap:///${zoe}";)`;
  await door.directory.apply(replace(ACME, { aci: rule }), replace(bob, { sn: 'Builder' }));
  using client = await as(zoe);
  assert.deepEqual(await found(client, bob, '(name=bob)'), [bob]);
  assert.deepEqual(await found(client, bob, '(name=Builder)'), []);
  assert.deepEqual(await found(client, bob, '(name=*uild*)'), []);
  await door.directory.apply(replace(ACME, { aci: [] }));
});

test('the order of a search says nothing of what may not be read', async () => {
  const people = `ou=People,${ACME}`;
  const rule = `(targetattr="uid || objectClass")(version 3.0; acl "names"; allow (read, search) userdn="ldap:///${zoe}";)`;
  await door.directory.apply(replace(ACME, { aci: rule }));
  const sorted = async (dn: string, reverse: boolean) => {
    using client = await as(dn);
    const keys = [{ attribute: 'entryUUID', rule: 'uuidOrderingMatch', reverse }];
    client.request(searchFor(people, { scope: 'one', text: '(uid=*)' }), [controlOf(sortRequest, keys, true)]);
    return (await client.result())!.entries;
  };
  assert.deepEqual(await sorted(zoe, true), await sorted(zoe, false));
  assert.deepEqual(await sorted(sue, true), (await sorted(sue, false)).reverse());
  await door.directory.apply(replace(ACME, { aci: [] }));
});
