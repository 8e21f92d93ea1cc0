// Logins to accounts over which another has the say: a no rests on an answer, and silence is temporary.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { asFailure, Failure } from '../base/failure.ts';
import { mailViewText } from '../directory/mail-view.ts';
import type { AuthorityOver, DirectoryAuthority } from '../directory/source/authority.ts';
import type { ConnectionRecord } from '../net/connection.ts';
import { takeMirrorPage } from '../provisioning/mirrored.ts';
import { addDomain, addUser, openTestDirectory, replace, type TestDirectory, userDn } from '../provisioning/testing.ts';
import { HashGate } from './hash-gate.ts';
import type { LoginClient } from './login-client.ts';
import { loginDirectory } from './login-directory.ts';
import { Logins } from './logins.ts';
import { freely } from './testing.ts';

const record = { listener: 'imap', isPrivate: true, peerAddress: '192.0.2.1' } as ConnectionRecord;
const testClient: LoginClient = { door: 'imap', record };

/** {SHA} of `geheim`. */
const GEHEIM = '{SHA}kGByAB793z4R5tK1eC9Hd/4Dhzk=';
const ANN = 'ann@src.example';

let directory: TestDirectory;
let logins: Logins;
let answer: () => Promise<unknown>;
let over: AuthorityOver = 'refusals';
let isFresh = false;
const asked: unknown[] = [];
const bound: string[] = [];

before(async () => {
  directory = await openTestDirectory();
  await directory.apply(addDomain('src.example'), addDomain('own.example'), addUser(ANN), addUser('bob@own.example'));
  const authority: DirectoryAuthority = {
    isIdle: false,
    over: (domain) => (domain === 'src.example' ? over : undefined),
    overEntry: (dn) => (dn.includes('dc=src') ? 'refusals' : undefined),
    isFresh: () => isFresh,
    async binds(dn) {
      bound.push(dn);
      return false;
    },
    renew: async () => {},
    forward: async () => false,
    async ask(question) {
      asked.push(question);
      await answer();
    },
  };
  logins = new Logins({
    directory: loginDirectory(directory.reader, directory.cache),
    revision: () => directory.shared.revision(),
    gate: new HashGate(),
    clock: systemClock,
    authority,
    ...freely(),
  });
});
after(() => directory.close());

async function tried(name: string, password = 'geheim'): Promise<string> {
  asked.length = 0;
  const kind = await logins.login(testClient, name, Buffer.from(password)).then(
    () => 'ok',
    (error: unknown) => asFailure(error).kind,
  );
  return [kind, ...asked.map((question) => JSON.stringify(question))].join(' ');
}

test('a password that is wrong here, and a name that is not known, are asked for before the no', async () => {
  answer = async () => {};
  assert.equal(await tried('bob@own.example'), 'unauthenticated');
  assert.equal(await tried(ANN), `unauthenticated {"address":"${ANN}"}`);
  answer = async () => {
    throw new Failure('unavailable', 'nobody answers');
  };
  assert.equal(await tried(ANN), `unavailable {"address":"${ANN}"}`);
  assert.equal(await tried('new@src.example'), 'unavailable {"address":"new@src.example"}');
  answer = () => directory.apply(replace(userDn(ANN), { userPassword: GEHEIM }));
  assert.equal(await tried(ANN), `ok {"address":"${ANN}"}`);
  answer = () => directory.apply(addUser('new@src.example', { userPassword: GEHEIM }));
  assert.equal(await tried('new@src.example'), 'ok {"address":"new@src.example"}');
  answer = async () => {
    throw new Failure('unavailable', 'nobody answers');
  };
  assert.equal(await tried(ANN), 'ok');
  assert.equal(await tried(ANN, 'guessed'), `unavailable {"address":"${ANN}"}`);
});

test('so is a status that refuses here, and a bind by a DN', async () => {
  await directory.apply(replace(userDn(ANN), { userPassword: GEHEIM, mailUserStatus: 'inactive' }));
  answer = () => directory.apply(replace(userDn(ANN), { mailUserStatus: 'active' }));
  assert.equal(await tried(ANN), `ok {"address":"${ANN}"}`);
  answer = () => directory.apply(addUser('dora@src.example', { userPassword: GEHEIM }));
  asked.length = 0;
  const client: LoginClient = { ...testClient, door: 'ldap' };
  const caller = await logins.bind(client, userDn('dora@src.example'), 'geheim');
  assert.equal(caller.now() !== undefined, true);
  assert.deepEqual(asked, [{ dn: 'uid=dora,ou=people,dc=src,dc=example,o=internet' }]);
});

test('where only what was asked for is here, it is asked before a yes that is not fresh; silence leaves what is here', async () => {
  await directory.apply(replace(userDn(ANN), { userPassword: GEHEIM }));
  over = 'everything';
  const question = `{"address":"${ANN}"}`;
  answer = async () => {
    throw new Failure('unavailable', 'nobody answers');
  };
  assert.equal(await tried(ANN), `ok ${question}`);
  assert.equal(await tried(ANN, 'guessed'), `unavailable ${question}`);
  isFresh = true;
  assert.equal(await tried(ANN), 'ok');
  isFresh = false;
  answer = () => directory.apply(replace(userDn(ANN), { userPassword: '{SHA}AAAAAAAAAAAAAAAAAAAAAAAAAAA=' }));
  assert.equal(await tried(ANN), `unauthenticated ${question}`);
  over = 'refusals';
});

test('a password that the source has refused is not tried there again', async () => {
  const dn = userDn('eve@src.example');
  const attributes = Object.entries({ objectClass: 'inetOrgPerson', uid: 'eve', mail: 'eve@src.example' });
  const entry = {
    ...{ dn, uuid: '00000000-0000-4000-8000-000000000001', createdAt: 1, modifiedAt: 1 },
    mailAs: mailViewText({ kind: 'user', attributes: [] }),
    attributes: attributes.map(([name, value]) => ({ name, values: [value] })),
  };
  const page = { source: 'corp', author: 'cn=corp', now: 1, changes: [{ kind: 'put' as const, entry }] };
  await directory.writer.execute(takeMirrorPage, page);
  answer = async () => {};
  assert.equal(await tried('eve@src.example', 'guessed'), 'unauthenticated {"address":"eve@src.example"}');
  assert.deepEqual(bound, [dn]);
});
