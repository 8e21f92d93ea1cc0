import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DirectoryChange } from '../directory/entry.ts';
import { inOrderOfPlaces } from './import-order.ts';
import { addDomain, addGroup, addUser, replace, userDn } from './testing.ts';

const ordered = (changes: readonly DirectoryChange[]): DirectoryChange[] =>
  inOrderOfPlaces(changes.map((change) => ({ change }))).map(({ change }) => change);

test('users side by side come together by their places, each place in its order', () => {
  const users = ['u1@a.example', 'u2@b.example', 'u3@a.example', 'u4@b.example'].map((address) => addUser(address));
  assert.deepEqual(ordered(users), [users[0], users[2], users[1], users[3]]);
});

test('what is no such user stays where it is, and nothing passes it', () => {
  for (const other of [
    addGroup('g@a.example', []),
    addDomain('c.example'),
    replace(userDn('u1@a.example'), { cn: 'x' }),
  ]) {
    const changes = [addUser('u1@a.example'), addUser('u2@b.example'), other, addUser('u3@a.example')];
    assert.deepEqual(ordered(changes), changes, other.dn);
  }
});

test('where two have an address, or one stands below another, all stay in order', () => {
  const first = [addUser('u1@a.example'), addUser('u2@b.example', { mail: 'U1@a.example' }), addUser('u3@a.example')];
  const other = { mailLocalAddress: 'u1@a.example' };
  const byName = [addUser('u1@a.example'), addUser('u2@b.example', other), addUser('u3@a.example')];
  const below = { ...addUser('u2@b.example'), dn: `uid=below,${userDn('u1@a.example')}` };
  for (const changes of [
    first,
    byName,
    [addUser('u1@a.example'), addUser('u4@b.example'), below, addUser('u3@a.example')],
  ])
    assert.deepEqual(ordered(changes), changes);
});
