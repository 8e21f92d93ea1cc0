// Tokens at the LDAP door: who binds with one, who sees them, and that no request writes them.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  Attribute,
  Change,
  Client,
  ConstraintViolationError,
  InsufficientAccessError,
  InvalidCredentialsError,
} from 'ldapts';
import { hashOfToken, newToken } from '../../auth/token.ts';
import { SERVER } from '../../directory/caller.ts';
import { getEntry } from '../../directory/entries.ts';
import { formatTokenValue, type TokenScope } from '../../directory/token.ts';
import { addDomain, addUser, userDn } from '../../provisioning/testing.ts';
import { addToken, removeToken } from '../../provisioning/token.ts';
import { ADMINISTRATOR, codeOf, disconnected, openTestDoor, PASSWORD, RawClient, searchFor } from './testing.ts';

const ANN = userDn('ann@acme.example');
const CREATED = Date.UTC(2026, 0, 1);

const door = await openTestDoor();
after(() => door.close());
await door.directory.apply(addDomain('acme.example'), addUser('ann@acme.example'));

const storedValue = (name: string, scopes: readonly TokenScope[], secret: string): string =>
  formatTokenValue({ name, scopes, createdAt: CREATED, expiresAt: undefined, hash: hashOfToken(secret) });

async function give(dn: string, name: string, scopes: readonly TokenScope[]): Promise<string> {
  const secret = newToken();
  const { uuid } = getEntry(door.directory.reader, dn);
  const token = { name, scopes, createdAt: CREATED, expiresAt: undefined, hash: hashOfToken(secret) };
  await door.directory.writer.execute(addToken, { uuid, token, caller: SERVER, now: CREATED });
  return secret;
}

async function take(dn: string, name: string): Promise<void> {
  const { uuid } = getEntry(door.directory.reader, dn);
  await door.directory.writer.execute(removeToken, { uuid, name, caller: SERVER, now: CREATED });
}

async function bound<T>(dn: string, password: string, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ url: door.url, timeout: 120_000 });
  try {
    await client.bind(dn, password);
    return await use(client);
  } finally {
    await client.unbind();
  }
}

test('one for ldap binds, one for other services does not, nor that of another entry', async () => {
  const [book, phone] = [await give(ANN, 'book', ['ldap']), await give(ANN, 'phone', ['imap', 'smtp'])];
  const own = await bound(ANN, book, (client) => client.search(ANN, { scope: 'base', attributes: ['cn', '+'] }));
  assert.equal(own.searchEntries[0]!['cn'], 'ann');
  assert.equal('waypostToken' in own.searchEntries[0]!, false, 'not even its owner sees it');
  const wrong = [[ANN, phone] as const, [ADMINISTRATOR, book] as const, [ANN, newToken()] as const];
  for (const [dn, secret] of wrong)
    await assert.rejects(
      bound(dn, secret, async () => {}),
      InvalidCredentialsError,
    );
  await take(ANN, 'book');
  await take(ANN, 'phone');
});

test('the administrator sees them on request, finds by them, and binds with one', async () => {
  const secret = await give(ANN, 'phone', ['imap']);
  const ops = await give(ADMINISTRATOR, 'ops', ['ldap']);
  const value = storedValue('phone', ['imap'], secret);
  await bound(ADMINISTRATOR, ops, async (client) => {
    const shown = async (...attributes: string[]) =>
      (await client.search(ANN, { scope: 'base', attributes })).searchEntries[0]!['waypostToken'];
    assert.equal(await shown('waypostToken'), value);
    assert.equal(await shown('+'), value);
    assert.equal(await shown(), undefined, 'it is operational');
    assert.equal(await shown('*'), undefined);
    const found = async (filter: string) =>
      (await client.search('o=internet', { filter, attributes: ['1.1'] })).searchEntries.map(({ dn }) => dn);
    assert.deepEqual(await found(`(waypostToken=${value})`), [ANN]);
    assert.deepEqual(await found('(waypostToken=phone$*)'), [ANN]);
    assert.deepEqual(await found('(waypostToken=*)'), [ANN]);
    assert.deepEqual(await found(`(waypostToken=${storedValue('other', ['imap'], secret)})`), []);
    assert.deepEqual(await found(`(waypostToken=${hashOfToken(secret)})`), []);
  });
  await take(ADMINISTRATOR, 'ops');
  await take(ANN, 'phone');
});

test('nobody writes one, the administrator neither; the owner is refused as for everything but the password', async () => {
  const value = storedValue('phone', ['imap'], newToken());
  const change = (operation: 'add' | 'replace' | 'delete', ...values: string[]) =>
    new Change({ operation, modification: new Attribute({ type: 'waypostToken', values }) });
  await bound(ADMINISTRATOR, PASSWORD, async (client) => {
    for (const each of [change('add', value), change('replace', value), change('replace'), change('delete')])
      await assert.rejects(client.modify(ANN, each), ConstraintViolationError);
    const bob = userDn('bob@acme.example');
    const person = { objectClass: 'inetOrgPerson', cn: 'bob', sn: 'bob', uid: 'bob', waypostToken: value };
    await assert.rejects(client.add(bob, person), ConstraintViolationError);
    await assert.rejects(client.modifyDN(ANN, `waypostToken=${value.replaceAll('+', '')}`), ConstraintViolationError);
  });
  const book = await give(ANN, 'book', ['ldap']);
  await assert.rejects(
    bound(ANN, book, (client) => client.modify(ANN, change('add', value))),
    InsufficientAccessError,
  );
  await take(ANN, 'book');
});

test('a session that one has opened is over with it', async () => {
  const book = await give(ANN, 'book', ['ldap']);
  using client = await RawClient.open(door.port);
  assert.equal(await client.bind(ANN, book), 0);
  assert.equal(await codeOf(client, searchFor(ANN)), 0);
  await take(ANN, 'book');
  client.request(searchFor(ANN));
  assert.match(await disconnected(client), /^8 Your login is over/);
});
