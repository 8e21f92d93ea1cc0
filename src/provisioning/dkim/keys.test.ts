import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { SERVER } from '../../directory/caller.ts';
import { children, findEntry } from '../../directory/entries.ts';
import { textValue } from '../../directory/entry.ts';
import { makePrivateKey, pemOf } from '../../message/dkim/key.ts';
import { containerDn } from '../../routing/containers.ts';
import { observeKey } from '../../zones/testing.ts';
import { openTestDirectory, type TestDirectory } from '../testing.ts';
import { addKeys, firstKeys, type NewKey, tendKeys } from './keys.ts';

const DAY = 86_400_000;
const START = Date.UTC(2026, 10, 27);

async function open(context: TestContext): Promise<TestDirectory> {
  const directory = await openTestDirectory();
  context.after(() => directory.close());
  const attributes = {
    objectClass: ['domain', 'inetDomain', 'mailDomain'],
    dc: ['acme'],
    waypostZoneAuthority: ['theirs'],
  };
  await directory.apply({
    kind: 'add',
    dn: 'dc=acme,dc=example,o=internet',
    attributes: Object.entries(attributes).map(([name, values]) => ({ name, values })),
  });
  await directory.writer.execute(firstKeys, { keys: [await edwards()], now: START });
  return directory;
}

async function edwards(): Promise<NewKey> {
  return { type: 'ed25519', pem: pemOf(await makePrivateKey('ed25519')) };
}

function states({ reader }: TestDirectory): string[] {
  const container = findEntry(reader, containerDn('keys'))!;
  return children(reader, container.id, 100).map(
    (entry) => `${textValue(entry, 'cn')} ${textValue(entry, 'waypostkeystate')}`,
  );
}

async function rotate(directory: TestDirectory, now: number, domain?: string): Promise<void> {
  await directory.writer.execute(addKeys, { keys: [await edwards()], domain, caller: SERVER, now });
}

test('the first start makes its keys once', async (context) => {
  const directory = await open(context);
  await directory.writer.execute(firstKeys, { keys: [await edwards()], now: START + DAY });
  assert.deepEqual(states(directory), ['e20261127 signing']);
});

test('a new key is new until it is seen wherever its predecessor is; that one stays a week', async (context) => {
  const directory = await open(context);
  const { writer } = directory;
  await writer.execute(observeKey, { selector: 'e20261127', domain: 'acme.example' });
  await rotate(directory, START);
  assert.deepEqual(states(directory), ['e20261127 signing', 'e20261127b new']);
  await writer.execute(tendKeys, START + DAY);
  assert.deepEqual(states(directory), ['e20261127 signing', 'e20261127b new']);
  await writer.execute(observeKey, { selector: 'e20261127b', domain: 'acme.example' });
  await writer.execute(tendKeys, START + 2 * DAY);
  assert.deepEqual(states(directory), ['e20261127 retired', 'e20261127b signing']);
  await writer.execute(tendKeys, START + 8 * DAY);
  assert.equal(states(directory).length, 2);
  await writer.execute(tendKeys, START + 9 * DAY);
  assert.deepEqual(states(directory), ['e20261127b signing']);
});

test('where no record was seen elsewhere the new key takes over in the same commit', async (context) => {
  const directory = await open(context);
  await rotate(directory, START + DAY);
  assert.deepEqual(states(directory), ['e20261127 retired', 'e20261128 signing']);
});

test('a domain’s first own key is new for a week, and until it is seen', async (context) => {
  const directory = await open(context);
  await rotate(directory, START, 'acme.example');
  const { writer } = directory;
  await writer.execute(tendKeys, START + 8 * DAY);
  assert.deepEqual(states(directory), ['e20261127 signing', 'e20261127b new']);
  await writer.execute(observeKey, { selector: 'e20261127b', domain: 'acme.example' });
  await writer.execute(tendKeys, START + 8 * DAY);
  assert.deepEqual(states(directory), ['e20261127 signing', 'e20261127b signing']);
});

test('a dry run makes nothing', async (context) => {
  const directory = await open(context);
  const args = { keys: [await edwards()], domain: undefined, caller: SERVER, now: START, dryRun: true };
  const { entries } = await directory.writer.execute(addKeys, args);
  assert.equal(entries[0]!.dn, `cn=e20261127b,${containerDn('keys')}`);
  assert.deepEqual(states(directory), ['e20261127 signing']);
});

test('a key that brings its selector keeps it; one that is taken is refused', async (context) => {
  const directory = await open(context);
  const args = { keys: [{ ...(await edwards()), selector: 'old2019' }], domain: undefined, caller: SERVER, now: START };
  await directory.writer.execute(addKeys, args);
  assert.deepEqual(states(directory), ['e20261127 retired', 'old2019 signing']);
  await assert.rejects(directory.writer.execute(addKeys, args), { kind: 'exists' });
  assert.deepEqual(states(directory), ['e20261127 retired', 'old2019 signing']);
});
