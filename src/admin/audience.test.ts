// Which operations an account may ask for with a token of its own, and what lists show it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { EXIT, exitCode } from '../base/exit.ts';
import { Failure } from '../base/failure.ts';
import { operation } from '../database/operation.ts';
import { type Caller, callerOf } from '../directory/caller.ts';
import { getEntry } from '../directory/entries.ts';
import { addDomain, addGroup, addUser, domainDn, groupDn, remove, replace, userDn } from '../provisioning/testing.ts';
import { audiences } from './audience.ts';
import { directoryAccess } from './directory-access.ts';
import { domainAdd, domainList, domainShow } from './domain.ts';
import { groupAdd, groupList, groupShow } from './group.ts';
import { type AdminOperation, runAdminOperation } from './operation.ts';
import { route } from './route.ts';
import { openTestAdmin, run, type TestAdmin } from './testing.ts';
import { tokenAdd } from './token.ts';
import { userAdd, userList, userRemove, userShow } from './user.ts';
import { userSet } from './user-set.ts';
import { userSuspend } from './user-suspend.ts';

const [ANN, BOB, ZOE, SUE] = ['ann@acme.test', 'bob@acme.test', 'zoe@other.test', 'sue@other.test'] as const;

let admin: TestAdmin;
before(async () => {
  admin = await openTestAdmin('acme.test');
  const { directory } = admin;
  await directory.apply(
    replace(domainDn('acme.test'), { waypostAdministrator: userDn(ANN) }),
    addDomain('other.test'),
    ...[ANN, BOB, ZOE, SUE].map((address) => addUser(address)),
    replace('cn=Site Administrators,ou=Waypost,o=internet', { member: userDn(SUE) }),
  );
});
after(() => admin.directory.close());

async function as<I, T>(address: string, operation: AdminOperation<I, T>, input: I): Promise<T | string> {
  const { reader } = admin.directory;
  const caller: Caller = callerOf(getEntry(reader, userDn(address)));
  const { admit } = audiences(reader, admin.directory.cache);
  try {
    return await runAdminOperation(operation, input, { caller, peer: '192.0.2.1', admit });
  } catch (error) {
    assert.ok(error instanceof Failure, String(error));
    return error.kind;
  }
}

const addresses = (list: readonly { readonly address: string }[] | string): unknown =>
  typeof list === 'string' ? list : list.map(({ address }) => address).sort();

test('the administrator of a domain has users and lists of it, and sees no others', async () => {
  const { parts } = admin;
  assert.deepEqual(addresses(await as(ANN, userList(parts), {})), [ANN, BOB]);
  assert.deepEqual(addresses(await as(ANN, userList(parts), { domain: 'acme.test' })), [ANN, BOB]);
  assert.equal(await as(ANN, userList(parts), { domain: 'other.test' }), 'denied');
  assert.equal(await as(ANN, userList(parts), { domain: 'nowhere.test' }), 'denied');
  assert.equal(typeof (await as(ANN, userAdd(parts), { address: 'new@acme.test', password: 'x' })), 'object');
  assert.equal(await as(ANN, userAdd(parts), { address: 'new@other.test' }), 'denied');
  assert.equal(await as(ANN, userAdd(parts), { address: 'new2@acme.test', alias: ['x@other.test'] }), 'denied');
  assert.equal(typeof (await as(ANN, userRemove(parts), { address: 'new@acme.test' })), 'object');
  assert.equal(typeof (await as(ANN, groupAdd(parts), { address: 'team@acme.test', member: [BOB, ZOE] })), 'object');
  assert.deepEqual(addresses(await as(ANN, groupList(parts), {})), ['team@acme.test']);
  assert.equal(await as(ANN, userShow(parts), { address: ZOE }), 'denied');
  assert.equal(typeof (await as(ANN, route(parts), { address: BOB })), 'object');
  assert.equal(await as(ANN, route(parts), { address: ZOE }), 'denied');
  assert.equal(await as(ANN, route(parts), { address: BOB, authenticated: ZOE }), 'denied');
  assert.equal(await as(ANN, route(parts), { address: BOB, message: 'x@y' }), 'denied');
  const domains = await as(ANN, domainList(parts), {});
  assert.deepEqual(typeof domains === 'string' ? domains : domains.map(({ domain }) => domain), ['acme.test']);
});

test('route follows mail no further than into the domains of who asks', async () => {
  const { directory, parts } = admin;
  await directory.apply(
    replace(userDn(ZOE), { mailDeliveryOption: ['mailbox', 'forward'], mailForwardingAddress: 'zoe@far.test' }),
    addGroup('secret@other.test', [userDn(SUE)], { mgrpRFC822MailMember: 'spy@far.test' }),
    addGroup('all@acme.test', [userDn(BOB), userDn(ZOE), groupDn('secret@other.test')]),
    replace(userDn(BOB), { mailDeliveryOption: 'forward', mailForwardingAddress: [ZOE, 'postmaster@acme.test'] }),
    addDomain('catch.test', { waypostAdministrator: userDn(ANN), mailDomainCatchallAddress: 'secret@other.test' }),
    replace('uid=postmaster,ou=Waypost,o=internet', {
      mailDeliveryOption: ['mailbox', 'forward'],
      mailForwardingAddress: 'root@far.test',
    }),
  );
  const { revision } = getEntry(directory.reader, 'uid=postmaster,ou=Waypost,o=internet');
  for (const address of [BOB, 'all@acme.test', 'any@catch.test'])
    for (const more of [{}, { revision }, { from: 'x@far.test' }]) {
      const mine = await as(ANN, route(parts), { address, ...more });
      assert.ok(typeof mine !== 'string');
      assert.match(JSON.stringify(mine), /other\.test is here, and not yours to look into/);
      assert.doesNotMatch(JSON.stringify(mine), /far\.test"|spy|sue@|account|quotas/, address);
      assert.match(JSON.stringify(await as(SUE, route(parts), { address, ...more })), /far\.test/);
    }
  await directory.apply(
    remove(groupDn('all@acme.test')),
    remove(groupDn('secret@other.test')),
    remove(domainDn('catch.test')),
    ...[userDn(BOB), userDn(ZOE), 'uid=postmaster,ou=Waypost,o=internet'].map((dn) =>
      replace(dn, { mailDeliveryOption: [], mailForwardingAddress: [] }),
    ),
  );
});

test('what is the site’s is denied to it, and not to a site administrator', async () => {
  const { parts } = admin;
  assert.equal(await as(ANN, domainAdd(parts), { domain: 'more.test' }), 'denied');
  assert.equal(await as(ANN, tokenAdd(parts), { account: BOB, name: 'x', scopes: ['imap'] }), 'denied');
  assert.equal(typeof (await as(SUE, domainAdd(parts), { domain: 'more.test' })), 'object');
  const all = await as(SUE, userList(parts), {});
  assert.ok(typeof all !== 'string' && all.length > 4);
});

test('what a rule reserves is denied to the administrator of a domain by a command, too: 403, 77', async () => {
  const { parts } = admin;
  assert.equal(await as(ANN, userSuspend(parts), { address: BOB }), 'denied');
  assert.equal(exitCode('denied'), EXIT.denied);
  assert.equal(await as(ANN, userSuspend(parts), { address: ZOE }), 'denied');
  for (const undo of [false, true])
    assert.equal(typeof (await as(SUE, userSuspend(parts), { address: BOB, undo })), 'object');
});

test('anybody sees and sets the own account, as far as the rules go', async () => {
  const { parts } = admin;
  assert.equal(typeof (await as(BOB, userShow(parts), { address: 'BOB@acme.test' })), 'object');
  assert.equal(await as(BOB, userShow(parts), { address: ANN }), 'denied');
  assert.equal(await as(BOB, userShow(parts), { address: 'nobody@acme.test' }), 'denied');
  assert.equal(typeof (await as(BOB, userSet(parts), { address: BOB, forward: ['bob@far.test'] })), 'object');
  assert.equal(await as(BOB, userSet(parts), { address: BOB, quota: '1G' }), 'denied');
  for (const operation of [userList(parts), groupList(parts)]) assert.equal(await as(BOB, operation, {}), 'denied');
  assert.equal(await as(BOB, domainList(parts), {}), 'denied');
});

test('an address that the own entry names, and that is somebody else’s, is not the own account', async () => {
  const { directory, parts } = admin;
  await directory.apply(
    replace(userDn(BOB), { mailAlternateAddress: [ZOE, 'ceo@other.test', 'robert@acme.test', 'x@far.test'] }),
    addUser('ceo@other.test'),
  );
  for (const address of [ZOE, 'ceo@other.test', 'x@far.test', 'x']) {
    assert.equal(await as(BOB, userShow(parts), { address }), 'denied', address);
    assert.equal(await as(BOB, userSet(parts), { address, forward: ['bob@far.test'] }), 'denied', address);
  }
  assert.equal(typeof (await as(BOB, userShow(parts), { address: 'Robert@acme.test' })), 'object');
  await directory.apply(replace(userDn(BOB), { mailAlternateAddress: [] }), remove(userDn('ceo@other.test')));
});

test('an entry is shown as the rules of access show it to who asks', async () => {
  const { directory, parts } = admin;
  const rule = (attribute: string) =>
    `(targetattr="${attribute}")(version 3.0; acl "no ${attribute}"; deny (read) userdn="ldap:///${userDn(ANN)}";)`;
  await directory.apply(
    addGroup('seen@acme.test', [userDn(BOB)], { mgrpRFC822MailMember: ['x@far.test'] }),
    replace(userDn(BOB), { telephoneNumber: '+1 555' }),
    replace(domainDn('acme.test'), { aci: ['telephoneNumber', 'uniqueMember'].map(rule) }),
  );
  const phoneFor = async (who: string) => {
    const shown = await as(who, userShow(parts), { address: BOB });
    return typeof shown === 'string' ? shown : shown.entry.attributes['telephoneNumber'];
  };
  assert.deepEqual([await phoneFor(ANN), await phoneFor(SUE)], [undefined, ['+1 555']]);
  const list = await as(ANN, groupShow(parts), { address: 'seen@acme.test' });
  assert.ok(typeof list !== 'string');
  assert.deepEqual(
    [
      list.members,
      list.entry.more,
      list.entry.attributes['uniqueMember'],
      list.entry.attributes['mgrpRFC822MailMember'],
    ],
    [1, undefined, undefined, ['x@far.test']],
  );
  await directory.apply(replace(domainDn('acme.test'), { aci: rule('*') }));
  assert.equal(await phoneFor(ANN), 'not-found');
  await directory.apply(replace(domainDn('acme.test'), { aci: [] }), remove(groupDn('seen@acme.test')));
});

test('an entry that the rules hide from the administrator of a domain is in no list of it', async () => {
  const { directory, parts } = admin;
  const aci = `(target="ldap:///${userDn(BOB)}")(targetattr="*")(version 3.0; acl "hidden"; deny (read, search) userdn="ldap:///${userDn(ANN)}";)`;
  await directory.apply(replace(domainDn('acme.test'), { aci }));
  assert.deepEqual(addresses(await as(ANN, userList(parts), {})), [ANN]);
  assert.deepEqual(addresses(await as(ANN, userList(parts), { domain: 'acme.test' })), [ANN]);
  await directory.apply(replace(domainDn('acme.test'), { aci: [] }));
});

test('a domain is shown as the rules of access show its entry to who asks', async () => {
  const { directory, parts } = admin;
  const aci = `(target="ldap:///${domainDn('acme.test')}")(targetattr="description")(targetscope="base")(version 3.0; acl "hidden"; deny (read, search, compare) userdn="ldap:///${userDn(ANN)}";)`;
  const description = async (who: string) => {
    const shown = await as(who, domainShow(parts), { domain: 'acme.test' });
    return typeof shown === 'string' ? shown : shown.entry.attributes['description'];
  };
  await directory.apply(replace(domainDn('acme.test'), { description: 'a debtor', aci }));
  assert.deepEqual([await description(ANN), await description(SUE)], [undefined, ['a debtor']]);
  await directory.apply(replace(domainDn('acme.test'), { aci: [], description: [] }));
});

/** Copies of a domain and of a user, as many as a list names, before those of acme.test. */
const crowd = operation('test.crowd', async (tx) => {
  const n = 'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)';
  const [user] = await tx.arrays('SELECT id FROM dit WHERE dn = ?', userDn('zoe@a.test'));
  await tx.run(
    `${n} INSERT INTO dit (id, path, dn, uuid, tenant, parent, revision, generated, created_at, created_by, modified_at, modified_by, attributes)
     SELECT 10000000 + i, replace(path, 'uid=zoe,', 'uid=' || i || ','), 'uid=' || i || substr(dn, 8), 'copy' || i, tenant, parent, revision,
       generated, created_at, created_by, modified_at, modified_by, attributes FROM dit, n WHERE id = ?`,
    user![0]!,
  );
  await tx.run(
    `${n} INSERT INTO dit_index SELECT tenant, attribute, value, 10000000 + i FROM dit_index, n
     WHERE entry = ? AND attribute = 'objectclass'`,
    user![0]!,
  );
  await tx.run(
    `${n} INSERT INTO route (tenant, generation, domain, base, row, revision, problems)
     SELECT tenant, generation, 'a' || i || '.test', base, json_set(row, '$.domain', 'a' || i || '.test'), revision, problems FROM route, n WHERE domain = 'a.test'`,
  );
});

test('a list is of what its caller administers, however much stands before it', async () => {
  const { directory, parts } = admin;
  await directory.apply(addDomain('a.test'), addUser('zoe@a.test'));
  await directory.writer.execute(crowd, undefined);
  assert.deepEqual(addresses(await as(ANN, userList(parts), {})), [ANN, BOB]);
  const domains = await as(ANN, domainList(parts), {});
  assert.deepEqual(typeof domains === 'string' ? domains : domains.map(({ domain }) => domain), ['acme.test']);
  const all = await as(SUE, userList(parts), {});
  assert.equal(all.length, 10_000);
});

test('who is no administrator any more is refused at the next request', async () => {
  const { directory, parts } = admin;
  await directory.apply(replace(domainDn('acme.test'), { waypostAdministrator: [] }));
  assert.equal(await as(ANN, userList(parts), {}), 'denied');
  await directory.apply(replace(domainDn('acme.test'), { waypostAdministrator: userDn(ANN) }));
  assert.deepEqual(addresses(await as(ANN, userList(parts), {})), [ANN, BOB]);
});

test('directory access says each right and its rule', async () => {
  const { parts } = admin;
  const access = await run(directoryAccess(parts), { as: userDn(ANN), on: userDn(BOB) });
  const domain = { dn: 'o=internet', name: 'domain administrators' };
  const reserved = { dn: 'o=internet', name: 'reserved' };
  assert.deepEqual([access.as, access.on], [userDn(ANN), userDn(BOB)]);
  for (const right of ['read', 'search', 'compare', 'add', 'delete'])
    assert.deepEqual(access.entry[right], { allowed: true, rule: domain }, right);
  assert.deepEqual(access.entry['proxy'], { allowed: false, rule: null });
  assert.deepEqual(access.attributes['mailHost']!['write'], { allowed: false, rule: reserved });
  assert.deepEqual(access.attributes['mailHost']!['read'], { allowed: true, rule: domain });
  assert.deepEqual(access.attributes['userPassword']!['read'], { allowed: false, rule: null });
  assert.deepEqual(access.attributes['userPassword']!['write'], { allowed: true, rule: domain });
  assert.equal(access.attributes['mailDeliveryOption']!['write']!.someValues, true);
  const stranger = await run(directoryAccess(parts), { as: 'anonymous', on: userDn(BOB) });
  assert.ok(Object.values(stranger.entry).every(({ allowed, rule }) => !allowed && rule === null));
  await assert.rejects(
    run(directoryAccess(parts), { as: 'anonymous', on: 'uid=nobody,o=internet' }),
    /there is no entry/,
  );
});
