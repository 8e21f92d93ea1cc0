// Who may read and change what.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Failure } from '../base/failure.ts';
import { ANONYMOUS, authorOf, type Caller, callerOf, checkSearch, SERVER, visibleTo } from './caller.ts';
import { parseDn } from './dn.ts';
import { getEntry } from './entries.ts';
import type { DirectoryChange } from './entry.ts';
import { openTestDirectory, type TestDirectory } from './testing.ts';

const ANN = 'uid=ann,ou=People,o=internet';
const BOB = 'uid=bob,ou=People,o=internet';

let directory: TestDirectory;
before(async () => {
  directory = await openTestDirectory();
  await directory.add('cn=Directory Manager', {
    objectClass: ['person'],
    cn: 'Directory Manager',
    sn: 'x',
    userPassword: '{X}y',
  });
  await directory.add('ou=People,o=internet', { objectClass: 'organizationalUnit', ou: 'People' });
  for (const [dn, uid] of [
    [ANN, 'ann'],
    [BOB, 'bob'],
  ] as const)
    await directory.add(dn, {
      objectClass: 'inetOrgPerson',
      uid,
      cn: uid,
      sn: uid,
      mail: `${uid}@acme.example`,
      userPassword: '{X}y',
    });
});
after(() => directory.close());

const entryOf = (dn: string) => getEntry(directory.reader, dn);
const administrator = () => callerOf(entryOf('cn=directory manager'));

async function verdict(run: () => void | Promise<void>): Promise<string | undefined> {
  try {
    await run();
    return 'allowed';
  } catch (error) {
    assert.ok(error instanceof Failure);
    return error.ldap?.name;
  }
}

const search = (caller: Caller, base: string) => verdict(() => checkSearch(caller, parseDn(base)));
const change = (caller: Caller, asked: DirectoryChange) => verdict(() => directory.check(caller, asked));

function password(
  dn: string,
  operation: 'replace' | 'add' | 'delete' = 'replace',
  attribute = 'userPassword',
): DirectoryChange {
  return { kind: 'modify', dn, modifications: [{ operation, attribute, values: ['x'] }] };
}

test('the administrator and the server do everything', async () => {
  assert.equal(administrator().kind, 'administrator');
  for (const caller of [administrator(), SERVER]) {
    assert.equal(await change(caller, { kind: 'delete', dn: ANN }), 'allowed');
    assert.equal(await search(caller, 'o=internet'), 'allowed');
    assert.ok(visibleTo(caller, entryOf(ANN))?.attributes.has('userpassword'));
  }
});

test('a user reads its own entry without the password, and replaces that', async () => {
  const caller = callerOf(entryOf(ANN));
  assert.equal(await search(caller, 'UID=ann,ou=people,o=internet'), 'allowed');
  for (const base of ['o=internet', BOB, 'uid=nobody,o=internet'])
    assert.equal(await search(caller, base), 'insufficientAccessRights');
  assert.equal(visibleTo(caller, entryOf(ANN))?.attributes.has('userpassword'), false);
  assert.equal(visibleTo(caller, entryOf(ANN))?.attributes.has('mail'), true);
  assert.equal(visibleTo(caller, entryOf('o=internet')), undefined);
  assert.equal(await change(caller, password(ANN)), 'allowed');
  assert.equal(await change(caller, password(ANN, 'add')), 'insufficientAccessRights');
  assert.equal(await change(caller, password(ANN, 'replace', 'mail')), 'insufficientAccessRights');
  assert.equal(await change(caller, password(BOB)), 'insufficientAccessRights');
  assert.equal(await change(caller, password('uid=nobody,o=internet')), 'insufficientAccessRights');
  assert.equal(await change(caller, { kind: 'delete', dn: ANN }), 'insufficientAccessRights');
});

test('anonymous reads and changes nothing', async () => {
  assert.equal(await search(ANONYMOUS, 'o=internet'), 'insufficientAccessRights');
  assert.equal(visibleTo(ANONYMOUS, entryOf(ANN)), undefined);
  assert.equal(await change(ANONYMOUS, password(ANN)), 'insufficientAccessRights');
});

test('a caller is an entry, not its name: renamed it goes on, deleted it is over, and another entry of its name is another caller', async () => {
  const dn = 'uid=carl,ou=People,o=internet';
  const attributes = { objectClass: 'inetOrgPerson', uid: 'carl', cn: 'carl', sn: 'carl' };
  await directory.add(dn, attributes);
  const caller = callerOf(entryOf(dn));
  await directory.apply({ kind: 'rename', dn, newRdn: 'uid=charles', deleteOldRdn: true, newSuperior: undefined });
  assert.equal(await change(caller, password('uid=charles,ou=People,o=internet')), 'allowed');
  await directory.add(dn, attributes);
  assert.equal(await change(caller, password(dn)), 'insufficientAccessRights');
  await directory.apply({ kind: 'delete', dn: 'uid=charles,ou=People,o=internet' });
  assert.equal(await change(caller, password(dn)), 'strongerAuthRequired');
  assert.equal(await change(caller, { kind: 'delete', dn: BOB }), 'strongerAuthRequired');
});

test('the author is who the caller is', () => {
  assert.equal(authorOf(callerOf(entryOf(ANN))), ANN);
  assert.equal(authorOf(administrator()), 'cn=Directory Manager');
  assert.equal(authorOf(SERVER), '');
  assert.equal(authorOf(ANONYMOUS), '');
});
