// The cache of one thread against a database that changes under it.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { Failure } from '../base/failure.ts';
import { idOf } from '../base/ids.ts';
import type { Reader } from '../database/operation.ts';
import { parseAddress } from '../message/address.ts';
import {
  addDomain,
  addUser,
  openTestDirectory,
  remove,
  replace,
  settled,
  type TestDirectory,
  testSite,
  userDn,
} from '../provisioning/testing.ts';
import { RoutingCache } from './cache.ts';
import { replies } from './replies.ts';
import type { Resolution } from './resolve.ts';
import { INTERNAL_REQUEST } from './route-request.ts';

let directory: TestDirectory;
let statements = 0;
let cache: RoutingCache;

beforeEach(async () => {
  directory = await openTestDirectory();
  await directory.apply(addDomain('acme.example'), addUser('ann@acme.example'));
  const { reader, shared } = directory;
  statements = 0;
  const counting: Reader = {
    ...reader,
    get: (sql, ...parameters) => {
      statements++;
      return reader.get(sql, ...parameters);
    },
    snapshot: (read) => reader.snapshot(read),
  };
  cache = new RoutingCache({ reader: counting, revision: () => shared.revision(), site: testSite });
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
