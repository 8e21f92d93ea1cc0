// What `directory diff` says of changes, and that nothing of them stays.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { SERVER } from '../directory/caller.ts';
import type { DirectoryChange } from '../directory/entry.ts';
import { addressKey, tryParseAddress } from '../message/address.ts';
import { type Diff, diff } from './diff.ts';
import { addDomain, addUser, openTestDirectory, remove, replace, testSite, userDn } from './testing.ts';

const ANN = 'ann@acme.example';
const BOB = 'bob@acme.example';

async function open(context: TestContext) {
  const directory = await openTestDirectory();
  // What crosses to the writer holds no functions.
  const { tokens: _, ...site } = testSite;
  context.after(() => directory.close());
  await directory.apply(addDomain('acme.example'), addUser(ANN, { mailAlternateAddress: 'a@acme.example' }));
  return async (changes: readonly DirectoryChange[], ...asked: readonly string[]): Promise<Diff> => {
    const { reader, writer } = directory;
    const before = [reader.revision(), directory.resolve(ANN), directory.resolve(BOB)];
    const keys = asked.map((address) => addressKey(tryParseAddress(address)!));
    const found = await writer.execute(diff, {
      changes,
      caller: SERVER,
      peer: '',
      now: 0,
      site,
      asked: keys,
    });
    assert.deepEqual(
      [reader.revision(), directory.resolve(ANN), directory.resolve(BOB)],
      before,
      'nothing has changed',
    );
    return found;
  };
}

const rows = ({ routes, aliases }: Diff): string[] =>
  [...routes, ...aliases].map(({ key, change }) => `${key} ${change}`);

test('a user who comes makes addresses, one who goes takes them along', async (context) => {
  const diffOf = await open(context);
  assert.deepEqual(rows(await diffOf([addUser(BOB)])), ['bob@acme.example made']);
  assert.deepEqual(rows(await diffOf([remove(userDn(ANN))])), ['a@acme.example removed', 'ann@acme.example removed']);
  assert.deepEqual(rows(await diffOf([addDomain('new.acme.example')])), ['new.acme.example made']);
  assert.deepEqual(rows(await diffOf([addUser(BOB), remove(userDn(BOB))])), [], 'made and unmade');
});

test('an entry’s other row changes the addresses that lead there before and after; others come and go', async (context) => {
  const diffOf = await open(context);
  const disabled = replace(userDn(ANN), { mailUserStatus: 'disabled' });
  assert.deepEqual(rows(await diffOf([disabled])), ['a@acme.example changed', 'ann@acme.example changed']);
  const renamed = replace(userDn(ANN), { mailAlternateAddress: 'b@acme.example' });
  assert.deepEqual(rows(await diffOf([renamed])), [
    ...['a@acme.example removed', 'ann@acme.example changed', 'b@acme.example made'],
  ]);
});

test('of the addresses that are asked for those are named that would be refused', async (context) => {
  const diffOf = await open(context);
  const { refused } = await diffOf([replace(userDn(ANN), { mailUserStatus: 'disabled' }), addUser(BOB)], ANN, BOB);
  assert.deepEqual(
    refused.map(({ key, reply }) => [key, reply.code]),
    [[ANN, 550]],
  );
});

test('passwords of the file need not be hashed, nor be there to be taken away', async (context) => {
  const diffOf = await open(context);
  const clear = addUser(BOB, { userPassword: 'in the clear' });
  assert.deepEqual(rows(await diffOf([clear])), ['bob@acme.example made']);
  const { entries } = await diffOf([replace(userDn(ANN), { userPassword: 'in the clear' })]);
  assert.deepEqual(
    entries.map(({ dn }) => dn),
    [userDn(ANN)],
  );
  const modifications = [{ operation: 'delete', attribute: 'userPassword', values: ['{X}not there'] }] as const;
  assert.deepEqual(rows(await diffOf([{ kind: 'modify', dn: userDn(ANN), modifications }])), []);
});
