// What reaches the writer when a caller asks for a change.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { HashGate } from '../auth/hash-gate.ts';
import { systemClock } from '../base/clock.ts';
import { ADMINISTRATOR_CALLER, ANONYMOUS, SERVER } from '../directory/caller.ts';
import { findEntry } from '../directory/entries.ts';
import { type DirectoryChange, textValues } from '../directory/entry.ts';
import { submitChange, submitterInOrder } from './submit.ts';
import { addDomain, addUser, openTestDirectory, replace, type TestDirectory, userDn } from './testing.ts';

let directory: TestDirectory;
beforeEach(async () => {
  directory = await openTestDirectory();
});
afterEach(() => directory.close());

const parts = () => ({ writer: directory.writer, clock: systemClock, gate: new HashGate() });

test('clear passwords are stored as hashes, in adds and in modifications', async () => {
  const ready = '{SSHA}AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
  await submitChange(parts(), {
    changes: [addDomain('acme.example'), addUser('ann@acme.example', { userPassword: ['secret', ready] })],
    caller: ADMINISTRATOR_CALLER,
    peer: '',
  });
  const passwords = (): readonly string[] =>
    textValues(findEntry(directory.reader, userDn('ann@acme.example'))!, 'userpassword');
  assert.match(passwords()[0]!, /^\{ARGON2\}\$argon2id\$/);
  assert.match(passwords()[1]!, /^\{SCRAM-SHA-256\}65536,/);
  assert.equal(passwords()[2], ready);
  await submitChange(parts(), {
    changes: [replace(userDn('ann@acme.example'), { userPassword: 'other' })],
    caller: SERVER,
    peer: '',
  });
  assert.deepEqual(passwords().length, 2);
  assert.ok(!passwords()[0]!.includes('other'));
});

test('a dry run resolves with the summary and leaves nothing behind', async () => {
  const { entries } = await submitChange(parts(), {
    changes: [addDomain('acme.example')],
    caller: SERVER,
    peer: '',
    dryRun: true,
  });
  assert.equal(entries.length, 4);
  assert.equal(directory.resolve('x@acme.example').relay, true);
});

test('changes of one source are posted in their order, also where the password of one is hashed first', async () => {
  const submit = submitterInOrder(parts());
  const ask = (...changes: DirectoryChange[]) => submit({ changes, caller: SERVER, peer: '' });
  await ask(addDomain('acme.example'));
  const [ann, refused, bob] = await Promise.allSettled([
    ask(addUser('ann@acme.example', { userPassword: 'secret' })),
    submit({ changes: [addUser('eve@acme.example')], caller: ANONYMOUS, peer: '' }),
    ask(addUser('bob@acme.example')),
  ]);
  assert.equal(refused.status, 'rejected');
  assert.ok(ann.status === 'fulfilled' && bob.status === 'fulfilled');
  assert.ok(ann.value.revision < bob.value.revision);
});

test('a stranger gets no password hashed', async () => {
  const gate = new HashGate();
  let hashes = 0;
  gate.run = () => {
    hashes++;
    return Promise.reject(new Error('hashed'));
  };
  const changes = [addUser('ann@acme.example', { userPassword: 'secret' })];
  const asked = submitChange({ ...parts(), gate }, { changes, caller: ANONYMOUS, peer: '' });
  await assert.rejects(asked, { kind: 'denied' });
  assert.equal(hashes, 0);
});

test('a list of changes with more than a hundred clear passwords is refused before one is hashed', async () => {
  const gate = new HashGate();
  let hashes = 0;
  gate.run = () => {
    hashes++;
    return Promise.reject(new Error('hashed'));
  };
  const add = (password: (n: number) => string) =>
    Array.from({ length: 101 }, (_, n) => addUser(`u${n}@acme.example`, { userPassword: password(n) }));
  const ask = (changes: DirectoryChange[]) =>
    submitChange({ ...parts(), gate }, { changes, caller: SERVER, peer: '', dryRun: true });
  await assert.rejects(ask(add((n) => `secret ${n}`)), { kind: 'too-many' });
  assert.equal(hashes, 0);
  await ask([addDomain('acme.example'), ...add(() => '{SSHA}5EMEN0rxohTjFStdS1vf5+zeMWpQeJll')]);
});
