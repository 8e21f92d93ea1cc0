// Keys of SCRAM follow their passwords, and the count of users without keys follows the entries: after any changes both are
// what a naive reading of the entries says.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { countWithoutKeys, scramCount } from '../auth/scram-counter.ts';
import { Failure } from '../base/failure.ts';
import { findEntry } from '../directory/entries.ts';
import { type DirectoryChange, type Modification, textValues } from '../directory/entry.ts';
import { sitePostmasterDn } from '../routing/compile.ts';
import { learnPassword } from './learn-password.ts';
import { addDomain, addUser, openTestDirectory, remove, replace, type TestDirectory, userDn } from './testing.ts';

let directory: TestDirectory;
beforeEach(async () => {
  directory = await openTestDirectory();
  await directory.apply(addDomain('acme.example'));
});
afterEach(() => directory.close());

const octets = (letter: string, length: number) => Buffer.alloc(length, letter).toString('base64');
const keys = (letter: string, salt = 'salt') =>
  `{SCRAM-SHA-256}4096,${octets(salt, 16)},${octets(letter, 32)},${octets(letter, 32)}`;
const [HASH, HASH_2] = ['{SSHA}one', '{SSHA}two'];
const [KEYS, KEYS_2, KEYS_ELSEWHERE] = [keys('a'), keys('b'), keys('c', 'other')];
const VALUES = [HASH, HASH_2, KEYS, KEYS_2, KEYS_ELSEWHERE];

const ANN = userDn('ann@acme.example');
const passwordsOf = (dn: string) => {
  const entry = findEntry(directory.reader, dn);
  return entry === undefined ? undefined : textValues(entry, 'userpassword');
};

const modify = (...modifications: readonly [Modification['operation'], ...string[]][]): DirectoryChange => ({
  kind: 'modify',
  dn: ANN,
  modifications: modifications.map(([operation, ...values]) => ({ operation, attribute: 'userPassword', values })),
});

test('a modification takes the keys with the value that it takes, but for those that it names', async () => {
  const cases: [given: string[], change: DirectoryChange, left: string[]][] = [
    [[HASH, KEYS], modify(['delete', HASH]), []],
    [[HASH, KEYS], modify(['delete', HASH], ['add', HASH_2, KEYS_2]), [HASH_2, KEYS_2]],
    [[HASH, KEYS], modify(['add', HASH_2, KEYS_2], ['delete', HASH]), [HASH_2, KEYS_2]],
    [[HASH, KEYS], modify(['delete', HASH], ['add', KEYS]), [KEYS]],
    [[HASH, KEYS], modify(['replace', HASH_2]), [HASH_2]],
    [[HASH, KEYS], modify(['replace', HASH_2, KEYS]), [HASH_2, KEYS]],
    [[HASH, KEYS, HASH_2], modify(['delete', HASH_2]), [HASH]],
    [[HASH, KEYS], modify(['delete', KEYS]), [HASH]],
    [[HASH, KEYS], modify(['add', HASH_2]), [HASH, KEYS, HASH_2]],
    [[HASH, KEYS], modify(['delete']), []],
    [[HASH, KEYS], replace(ANN, { cn: 'x' }), [HASH, KEYS]],
  ];
  for (const [given, change, left] of cases) {
    await directory.apply(addUser('ann@acme.example', { userPassword: given }));
    await directory.apply(change);
    assert.deepEqual(passwordsOf(ANN), left, JSON.stringify(change));
    await directory.apply(remove(ANN));
  }
});

test('keys are learned while the values are those that the password was right for', async () => {
  await directory.apply(addUser('ann@acme.example', { userPassword: HASH }));
  const entry = findEntry(directory.reader, ANN)!;
  const learn = (seen: string[]) =>
    directory.writer.execute(learnPassword, { uuid: entry.uuid, seen, values: [...seen, KEYS], now: 1 });
  assert.equal(countWithoutKeys(directory.reader), 1);
  assert.equal(await learn([HASH_2]), false);
  assert.equal(await learn([HASH]), true);
  assert.deepEqual(passwordsOf(ANN), [HASH, KEYS]);
  assert.equal(countWithoutKeys(directory.reader), 0);
  assert.equal(await learn([HASH]), false);
});

/** Each password has keys, and all keys that serve have the salt of the first. */
function isServed(passwords: readonly string[]): boolean {
  const hashes = passwords.filter((value) => value.startsWith('{SSHA}')).length;
  const salts = passwords.filter((value) => value.startsWith('{SCRAM')).map((value) => value.split(',')[1]);
  return hashes === 0 || salts.filter((salt) => salt === salts[0]).length >= hashes;
}

test('the count is what the entries say, change by change and derived anew', async () => {
  const names = ['ann', 'bob', 'cy'].map((name) => `${name}@acme.example`);
  const some = fc.subarray(VALUES);
  const name = fc.constantFrom(...names);
  const dn = fc.oneof({ weight: 5, arbitrary: name.map(userDn) }, fc.constant(sitePostmasterDn()));
  const change: fc.Arbitrary<DirectoryChange> = fc.oneof(
    { weight: 2, arbitrary: fc.tuple(name, some).map(([of, userPassword]) => withPasswords(of, userPassword)) },
    { weight: 3, arbitrary: fc.tuple(dn, some).map(([of, userPassword]) => replace(of, { userPassword })) },
    fc.tuple(dn, fc.constantFrom(...VALUES)).map(([of, value]) => ({
      kind: 'modify' as const,
      dn: of,
      modifications: [{ operation: 'delete' as const, attribute: 'userPassword', values: [value] }],
    })),
    name.map((of) => replace(userDn(of), { objectClass: ['inetOrgPerson'] })),
    name.map((of) => remove(userDn(of))),
  );
  const isUser = (of: string): boolean => {
    const entry = findEntry(directory.reader, of);
    return entry !== undefined && textValues(entry, 'objectclass').includes('inetMailUser');
  };
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 8 }), async (changes) => {
      for (const each of changes)
        await directory.apply(each).catch((error: unknown) => assert.ok(error instanceof Failure));
      const dns = names.map(userDn).filter(isUser);
      const expected = dns.filter((of) => !isServed(passwordsOf(of)!)).length;
      assert.equal(countWithoutKeys(directory.reader), expected);
      await scramCount().rebuild(directory.writer, () => {});
      assert.equal(countWithoutKeys(directory.reader), expected);
    }),
    { numRuns: 60 },
  );
});

function withPasswords(address: string, userPassword: readonly string[]): DirectoryChange {
  return addUser(address, userPassword.length > 0 ? { userPassword } : {});
}
