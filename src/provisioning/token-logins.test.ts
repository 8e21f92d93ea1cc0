// Tokens as passwords over a real directory: at which doors, how long, and what ends what they have opened. The clock is ours.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { HashGate } from '../auth/hash-gate.ts';
import type { LoginDoor } from '../auth/login-client.ts';
import { loginDirectory } from '../auth/login-directory.ts';
import { Logins } from '../auth/logins.ts';
import { OpenLogins } from '../auth/open-logins.ts';
import { freely } from '../auth/testing.ts';
import { hashOfToken, newToken } from '../auth/token.ts';
import type { Clock } from '../base/clock.ts';
import type { Notification } from '../database/operation.ts';
import { SERVER } from '../directory/caller.ts';
import { getEntry } from '../directory/entries.ts';
import { TOKEN_SCOPES, type TokenScope } from '../directory/token.ts';
import type { ConnectionRecord } from '../net/connection.ts';
import { addDomain, addUser, openTestDirectory, replace, type TestDirectory, userDn } from './testing.ts';
import { addToken, removeToken } from './token.ts';

const ANN = 'ann@acme.example';
const START = Date.UTC(2026, 0, 1);

let directory: TestDirectory;
let logins: Logins;
let now: number;
/** A hash that is asked for is a test's failure: a token is never hashed slowly. */
let mayHash: boolean;
const clock: Clock = { now: () => now, monotonic: () => now };

class WatchedGate extends HashGate {
  override run<T>(hash: () => Promise<T>): Promise<T> {
    assert.ok(mayHash, 'a password was hashed');
    return super.run(hash);
  }
}

beforeEach(async () => {
  now = START;
  mayHash = false;
  directory = await openTestDirectory();
  await directory.apply(addDomain('acme.example'), addUser(ANN), addUser('bob@acme.example'));
  const { reader, cache, shared } = directory;
  logins = new Logins({
    directory: loginDirectory(reader, cache),
    revision: () => shared.revision(),
    gate: new WatchedGate(),
    clock,
    ...freely(),
    open: new OpenLogins(directory),
  });
});
afterEach(() => directory.close());

const by = (door: LoginDoor) => ({ door, record: { peerAddress: '192.0.2.1', isPrivate: true } as ConnectionRecord });
const login = (door: LoginDoor, token: string, name = ANN) => logins.login(by(door), name, Buffer.from(token));
const wrong = { name: 'Failure', kind: 'unauthenticated' };

async function give(name: string, scopes: readonly TokenScope[], expiresAt?: number, address = ANN): Promise<string> {
  const secret = newToken();
  const token = { name, scopes, createdAt: now, expiresAt, hash: hashOfToken(secret) };
  const { uuid } = getEntry(directory.reader, userDn(address));
  await directory.writer.execute(addToken, { uuid, token, caller: SERVER, now });
  return secret;
}

async function take(name: string): Promise<void> {
  const { uuid } = getEntry(directory.reader, userDn(ANN));
  await directory.writer.execute(removeToken, { uuid, name, caller: SERVER, now });
}

const DOORS = [
  ['imap', 'imap'],
  ['pop3', 'pop'],
  ['smtp', 'smtp'],
  ['ldap', 'ldap'],
] as const;

for (const [door, scope] of DOORS)
  test(`${scope} opens ${door}, and every other scope does not`, async () => {
    const right = await give('right', [scope]);
    const others = await give(
      'others',
      TOKEN_SCOPES.filter((each) => each !== scope),
    );
    assert.equal((await login(door, right)).now()?.dn, userDn(ANN));
    await assert.rejects(login(door, others), wrong);
    await assert.rejects(login(door, right, 'bob@acme.example'), wrong);
    await assert.rejects(login(door, right, 'nobody@acme.example'), wrong);
    await assert.rejects(login(door, newToken()), wrong);
  });

test('a bind by DN takes one for ldap, and is what the entry is', async () => {
  const token = await give('book', ['ldap']);
  const bound = await logins.bind(by('ldap'), userDn(ANN), Buffer.from(token));
  assert.equal(bound.now()?.kind, 'entry');
  await assert.rejects(logins.bind(by('ldap'), userDn('bob@acme.example'), Buffer.from(token)), wrong);
  await take('book');
  assert.equal(bound.now(), undefined);
});

test('it opens to the last millisecond and ends what it has opened then, without a change of the directory', async () => {
  const token = await give('phone', ['imap', 'ldap'], START + 10_000);
  const mail = await login('imap', token);
  const bound = await logins.bind(by('ldap'), userDn(ANN), Buffer.from(token));
  now = START + 9999;
  assert.ok(mail.now() !== undefined && bound.now() !== undefined);
  assert.ok((await login('imap', token)).now() !== undefined);
  now = START + 10_000;
  assert.deepEqual([mail.now(), bound.now()], [undefined, undefined]);
  await assert.rejects(login('imap', token), wrong);
});

test('a session that says nothing ends when its token does, and others go on', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const DAY = 86_400_000;
  const opened = [
    await login('imap', await give('phone', ['imap'], START + 2 * DAY + 1000)),
    await login('imap', await give('tablet', ['imap'], START + 3 * DAY)),
    await login('imap', await give('reader', ['imap'])),
    await login('imap', await give('gone', ['imap'], START + DAY)),
  ];
  const over: number[] = [];
  const ends = opened.map((each, i) => each.watch(() => over.push(i)));
  ends[3]!();
  const pass = (ms: number): void => {
    for (let left = ms; left > 0; left -= 500) {
      now += 500;
      context.mock.timers.tick(500);
    }
  };
  pass(2 * DAY + 500);
  assert.deepEqual(over, []);
  pass(500);
  assert.deepEqual(over, [0]);
  pass(DAY);
  assert.deepEqual(over, [0, 1]);
});

test('what it has opened ends with it, and with no other; sessions of the entry are told', async () => {
  const [phone, tablet] = [await give('phone', ['imap']), await give('tablet', ['imap'])];
  const [ofPhone, ofTablet] = [await login('imap', phone), await login('imap', tablet)];
  const woken: Notification[] = [];
  // Whose entry has changed may have other rights in folders: that is told apart from it.
  directory.onNotification((notification) => {
    if (notification.kind !== 'rights') woken.push(notification);
  });
  await take('phone');
  const { uuid } = getEntry(directory.reader, userDn(ANN));
  assert.equal(ofPhone.now(), undefined);
  assert.ok(ofTablet.now() !== undefined);
  const revision = directory.reader.revision();
  assert.deepEqual(woken, [{ kind: 'login', uuid, revision, isPassword: false }]);
  await assert.rejects(login('imap', phone), wrong);
});

test('a removed one that is added again under the same name is another', async () => {
  const first = await login('imap', await give('phone', ['imap']));
  await take('phone');
  const second = await login('imap', await give('phone', ['imap']));
  assert.equal(first.now(), undefined);
  assert.ok(second.now() !== undefined);
});

test('a change of password leaves it; a status does not', async () => {
  const token = await give('phone', ['imap']);
  const open = await login('imap', token);
  await directory.apply(replace(userDn(ANN), { userPassword: '{SSHA}other' }));
  assert.ok(open.now() !== undefined);
  assert.ok((await login('imap', token)).now() !== undefined);
  await directory.apply(replace(userDn(ANN), { mailUserStatus: 'inactive' }));
  assert.equal(open.now(), undefined);
  await assert.rejects(login('imap', token), { name: 'Failure', kind: 'denied' });
});

test('access rules apply to tokens as to passwords, the Directory Manager’s on /v1 too', async () => {
  const token = await give('phone', ['imap', 'pop']);
  await directory.apply(replace(userDn(ANN), { mailAllowedServiceAccess: '-imap:192.0.2.0/24' }));
  await assert.rejects(login('imap', token), { name: 'Failure', kind: 'denied' });
  assert.ok((await login('pop3', token)).now() !== undefined);
  const { uuid } = getEntry(directory.reader, 'cn=Directory Manager');
  const secret = newToken();
  const ops = {
    name: 'ops',
    scopes: ['api'],
    createdAt: now,
    expiresAt: undefined,
    hash: hashOfToken(secret),
  } as const;
  await directory.writer.execute(addToken, { uuid, token: ops, caller: SERVER, now });
  await directory.apply(
    replace('cn=Directory Manager', {
      objectClass: ['person', 'extensibleObject'],
      mailAllowedServiceAccess: '-http:*',
    }),
  );
  await assert.rejects(logins.bearer(by('http'), secret), { name: 'Failure', kind: 'denied' });
  await directory.apply(replace('cn=Directory Manager', { mailAllowedServiceAccess: '-http:198.51.100.0/24' }));
  assert.equal((await logins.bearer(by('http'), secret)).kind, 'administrator');
});

test('a token alone says who asks, for its scope and its time', async () => {
  const { dn, uuid } = getEntry(directory.reader, 'cn=Directory Manager');
  const add = async (name: string, scopes: readonly TokenScope[], expiresAt?: number) => {
    const secret = newToken();
    const token = { name, scopes, createdAt: now, expiresAt, hash: hashOfToken(secret) };
    await directory.writer.execute(addToken, { uuid, token, caller: SERVER, now });
    return secret;
  };
  const [ops, book] = [await add('ops', ['api'], now + 1000), await add('book', ['ldap'])];
  const phone = await give('phone', ['imap']);
  assert.deepEqual(await logins.bearer(by('http'), ops), { kind: 'administrator', dn });
  for (const other of [book, phone])
    await assert.rejects(logins.bearer(by('http'), other), { name: 'Failure', kind: 'denied' });
  for (const none of ['', 'x', newToken(), ops.toUpperCase(), `${ops} `, `${ops}\u0161`])
    await assert.rejects(logins.bearer(by('http'), none), wrong);
  now += 1000;
  await assert.rejects(logins.bearer(by('http'), ops), wrong);
  await directory.writer.execute(removeToken, { uuid, name: 'book', caller: SERVER, now });
  await assert.rejects(logins.bearer(by('http'), book), wrong);
});

test('a password that only begins like one is a password', async () => {
  mayHash = true;
  for (const password of ['wp_', 'wp_short', `wp_${'A'.repeat(32)}`, `wp_${'a'.repeat(33)}`]) {
    const sha = Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(password))).toString('base64');
    await directory.apply(replace(userDn(ANN), { userPassword: `{SHA256}${sha}` }));
    assert.ok((await login('imap', password)).now() !== undefined, password);
  }
});
