// StartTLS: what is answered before it, what is forgotten, what is refused. Its transcripts, as the tools of OpenLDAP cannot
// be made to speak them.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { encodeRequest, type LdapRequest } from '../../wire/ldap/message.ts';
import { START_TLS } from '../../wire/ldap/operations/extended.ts';
import {
  ADMINISTRATOR,
  addNode,
  codeOf,
  openTestDoor,
  PASSWORD,
  RawClient,
  searchFor,
  simpleBind,
  type TestDoor,
} from './testing.ts';

const door = await openTestDoor();
const fromElsewhere = await openTestDoor({ connection: { isPrivate: false } });
after(async () => {
  await door.close();
  await fromElsewhere.close();
});

const startTls: LdapRequest = { kind: 'extended', name: START_TLS, value: undefined };

/** The client goes on in TLS. */
async function secured(client: RawClient, { ca }: TestDoor): Promise<RawClient> {
  client.socket.removeAllListeners('data');
  const socket = connectTls({ socket: client.socket, servername: 'localhost', ca });
  await once(socket, 'secureConnect');
  return RawClient.over(socket);
}

/** What the root DSE says of extensions. */
async function extensions(client: RawClient): Promise<readonly unknown[]> {
  client.request(searchFor('', { attributes: ['supportedExtension'] }));
  const { operation } = (await client.response())!;
  await client.result();
  assert.ok(operation.kind === 'searchEntry');
  return operation.attributes.flatMap(({ values }) => values);
}

/** The rest up to the end of the connection: message IDs and codes. */
async function rest(client: RawClient): Promise<[number, number][]> {
  const results: [number, number][] = [];
  for (let next = await client.result(); next !== undefined; next = await client.result())
    results.push([next.messageId, next.code]);
  return results;
}

test('StartTLS: offered before and not after, and the connection goes on in TLS', async () => {
  using client = await RawClient.open(door.port);
  assert.ok((await extensions(client)).includes(START_TLS));
  client.request(startTls);
  const { operation } = (await client.response())!;
  assert.ok(operation.kind === 'extendedResponse');
  assert.deepEqual([operation.result.resultCode, operation.name], [0, START_TLS]);
  using secure = await secured(client, door);
  assert.ok(!(await extensions(secure)).includes(START_TLS));
  assert.equal(await secure.bind(), 0);
  assert.equal(await codeOf(secure, searchFor('o=internet')), 0);
});

test('from elsewhere a password is taken in TLS alone', async () => {
  using client = await RawClient.open(fromElsewhere.port);
  assert.equal(await client.bind(), 13);
  assert.equal(await codeOf(client, startTls), 0);
  using secure = await secured(client, fromElsewhere);
  assert.equal(await secure.bind(), 0);
});

test('operations before StartTLS are answered first, and what stands behind it in the clear ends the connection', async () => {
  using client = await RawClient.open(door.port);
  const requests = [
    simpleBind(ADMINISTRATOR, PASSWORD),
    addNode('before'),
    searchFor('dc=before,o=internet'),
    startTls,
    addNode('behind'),
  ];
  client.send(
    Buffer.concat(requests.map((operation, i) => encodeRequest({ messageId: i + 1, operation, controls: [] }))),
  );
  const results = await rest(client);
  assert.deepEqual(results.slice(0, 3).sort(), [
    [1, 0],
    [2, 0],
    [3, 0],
  ]);
  assert.deepEqual(results.slice(3), [[4, 1]]);
  using later = await RawClient.open(door.port);
  await later.bind();
  assert.equal(await codeOf(later, searchFor('dc=behind,o=internet')), 32);
});

test('also the beginning of a message behind it', async () => {
  using client = await RawClient.open(door.port);
  const message = encodeRequest({ messageId: 1, operation: startTls, controls: [] });
  client.send(Buffer.concat([message, message.subarray(0, 3)]));
  assert.deepEqual(await rest(client), [[1, 1]]);
});

test('a request in the clear between the response and the handshake is no handshake, and ends the connection', async () => {
  using client = await RawClient.open(door.port);
  assert.equal(await codeOf(client, startTls), 0);
  client.request(searchFor(''));
  assert.equal(await client.response(), undefined);
});

test('behind a bind it is refused, and the connection is anonymous from then on', async () => {
  using client = await RawClient.open(door.port);
  await client.bind();
  assert.equal(await codeOf(client, searchFor('o=internet')), 0);
  assert.equal(await codeOf(client, startTls), 1);
  assert.equal(await codeOf(client, searchFor('o=internet')), 32);
  assert.equal(await codeOf(client, startTls), 0);
  using secure = await secured(client, door);
  assert.equal(await codeOf(secure, searchFor('o=internet')), 32);
});

test('within TLS it is refused, and the login stays; it has no value', async () => {
  using client = await RawClient.open(door.port);
  assert.equal(await codeOf(client, { ...startTls, value: Uint8Array.of(1) } as LdapRequest), 1);
  assert.equal(await codeOf(client, startTls), 0);
  using secure = await secured(client, door);
  await secure.bind();
  assert.equal(await codeOf(secure, startTls), 1);
  assert.equal(await codeOf(secure, searchFor('o=internet')), 0);
});
