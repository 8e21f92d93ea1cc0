// SASL binds over LDAP, message by message: several requests make one bind, and anything else in between ends it.
// RFC 4511 §4.2.1, RFC 4513 §5.2

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { addDomain, addUser, userDn } from '../../provisioning/testing.ts';
import { codeOf, GEHEIM, openTestDoor, RawClient, searchFor } from './testing.ts';

const door = await openTestDoor();
after(() => door.close());
await door.directory.apply(addDomain('acme.example'), addUser('ann@acme.example', GEHEIM));

const ANN = 'ann@acme.example';
const own = searchFor(userDn(ANN));

/** The result code of a bind, and what the server says with it. */
async function bind(client: RawClient, mechanism: string, credentials?: string): Promise<[code: number, said: string]> {
  const octets = credentials === undefined ? undefined : Buffer.from(credentials);
  client.request({
    kind: 'bind',
    version: 3,
    name: '',
    authentication: { method: 'sasl', mechanism, credentials: octets },
  });
  const { operation } = (await client.response())!;
  assert.ok(operation.kind === 'bindResponse');
  return [operation.result.resultCode, Buffer.from(operation.serverCredentials ?? '').toString()];
}

test('a bind in one request, and in as many as its mechanism takes', async () => {
  using client = await RawClient.open(door.port);
  assert.deepEqual(await bind(client, 'PLAIN', `\0${ANN}\0geheim`), [0, '']);
  assert.equal(await codeOf(client, own), 0);
  assert.deepEqual(await bind(client, 'PLAIN'), [14, '']);
  assert.deepEqual(await bind(client, 'PLAIN', `\0${ANN}\0geheim`), [0, '']);
  assert.deepEqual(await bind(client, 'login'), [14, 'Username:']);
  assert.deepEqual(await bind(client, 'LOGIN', ANN), [14, 'Password:']);
  // Until it has succeeded the connection is anonymous.
  assert.equal(await codeOf(client, own), 32);
  assert.deepEqual(await bind(client, 'LOGIN', 'geheim'), [0, '']);
  assert.equal(await codeOf(client, own), 0);
});

test('a name may be a DN, and so may whom it acts for; it acts for nobody else', async () => {
  using client = await RawClient.open(door.port);
  const dn = `dn:${userDn(ANN)}`;
  for (const authzid of ['', ANN, `u:${ANN}`, dn, dn.toUpperCase().replace('DN:', 'dn:')])
    for (const name of [ANN, dn])
      assert.deepEqual(await bind(client, 'PLAIN', `${authzid}\0${name}\0geheim`), [0, ''], `${authzid} ${name}`);
  for (const authzid of ['dn:cn=Directory Manager', 'dn:no dn', 'u:bob', 'dn:'])
    assert.deepEqual(await bind(client, 'PLAIN', `${authzid}\0${ANN}\0geheim`), [49, ''], authzid);
});

test('another bind in between ends the one that was under way', async () => {
  using client = await RawClient.open(door.port);
  assert.deepEqual(await bind(client, 'LOGIN', ANN), [14, 'Password:']);
  assert.equal(await client.bind('', ''), 0);
  assert.deepEqual(await bind(client, 'LOGIN', 'geheim'), [14, 'Password:']);
  assert.deepEqual(await bind(client, ''), [7, '']);
  assert.deepEqual(await bind(client, 'LOGIN', ANN), [14, 'Password:']);
  assert.deepEqual(await bind(client, 'PLAIN', 'geheim'), [49, '']);
  assert.deepEqual(await bind(client, 'LOGIN', 'geheim'), [14, 'Password:']);
  assert.equal(await codeOf(client, own), 32);
});
