// Pages of the provider's entries, in a directory whose own revision may be past the provider's.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idOf, type Revision } from '../../base/ids.ts';
import { zoneStates } from '../../zones/states.ts';
import { addDomain, addUser, openTestDirectory, userDn } from '../testing.ts';
import { type FollowedChange, type FollowedPage, takeProvided } from './position.ts';

function user(number: number, address: string, mail = address, revision = 2): FollowedChange {
  const dn = userDn(address);
  const made = addUser(address, { mail });
  assert.ok(made.kind === 'add');
  const uuid = `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
  const entry = { id: 1000 + number, dn, uuid, createdAt: 1, modifiedAt: 1, attributes: made.attributes };
  return { change: { kind: 'put', entry }, revision: idOf<Revision>(revision), at: 1 };
}

test('a page that reaches less than the revision here is told to caches all the same', async () => {
  const directory = await openTestDirectory();
  try {
    await directory.apply(addDomain('acme.example'));
    assert.equal(directory.resolve('ann@acme.example').reply.code, 550);
    const before = directory.reader.revision();
    const reached = { cookie: 'rid=001', revision: idOf<Revision>(2) };
    await directory.writer.execute(takeProvided, { changes: [user(1, 'ann@acme.example')], reached });
    assert.equal(directory.resolve('ann@acme.example').reply.code, 250);
    const after = directory.reader.revision();
    assert.ok(after > before);
    await directory.writer.execute(takeProvided, { changes: [], reached });
    assert.equal(directory.reader.revision(), after);
  } finally {
    directory.close();
  }
});

test('entries that have swapped addresses are taken over together', async () => {
  const directory = await openTestDirectory();
  try {
    const [ann, bob] = ['ann@acme.example', 'bob@acme.example'];
    const take = (page: Omit<FollowedPage, 'reached'>) =>
      directory.writer.execute(takeProvided, { ...page, reached: undefined });
    const holderOf = (address: string) => directory.cache.recipient(address)?.dn;
    await directory.apply(addDomain('acme.example'));
    const cora = 'cora@acme.example';
    await take({ changes: [user(1, ann), user(2, bob), user(3, cora)] });
    assert.equal(holderOf(ann), userDn(ann));
    // One that has not changed keeps what it has.
    const changes = [user(1, ann, bob, 3), user(2, bob, ann, 4), user(3, cora)];
    await assert.rejects(take({ changes }), /in use already/);
    await take({ changes, haveSwapped: true });
    assert.deepEqual([ann, bob, cora].map(holderOf), [bob, ann, cora].map(userDn));
  } finally {
    directory.close();
  }
});

test('a page without a change leaves the zones at the state that they have reached', async () => {
  const directory = await openTestDirectory();
  try {
    await directory.apply(addDomain('acme.example'));
    const take = (page: FollowedPage) => directory.writer.execute(takeProvided, page);
    const isOnTheWay = () => zoneStates(directory.reader)?.isOnTheWay;
    const reached = { cookie: 'rid=001', revision: directory.reader.revision() };
    await take({ changes: [user(1, 'ann@acme.example')], reached });
    assert.equal(isOnTheWay(), false);
    await take({ changes: [], reached: undefined });
    assert.equal(isOnTheWay(), false);
    await take({ changes: [user(2, 'bob@acme.example')], reached: undefined });
    assert.equal(isOnTheWay(), true);
  } finally {
    directory.close();
  }
});
