// A right login by a hash of another time replaces it: once, as a clear write would, and no session ends by it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';
import { HashGate } from '../auth/hash-gate.ts';
import { loginDirectory } from '../auth/login-directory.ts';
import { Logins } from '../auth/logins.ts';
import { OpenLogins } from '../auth/open-logins.ts';
import { type LearnedPassword, learnPasswordsFrom } from '../auth/password-learner.ts';
import { freely } from '../auth/testing.ts';
import { systemClock } from '../base/clock.ts';
import { findEntry } from '../directory/entries.ts';
import { textValues } from '../directory/entry.ts';
import type { ConnectionRecord } from '../net/connection.ts';
import { learnPassword } from './learn-password.ts';
import { addDomain, addUser, openTestDirectory, replace, userDn } from './testing.ts';

const client = { door: 'imap', record: { peerAddress: '192.0.2.1', isPrivate: true } as ConnectionRecord } as const;
const ANN = 'ann@acme.example';
const BCRYPT = '{CRYPT}$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW';
const SHA_CRYPT = '{CRYPT}$5$rounds=1000$saltsalt$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhiIvoSWX2';
const OTHER = '{SSHA}AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';

async function setUp(makesKeys: boolean) {
  const directory = await openTestDirectory();
  await directory.apply(addDomain('acme.example'));
  const gate = new HashGate();
  const state = { learned: 0, held: Promise.resolve() };
  const learn = learnPasswordsFrom({ gate, makesKeys }, async (learned: LearnedPassword) => {
    await state.held;
    await directory.writer.execute(learnPassword, { ...learned, now: 1 });
    state.learned++;
  });
  const logins = new Logins({
    directory: loginDirectory(directory.reader, directory.cache),
    revision: () => directory.shared.revision(),
    gate,
    clock: systemClock,
    ...freely(),
    open: new OpenLogins(directory),
    scram: { isOffered: () => makesKeys, secret: Buffer.from('of this server'), learn },
  });
  const stored = () => textValues(findEntry(directory.reader, userDn(ANN))!, 'userpassword');
  const logIn = (password = 'secret') => logins.login(client, ANN, Buffer.from(password));
  const learnedOf = async (count: number) => {
    while (state.learned < count) await wait(5);
  };
  return { directory, state, stored, logIn, learnedOf };
}

test('a hash of crypt(3) becomes one of Argon2id, with keys, and every session stays', async () => {
  const { directory, stored, logIn, learnedOf } = await setUp(true);
  try {
    await directory.apply(addUser(ANN, { userPassword: [OTHER, BCRYPT] }));
    const session = await logIn();
    let isOver = false;
    session.watch(() => {
      isOver = true;
    });
    await learnedOf(1);
    await nextTurn();
    const [other, hash, keys, ...more] = stored();
    assert.equal(other, OTHER);
    assert.match(hash!, /^\{ARGON2\}\$argon2id\$/);
    assert.match(keys!, /^\{SCRAM-SHA-256\}/);
    assert.deepEqual(more, []);
    assert.equal(isOver, false);
    assert.notEqual(session.now(), undefined);
    await logIn();
    await assert.rejects(logIn('Secret'), { kind: 'unauthenticated' });
  } finally {
    await directory.close();
  }
});

test('a hash that another has replaced meanwhile is left alone; SCRAM switched off gives no keys; Argon2id stays', async () => {
  const { directory, state, stored, logIn, learnedOf } = await setUp(false);
  try {
    await directory.apply(addUser(ANN, { userPassword: BCRYPT }));
    const held = Promise.withResolvers<void>();
    state.held = held.promise;
    await logIn();
    await directory.apply(replace(userDn(ANN), { userPassword: SHA_CRYPT }));
    held.resolve();
    await learnedOf(1);
    assert.deepEqual(stored(), [SHA_CRYPT]);
    await logIn();
    await learnedOf(2);
    const [hash, ...more] = stored();
    assert.match(hash!, /^\{ARGON2\}\$argon2id\$/);
    assert.deepEqual(more, []);
    await directory.apply(replace(userDn(ANN), { description: 'x' }));
    await logIn();
    await nextTurn();
    assert.deepEqual([state.learned, stored()], [2, [hash]]);
  } finally {
    await directory.close();
  }
});
