// What reaches the writer when somebody asks for a change.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { HashGate } from '../auth/hash-gate.ts';
import { systemClock } from '../base/clock.ts';
import { ADMINISTRATOR_CALLER, SERVER } from '../directory/caller.ts';
import { findEntry } from '../directory/entries.ts';
import { textValues } from '../directory/entry.ts';
import { submitChange } from './submit.ts';
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
  assert.equal(passwords()[1], ready);
  await submitChange(parts(), {
    changes: [replace(userDn('ann@acme.example'), { userPassword: 'other' })],
    caller: SERVER,
    peer: '',
  });
  assert.deepEqual(passwords().length, 1);
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
