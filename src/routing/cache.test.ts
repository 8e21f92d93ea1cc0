// The cache of one thread against a database that changes under it.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { Failure } from '../base/failure.ts';
import { idOf } from '../base/ids.ts';
import type { Reader } from '../database/operation.ts';
import type { DirectoryChange } from '../directory/entry.ts';
import { parseAddress } from '../message/address.ts';
import {
  add,
  addDomain,
  addUser,
  domainDn,
  openTestDirectory,
  remove,
  replace,
  settled,
  type TestDirectory,
  testSite,
  userDn,
} from '../provisioning/testing.ts';
import { RoutingCache, type RoutingCount } from './cache.ts';
import { replies } from './replies.ts';
import type { Resolution } from './resolve.ts';
import { INTERNAL_REQUEST } from './route-request.ts';
import type { UserRow } from './rows.ts';

let directory: TestDirectory;
let statements = 0;
let cache: RoutingCache;
let counted: Record<RoutingCount, number>;

beforeEach(async () => {
  directory = await openTestDirectory();
  await directory.apply(addDomain('acme.example'), addUser('ann@acme.example'));
  const { reader, shared } = directory;
  statements = 0;
  counted = { 'row-read': 0, 'forgotten-all': 0 };
  const counting: Reader = {
    ...reader,
    get: (sql, ...parameters) => {
      statements++;
      return reader.get(sql, ...parameters);
    },
    all: (sql, ...parameters) => {
      statements++;
      return reader.all(sql, ...parameters);
    },
    arrays: (sql, ...parameters) => reader.arrays(sql, ...parameters),
    routingRevision: () => reader.routingRevision(),
    snapshot: (read) => reader.snapshot(read),
  };
  cache = new RoutingCache({
    reader: counting,
    revision: () => shared.routingRevision(),
    site: testSite,
    count: (what, count = 1) => {
      counted[what] += count;
    },
  });
});
afterEach(() => directory.close());

const resolved = (address: string, asked = cache): Resolution =>
  settled(asked.resolve(parseAddress(address), INTERNAL_REQUEST));
const replyTo = (address: string): unknown => resolved(address).reply;

test('what is known is answered without a statement, the unknown recipients too', () => {
  for (let round = 0; round < 3; round++) {
    assert.equal(replyTo('ann@acme.example'), replies.accepted);
    assert.equal(replyTo('bob@acme.example'), replies.noSuchUser);
    assert.equal(resolved('x@remote.example').relay, true);
  }
  const first = statements;
  for (let round = 0; round < 100; round++) {
    replyTo('ann@acme.example');
    replyTo('bob@acme.example');
  }
  assert.equal(statements, first);
});

test('no answer is older than the revision that was published: additions, changes and removals', async () => {
  for (let n = 0; n < 50; n++) {
    const address = `u${n}@acme.example`;
    assert.equal(replyTo(address), replies.noSuchUser);
    await directory.apply(addUser(address));
    assert.equal(replyTo(address), replies.accepted);
    await directory.apply(replace(userDn(address), { mailUserStatus: 'overquota' }));
    assert.equal(replyTo(address), replies.overQuota);
    await directory.apply(remove(userDn(address)));
    assert.equal(replyTo(address), replies.noSuchUser);
  }
});

test('a commit that is not published yet never mixes with rows of the state before it', async () => {
  const { reader } = directory;
  const frozen = new RoutingCache({ reader, revision: () => idOf(1), site: testSite });
  const reply = (address: string): unknown => resolved(address, frozen).reply;
  assert.equal(reply('ann@acme.example'), replies.accepted);
  // Ann moves to another domain; the thread has not been told and asks for an address that it does not know.
  await directory.apply(
    addDomain('b.example', { mailDomainCatchallAddress: 'ann@acme.example' }),
    remove(userDn('ann@acme.example')),
  );
  assert.equal(
    reply('x@b.example'),
    replies.noSuchUser,
    'the catch-all of the new state leads to nobody of the new state',
  );
});

test('who claims an address is not taken from a newer state than the rest is of', async () => {
  const { reader } = directory;
  const frozen = new RoutingCache({ reader, revision: () => idOf(1), site: testSite });
  const reply = (address: string): unknown => resolved(address, frozen).reply;
  assert.equal(reply('ann@acme.example'), replies.accepted);
  await directory.apply(addUser('cid@acme.example'), remove(userDn('ann@acme.example')));
  assert.equal(reply('ann@acme.example'), replies.accepted, 'the thread has not been told');
  assert.equal(reply('cid@acme.example'), replies.accepted);
  assert.equal(reply('ann@acme.example'), replies.noSuchUser, 'no state has both');
});

test('a change makes nothing else be read again: of another domain, of the same one, of no row at all', async () => {
  await directory.apply(
    addDomain('b.example'),
    ...Array.from({ length: 100 }, (_, n) => addUser(`u${n}@b.example`)),
    addUser('cid@acme.example'),
  );
  const ask = (): void => {
    for (let n = 0; n < 100; n++) assert.equal(replyTo(`u${n}@b.example`), replies.accepted);
    assert.equal(replyTo('cid@acme.example'), replies.accepted);
  };
  ask();
  const warm = counted['row-read'];
  await directory.apply(replace(userDn('ann@acme.example'), { mailUserStatus: 'disabled' }));
  await directory.apply(addUser('dan@acme.example'));
  await directory.apply(replace(domainDn('acme.example'), { description: 'x' }));
  await directory.apply(replace(userDn('u5@b.example'), { telephoneNumber: '+1 555 0100' }));
  await directory.apply(remove(userDn('dan@acme.example')));
  ask();
  assert.equal(counted['row-read'], warm, 'nothing that was asked has moved');
  await directory.apply(replace(userDn('u7@b.example'), { mailUserStatus: 'overquota' }));
  assert.equal(replyTo('u7@b.example'), replies.overQuota);
  await directory.apply(replace(userDn('u7@b.example'), { mailUserStatus: 'active' }));
  ask();
  assert.equal(counted['row-read'], warm + 2, 'one row, twice');
  assert.equal(counted['forgotten-all'], 0);
});

test('what is answered from memory at once is what the rows say, whatever they say and however they change', async () => {
  const channel = 'cn=store,ou=Channels,ou=Waypost,o=internet';
  const changes: readonly (readonly DirectoryChange[])[] = [
    [addUser('ben@acme.example', { mailUserStatus: 'active' }), addUser('cid@acme.example')],
    [
      replace(userDn('ann@acme.example'), {
        mailAlternateAddress: 'a@acme.example',
        mailAllowedServiceAccess: '-imap:*',
      }),
    ],
    [replace(userDn('ann@acme.example'), { mailHost: 'other.test.example' })],
    [replace(userDn('ann@acme.example'), { mailHost: testSite.hostnames[0]! })],
    [replace(userDn('ann@acme.example'), { mailHost: [] })],
    [replace(userDn('ben@acme.example'), { mailRoutingAddress: 'cid@acme.example' })],
    [replace(userDn('ben@acme.example'), { mailRoutingAddress: [], mailMsgMaxBlocks: '1' })],
    [replace(userDn('ben@acme.example'), { mailMsgMaxBlocks: [], mailUserStatus: 'hold' })],
    [replace(userDn('cid@acme.example'), { mailDeliveryOption: 'forward' })],
    [replace(domainDn('acme.example'), { mailDomainStatus: 'active', mailDomainCatchallAddress: 'ann@acme.example' })],
    [replace(domainDn('acme.example'), { mailDomainStatus: 'inactive' })],
    [replace(domainDn('acme.example'), { mailDomainStatus: [], mailRoutingHosts: 'far.test.example' })],
    [replace(domainDn('acme.example'), { mailRoutingHosts: [], mailDomainMsgMaxBlocks: '1' })],
    [replace(domainDn('acme.example'), { mailDomainMsgMaxBlocks: [] })],
    [
      add('cn=first,ou=Rules,ou=Waypost,o=internet', {
        objectClass: 'waypostRewriteRule',
        cn: 'first',
        waypostPattern: '$*',
        waypostTemplate: '$U%acme.example',
      }),
    ],
    [remove('cn=first,ou=Rules,ou=Waypost,o=internet')],
    [add(channel, { objectClass: 'waypostChannel', cn: 'store', waypostChannelKind: 'store', waypostPaused: 'TRUE' })],
    [replace(channel, { waypostPaused: [] })],
    [remove(channel)],
    [remove(userDn('ann@acme.example'))],
  ];
  const { reader, shared } = directory;
  const asked = ['ann', 'a', 'ben', 'cid', 'nobody'].map((name) => `${name}@acme.example`);
  const large = { ...INTERNAL_REQUEST, sizeBytes: 5000 };
  for (const each of changes) {
    await directory.apply(...each);
    for (const address of asked)
      for (const request of [INTERNAL_REQUEST, large]) {
        const fresh = new RoutingCache({ reader, revision: () => shared.routingRevision(), site: testSite });
        const right = settled(fresh.resolve(parseAddress(address), request));
        for (let round = 0; round < 3; round++)
          assert.deepEqual(settled(cache.resolve(parseAddress(address), request)), right, JSON.stringify(each));
      }
  }
});

test('more changes than are followed one by one: everything is forgotten, and counted', async () => {
  const many = Array.from({ length: 1300 }, (_, n) => addUser(`u${n}@acme.example`));
  assert.equal(replyTo('u3@acme.example'), replies.noSuchUser);
  await directory.apply(...many);
  await directory.apply(...many.map(({ dn }) => remove(dn)));
  assert.equal(replyTo('u3@acme.example'), replies.noSuchUser);
  assert.equal(counted['forgotten-all'], 1);
});

test('a user at another host has no account until the mail host is this one', async () => {
  await directory.apply(addUser('eve@acme.example', { mailHost: 'other.test.example' }));
  const account = (): unknown => directory.cache.recipient('eve@acme.example');
  const accounts = () => directory.reader.get('SELECT count(*) AS n FROM account')?.['n'];
  const before = accounts();
  assert.equal((account() as UserRow).account, 0);
  await directory.apply(replace(userDn('eve@acme.example'), { mailHost: 'Mail.test.example' }));
  assert.notEqual((account() as UserRow).account, 0);
  assert.equal(accounts(), Number(before) + 1);
});

test('a login may name the account by another name of its domain', async () => {
  const classes = ['domain', 'inetDomainAlias'];
  const alias = (domain: string, target: string) =>
    add(domainDn(domain), { objectClass: classes, aliasedObjectName: domainDn(target) });
  await directory.apply(alias('acme.test', 'acme.example'), alias('lost.test', 'nowhere.example'));
  const { account } = cache.findLogin('ann@acme.example')!;
  assert.equal(cache.findLogin('Ann@ACME.test')?.account, account);
  for (const none of ['bob@acme.test', 'ann@lost.test', 'ann@nowhere.example'])
    assert.equal(cache.findLogin(none), undefined);
  await directory.apply(remove(domainDn('acme.test')));
  assert.equal(cache.findLogin('ann@acme.test'), undefined);
});

test('tables that cannot be read are a failure, not an unknown recipient', () => {
  const broken: Reader = {
    ...directory.reader,
    snapshot: () => {
      throw new Failure('unavailable', 'The store does not answer, try again later');
    },
  };
  const blind = new RoutingCache({ reader: broken, revision: () => idOf(1), site: testSite });
  assert.throws(
    () => resolved('ann@acme.example', blind),
    (error) => error instanceof Failure && error.kind === 'unavailable',
  );
});
