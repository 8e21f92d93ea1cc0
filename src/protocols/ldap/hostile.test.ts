// What is no LDAP, or too much of it: a clear answer or the end, and no other connection is affected.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import {
  LDAP_ADMINISTRATOR_MESSAGE_BYTES,
  LDAP_ANONYMOUS_MESSAGE_BYTES,
  LDAP_MESSAGE_BYTES,
} from '../../base/limits.ts';
import { addDomain, addUser, userDn } from '../../provisioning/testing.ts';
import { encodeRequest, type LdapRequest } from '../../wire/ldap/message.ts';
import {
  ADMINISTRATOR,
  codeOf,
  disconnected,
  hex,
  NOTHING,
  openTestDoor,
  PASSWORD,
  RawClient,
  searchFor,
  simpleBind,
} from './testing.ts';

const door = await openTestDoor();
after(() => door.close());

test('what is no LDAP gets a notice and the end, and others are served meanwhile', async () => {
  const hostile: readonly (readonly [string, Buffer])[] = [
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['indefinite length', hex('3080 020101 4200 0000')],
    ['length of 2 GiB', hex('3084 7fffffff')],
    ['length of five octets', hex('3085 0000000005 020101 4200')],
    ['over the limit for strangers', hex('3083 010001')],
    ['message ID without octets', hex('3004 0200 4200')],
    ['negative message ID', hex('3005 0201ff 4200')],
    ['message ID of 2^31', hex('3009 02050080000000 4200')],
    ['message ID 0', hex('3005 020100 4200')],
    ['unknown operation', hex('3005 020101 7f00')],
    ['a response', hex('300c 020101 6107 0a0100 0400 0400')],
    ['operation longer than the message', hex('3005 020101 4a05')],
    ['NUL octets', Buffer.alloc(100)],
  ];
  using other = await RawClient.open(door.port);
  for (const [what, bytes] of hostile) {
    using client = await RawClient.open(door.port);
    client.send(bytes);
    assert.match(await disconnected(client), /^2 expected /, what);
    assert.equal(await codeOf(other, searchFor('')), 0);
  }
});

test('a message as large as the limit passes once the sender is known, a larger one of the administrator', async () => {
  using client = await RawClient.open(door.port);
  const ann = userDn('ann@acme.example');
  // {SHA} of `geheim`.
  const userPassword = '{SHA}kGByAB793z4R5tK1eC9Hd/4Dhzk=';
  await door.directory.apply(addDomain('acme.example'), addUser('ann@acme.example', { userPassword }));
  const padded = (bytes: number): LdapRequest => ({ kind: 'extended', name: '1.2.3', value: Buffer.alloc(bytes) });
  const room = (limit: number): number => limit - 40;
  assert.equal(await codeOf(client, padded(room(LDAP_ANONYMOUS_MESSAGE_BYTES))), 2);
  await client.bind();
  assert.equal(await codeOf(client, padded(room(LDAP_ADMINISTRATOR_MESSAGE_BYTES))), 2);
  await client.bind(ann, 'geheim');
  assert.equal(await codeOf(client, padded(room(LDAP_MESSAGE_BYTES))), 2);
  client.request(padded(LDAP_MESSAGE_BYTES));
  assert.match(await disconnected(client), /^2 /);
  using other = await RawClient.open(door.port);
  await other.bind();
  other.request(padded(LDAP_ADMINISTRATOR_MESSAGE_BYTES));
  assert.match(await disconnected(other), /^2 /);
});

test('filters nested twenty thousand deep get an answer, and the connection goes on', async () => {
  using client = await RawClient.open(door.port);
  await client.bind();
  let filter = hex('870161');
  const headers: Buffer[] = [];
  let length = filter.length;
  for (let i = 0; i < 20_000; i++) {
    const header = Buffer.alloc(5);
    header.set([0xa2, 0x83]);
    header.writeUIntBE(length, 2, 3);
    headers.push(header);
    length += 5;
  }
  filter = Buffer.concat([...headers.reverse(), filter]);
  const template = encodeRequest({
    messageId: 7,
    operation: searchFor('o=internet', { text: '(a=*)' }),
    controls: [],
  });
  const at = template.indexOf(hex('870161'));
  const body = Buffer.concat([template.subarray(0, at), filter, template.subarray(at + 3)]);
  // The lengths around the filter are one octet each in the template.
  const grown = Buffer.concat([
    hex('3083'),
    Buffer.alloc(3),
    body.subarray(2, 5),
    hex('6383'),
    Buffer.alloc(3),
    body.subarray(7),
  ]);
  grown.writeUIntBE(grown.length - 5, 2, 3);
  grown.writeUIntBE(grown.length - 13, 10, 3);
  client.send(grown);
  const { messageId, code: refusal, text } = (await client.result())!;
  assert.deepEqual([messageId, refusal], [7, 2]);
  assert.match(text, /nested at most/);
  assert.equal(await codeOf(client, searchFor('o=internet')), 0);
});

test('twenty requests that make no sense end the connection', async () => {
  using client = await RawClient.open(door.port);
  for (let i = 0; i < 20; i++) {
    client.send(hex('300d 020105 6308 0400 0a0109 0a0100'));
    const { messageId, code: refusal } = (await client.result())!;
    assert.deepEqual([messageId, refusal], [5, 2]);
  }
  assert.match(await disconnected(client), /^2 Too many errors/);
});

test('a conversation is the same octet by octet, and all at once', async () => {
  using client = await RawClient.open(door.port);
  const messages: readonly LdapRequest[] = [
    simpleBind(ADMINISTRATOR, PASSWORD),
    searchFor('o=internet', { attributes: ['o'] }),
    { kind: 'compare', dn: 'o=internet', attribute: 'o', value: 'internet' },
    simpleBind('', ''),
    searchFor('o=internet'),
  ];
  const bytes = Buffer.concat(
    messages.map((operation, i) => encodeRequest({ messageId: i + 1, operation, controls: [] })),
  );
  // Answers may come in another order than the requests.
  const outcome = async (): Promise<unknown[]> => {
    const results: [number, number][] = [];
    for (let i = 0; i < messages.length; i++) {
      const { messageId, code: result } = (await client.result())!;
      results.push([messageId, result]);
    }
    return results.sort(([a], [b]) => a - b);
  };
  const expected = [
    [1, 0],
    [2, 0],
    [3, 6],
    [4, 0],
    [5, 32],
  ];
  client.send(bytes);
  assert.deepEqual(await outcome(), expected);
  for (const octet of bytes) {
    client.send(Buffer.of(octet));
    await new Promise(setImmediate);
  }
  assert.deepEqual(await outcome(), expected);
});

test('mutated messages, from a stranger and from the administrator, get an answer or the end, and no other connection is affected', async () => {
  const door = await openTestDoor({
    door: { submitInOrder: () => async () => NOTHING },
    limits: { badCommandsMax: 3 },
  });
  using other = await RawClient.open(door.port);
  const requests: readonly LdapRequest[] = [
    simpleBind('', ''),
    searchFor('o=internet', { scope: 'sub', text: '(&(cn=a*b)(!(sn>=x))(ou:dn:=y))', attributes: ['*', '+'] }),
    { kind: 'compare', dn: 'o=internet', attribute: 'o', value: 'internet' },
    { kind: 'add', dn: 'dc=x,o=internet', attributes: [{ name: 'dc', values: ['x', Uint8Array.of(0xff)] }] },
    { kind: 'modify', dn: 'dc=x,o=internet', modifications: [{ operation: 'replace', attribute: 'dc', values: [] }] },
    { kind: 'modifyDn', dn: 'dc=x,o=internet', newRdn: 'dc=y', deleteOldRdn: true, newSuperior: 'o=internet' },
    { kind: 'delete', dn: 'dc=x,o=internet' },
    { kind: 'extended', name: '1.2.3', value: Uint8Array.of(1) },
    { kind: 'abandon', abandoned: 1 },
  ];
  const seed = Buffer.concat(requests.map((operation) => encodeRequest({ messageId: 7, operation, controls: [] })));
  const mutation = fc.record({ at: fc.nat({ max: seed.length - 1 }), octet: fc.nat({ max: 255 }) });
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(mutation, { minLength: 1, maxLength: 5 }), async (isBound, mutations) => {
      using client = await RawClient.open(door.port);
      if (isBound) await client.bind();
      const bytes = Buffer.from(seed);
      for (const { at, octet } of mutations) bytes[at] = octet;
      client.send(bytes);
      client.request({ kind: 'unbind' });
      client.socket.end();
      while ((await client.response()) !== undefined);
      other.request(searchFor(''));
      assert.equal((await other.result())!.code, 0);
    }),
    { numRuns: 300 },
  );
  await door.close();
});
