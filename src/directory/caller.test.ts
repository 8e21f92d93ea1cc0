// Who may read and change what, with the rules that a directory begins with: the Directory Manager, a user, nobody.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Failure } from '../base/failure.ts';
import { DEFAULT_RULES } from './access/default-rules.ts';
import { sightOf } from './access/sight.ts';
import { ANONYMOUS, authorOf, type Caller, callerOf, SERVER } from './caller.ts';
import { getEntry } from './entries.ts';
import type { DirectoryChange } from './entry.ts';
import { openTestDirectory, replaceAci, type TestDirectory } from './testing.ts';

const ANN = 'uid=ann,ou=People,o=internet';
const BOB = 'uid=bob,ou=People,o=internet';

let directory: TestDirectory;
before(async () => {
  directory = await openTestDirectory();
  await directory.apply(replaceAci('o=internet', DEFAULT_RULES));
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
const shown = (caller: Caller, dn: string) => sightOf(directory.reader, caller, true).shown(entryOf(dn));

async function change(caller: Caller, asked: DirectoryChange): Promise<string | undefined> {
  try {
    await directory.check(caller, asked);
    return 'allowed';
  } catch (error) {
    assert.ok(error instanceof Failure);
    return error.ldap?.name;
  }
}

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
    assert.ok(shown(caller, ANN)?.attributes.has('userpassword'));
  }
});

test('a user reads its own entry without the password, and writes that', async () => {
  const caller = callerOf(entryOf(ANN));
  assert.equal(shown(caller, ANN)?.attributes.has('userpassword'), false);
  assert.equal(shown(caller, ANN)?.attributes.has('mail'), true);
  for (const dn of ['o=internet', BOB]) assert.equal(shown(caller, dn), undefined);
  assert.equal(await change(caller, password(ANN)), 'allowed');
  assert.equal(await change(caller, password(ANN, 'replace', 'displayName')), 'allowed');
  assert.equal(await change(caller, password(ANN, 'replace', 'mail')), 'insufficientAccessRights');
  assert.equal(await change(caller, password(BOB)), 'insufficientAccessRights');
  assert.equal(await change(caller, password('uid=nobody,o=internet')), 'insufficientAccessRights');
  assert.equal(await change(caller, { kind: 'delete', dn: ANN }), 'insufficientAccessRights');
});

test('anonymous reads and changes nothing', async () => {
  assert.equal(shown(ANONYMOUS, ANN), undefined);
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
