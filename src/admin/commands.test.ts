// domain, user, group, route and sync over a real directory: addresses as people write them, and words that fit.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { add, addGroup, addUser, domainDn, replace, type TestDirectory, userDn } from '../provisioning/testing.ts';
import { domainAdd, domainRemove, domainShow } from './domain.ts';
import type { EntryParts } from './entries.ts';
import { groupAdd, groupList, groupRemove, groupShow } from './group.ts';
import { route } from './route.ts';
import { type SyncParts, syncStatus } from './sync.ts';
import { openTestAdmin, run } from './testing.ts';
import { userAdd, userList, userRemove, userShow } from './user.ts';

let directory: TestDirectory;
let parts: EntryParts & SyncParts;
beforeEach(async () => {
  ({ directory, parts } = await openTestAdmin('cmd.test'));
});
afterEach(() => directory.close());

const fails = (promise: Promise<unknown>, words: RegExp) =>
  assert.rejects(promise, { name: 'Failure', message: words });

const QUOTED = '"quoted name"@cmd.test';

for (const address of [
  QUOTED,
  '"Quoted Name"@CMD.test',
  '"a@b"@cmd.test',
  '"\\"\\\\"@cmd.test',
  '" "@cmd.test',
  '"a.."@cmd.test',
])
  test(`${address} is an address like others in every command`, async () => {
    const { rows } = await run(userAdd(parts), { address });
    assert.deepEqual(
      rows.map(({ table, change }) => [table, change]),
      [['alias table', 'made']],
    );
    const [listed] = await run(userList(parts), { domain: 'cmd.test' });
    assert.equal(listed!.address, address.toLowerCase());
    assert.equal((await run(userShow(parts), { address })).address, listed!.address);
    // What a command prints can be given to the next one.
    assert.equal((await run(userShow(parts), { address: listed!.address })).dn, listed!.dn);
    assert.match((await run(route(parts), { address })).reply, /^250 /);
    await run(groupAdd(parts), { address: 'all@cmd.test', member: [address] });
    const { members, entry } = await run(groupShow(parts), { address: 'all@cmd.test' });
    assert.deepEqual([members, entry.attributes['uniqueMember']], [1, [listed!.dn]]);
    await fails(run(userAdd(parts), { address }), /^the user ".*"@cmd\.test exists already$/);
    await run(userRemove(parts), { address });
    await fails(run(userShow(parts), { address }), /^no user has the address ".*"@cmd\.test$/);
  });

test('a quoted address may be an alias, a list, a member elsewhere and a catch-all', async () => {
  await run(userAdd(parts), { address: 'ann@cmd.test', alias: [QUOTED] });
  assert.equal((await run(userShow(parts), { address: QUOTED })).address, 'ann@cmd.test');
  await run(groupAdd(parts), { address: '"the list"@cmd.test', member: ['"some one"@far.test'] });
  assert.equal((await run(groupList(parts), { domain: 'cmd.test' }))[0]!.address, '"the list"@cmd.test');
  const explained = await run(route(parts), { address: '"the list"@cmd.test' });
  assert.deepEqual(
    explained.targets.map(({ recipient }) => recipient),
    ['"some one"@far.test'],
  );
  await run(groupRemove(parts), { address: '"The List"@cmd.test' });
  await run(domainAdd(parts), { domain: 'all.test', catchall: QUOTED });
  assert.match((await run(route(parts), { address: 'any@all.test' })).reply, /^250 /);
  assert.deepEqual((await run(syncStatus(parts), {})).problems, []);
});

test('a shared mailbox that is not here is named, wherever somebody looks', async () => {
  const groups = {
    none: undefined,
    plain: {},
    closed: { mailDeliveryOption: 'shared', inetMailGroupStatus: 'inactive' },
    away: { mailDeliveryOption: 'shared', mailHost: 'mail2.example' },
    here: { mailDeliveryOption: 'shared' },
  };
  for (const [name, values] of Object.entries(groups))
    if (values !== undefined) await directory.apply(addGroup(`${name}@cmd.test`, [], values));
  const waypostSharedMailbox = [...Object.keys(groups), 'bob'].map((name) => `${name}@cmd.test`);
  const options = { mailDeliveryOption: ['mailbox', 'shared'], waypostSharedMailbox };
  await directory.apply(addUser('bob@cmd.test'), addUser('ann@cmd.test', options));
  const { problems } = await run(syncStatus(parts), {});
  assert.deepEqual(
    problems.map(({ dn, problems }) => [dn, ...problems.map(({ value, reason }) => `${value} ${reason}`)]),
    [
      [
        userDn('ann@cmd.test'),
        'none@cmd.test is no address of a group here',
        'plain@cmd.test is a group without the delivery option shared',
        'closed@cmd.test is a group that is not active',
        'away@cmd.test is a group whose mailbox is on another host',
        'bob@cmd.test is a user',
      ],
    ],
  );
  const { steps, targets } = await run(route(parts), { address: 'ann@cmd.test' });
  assert.equal(targets.length, 2);
  assert.equal(steps.filter(({ detail }) => detail.startsWith('shared: ')).length, 5);
  // Without the option nothing is passed over.
  await directory.apply(replace(userDn('ann@cmd.test'), { mailDeliveryOption: ['mailbox'] }));
  assert.deepEqual((await run(syncStatus(parts), {})).problems, []);
});

test('route shows whom the URLs of a list find now, a hundred of them, and counts the others', async () => {
  const people = Array.from({ length: 103 }, (_, n) => addUser(`u${n}@cmd.test`, { l: n < 2 ? 'Berlin' : 'Bonn' }));
  const url = (filter: string) => `ldap:///o=internet??sub?${filter}`;
  await directory.apply(
    ...people,
    addGroup('bonn@cmd.test', [], { memberURL: url('(l=Bonn)') }),
    addGroup('all@cmd.test', [userDn('u5@cmd.test')], {
      memberURL: url('(l=Berlin)'),
      mgrpDeliverTo: url('(cn=bonn)'),
    }),
    addGroup('none@cmd.test', [], { memberURL: url('(l=Ulm)') }),
  );
  const shown = async (address: string, more = {}) =>
    (await run(route(parts), { address, ...more })).steps
      .filter(({ step }) => step === 'group' || step === 'member')
      .map(({ step, detail, depth = 0 }) => `${depth} ${step} ${detail}`);
  const all = await shown('all@cmd.test');
  const found = all.indexOf('0 group the URLs of cn=all,ou=Groups,dc=cmd,dc=test,o=internet find 3');
  assert.ok(found > 0, all.join('\n'));
  assert.deepEqual(
    all.slice(found + 1, found + 4).map((line) => line.split(',')[0]),
    ['1 member uid=u0', '1 member uid=u1', '1 member cn=bonn'],
  );
  // A list that is found is a list as any.
  assert.equal(all.filter((line) => line.startsWith('2 member uid=u')).length, 100);
  assert.equal(all.at(-1), '1 group and 1 more members');
  assert.match((await shown('none@cmd.test')).at(-1)!, /find 0$/);
  // Somebody else is in Berlin now: nothing of it is remembered.
  await directory.apply(replace(userDn('u0@cmd.test'), { l: 'Ulm' }));
  assert.match((await shown('none@cmd.test')).at(-1)!, /^1 member uid=u0,/);
  const revision = Number(directory.reader.revision());
  assert.match((await shown('none@cmd.test', { revision })).at(-1)!, /found is not known$/);
  const { targets, reply } = await run(route(parts), { address: 'all@cmd.test' });
  assert.deepEqual([targets.length, reply.slice(0, 3)], [1, '250'], 'it is left to the transfer thread as before');
});

test('who is named twice is named once', async () => {
  await run(userAdd(parts), { address: 'ann@cmd.test', alias: ['a@cmd.test', 'A@cmd.test', 'Ann@cmd.test'] });
  assert.deepEqual((await run(userShow(parts), { address: 'ann@cmd.test' })).entry.attributes['mailAlternateAddress'], [
    'a@cmd.test',
  ]);
  await run(groupAdd(parts), {
    address: 'g6@cmd.test',
    member: ['e@far.test', 'E@far.test', 'ann@cmd.test', 'a@cmd.test'],
  });
  const { entry, members } = await run(groupShow(parts), { address: 'g6@cmd.test' });
  assert.equal(members, 2);
  assert.deepEqual(entry.attributes['mgrpRFC822MailMember'], ['e@far.test']);
});

test('words fit the failure', async () => {
  await run(userAdd(parts), { address: 'ann@cmd.test' });
  await run(groupAdd(parts), { address: 'all@cmd.test' });
  await fails(run(domainAdd(parts), { domain: 'cmd.test' }), /^cmd\.test exists already$/);
  await fails(run(userAdd(parts), { address: 'ann@cmd.test' }), /^the user ann@cmd\.test exists already$/);
  await fails(run(groupAdd(parts), { address: 'all@cmd.test' }), /^the list all@cmd\.test exists already$/);
  await fails(run(userAdd(parts), { address: 'all@cmd.test' }), /^the address all@cmd\.test is in use already$/);
  await fails(run(groupAdd(parts), { address: 'ann@cmd.test' }), /^the address ann@cmd\.test is in use already$/);
  await fails(run(userAdd(parts), { address: 'bob@cmd.test', alias: ['ann@cmd.test'] }), /ann@cmd\.test is in use/);
  // The name is taken, the address is not.
  await directory.apply(
    addUser('eve@cmd.test', { mail: 'other@cmd.test' }),
    add('dc=node,o=internet', { objectClass: 'domain' }),
  );
  await fails(
    run(userAdd(parts), { address: 'eve@cmd.test' }),
    /^uid=eve,ou=People,dc=cmd,dc=test,o=internet exists already, and eve@cmd\.test is no address of a user there$/,
  );
  await fails(
    run(domainAdd(parts), { domain: 'node' }),
    /^dc=node,o=internet exists already, and is no mail domain: add the classes inetDomain and mailDomain to it$/,
  );
  await directory.apply(
    add(domainDn('far.test'), {
      objectClass: ['domain', 'inetDomain', 'mailDomain'],
      inetDomainBaseDN: 'o=Gone,o=internet',
    }),
  );
  await fails(
    run(userAdd(parts), { address: 'x@far.test' }),
    /^there is no entry that uid=x,o=gone,o=internet can stand below$/,
  );
});

test('a domain whose people stand elsewhere is not removed', async () => {
  const base = 'o=Firm,o=internet';
  await directory.apply(
    add(base, { objectClass: 'organization' }),
    add(domainDn('firm.test'), { objectClass: ['domain', 'inetDomain', 'mailDomain'], inetDomainBaseDN: base }),
  );
  await run(userAdd(parts), { address: 'fa@firm.test' });
  await assert.rejects(run(domainRemove(parts), { domain: 'firm.test' }), {
    kind: 'not-empty',
    message: 'firm.test has users, lists or subdomains: see waypost user list firm.test',
  });
  await run(userRemove(parts), { address: 'fa@firm.test' });
  await run(domainRemove(parts), { domain: 'firm.test' });
  await fails(run(domainShow(parts), { domain: 'firm.test' }), /^firm\.test is not a mail domain here$/);
});

test('spaces round an address are no part of it: it routes, and is listed', async () => {
  await directory.apply(addUser('sp@cmd.test', { mail: ' sp@cmd.test ', mailAlternateAddress: '\ts.p@cmd.test' }));
  const found = await run(userList(parts), { domain: 'cmd.test' });
  assert.deepEqual(
    found.map(({ address, dn }) => [address, dn]),
    [['sp@cmd.test', userDn('sp@cmd.test')]],
  );
  for (const address of ['sp@cmd.test', 's.p@cmd.test'])
    assert.match((await run(route(parts), { address })).reply, /^250 /);
  assert.deepEqual((await run(syncStatus(parts), {})).problems, []);
});

test('sync status names a mail domain outside the DC tree', async () => {
  await directory.apply(add('o=firm,o=internet', { objectClass: ['organization', 'mailDomain'] }));
  const { problems } = await run(syncStatus(parts), {});
  assert.deepEqual(
    problems.map(({ dn }) => dn),
    ['o=firm,o=internet'],
  );
});

test('route says which status or rule decides a login', async () => {
  await run(userAdd(parts), { address: 'ann@cmd.test' });
  const ask = async (service: 'imap' | 'imaps', peer?: string) => {
    const { login } = await run(route(parts), { address: 'Ann@cmd.test', service, peer });
    return [login?.peer, login?.result, login?.by];
  };
  assert.deepEqual(await ask('imap'), ['127.0.0.1', 'ok', 'no access rules']);
  await directory.apply(replace(userDn('ann@cmd.test'), { mailAllowedServiceAccess: '+imap:192.0.2.0/24$+imaps:*' }));
  const by = (text: string) => `mailAllowedServiceAccess: ${text}`;
  assert.deepEqual(await ask('imap', '192.0.2.7'), ['192.0.2.7', 'ok', by('+imap:192.0.2.0/24')]);
  assert.deepEqual(await ask('imaps', '::1'), ['::1', 'ok', by('+imaps:*')]);
  assert.deepEqual(await ask('imap', '::1'), ['::1', 'access', by('no rule of +imap:192.0.2.0/24$+imaps:*')]);
  await directory.apply(replace(domainDn('cmd.test'), { mailDomainStatus: 'hold' }));
  assert.deepEqual(await ask('imaps'), ['127.0.0.1', 'status', 'mailDomainStatus: hold']);
  const { login } = await run(route(parts), { address: 'nobody@cmd.test', service: 'pop' });
  assert.equal(login?.result, 'no-account');
  await fails(run(route(parts), { address: 'ann@cmd.test', service: 'imap', peer: 'mail.example' }), /peer: is no IP/);
});
