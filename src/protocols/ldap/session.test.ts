// The session over a real socket: what is offered, in which order things happen, what ends it.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Failure } from '../../base/failure.ts';
import { type LogFields, silentLog } from '../../base/log.ts';
import { add, addDomain, addUser, userDn } from '../../provisioning/testing.ts';
import { codeOf, disconnected, hex, NOTHING, openTestDoor, RawClient, searchFor, simpleBind } from './testing.ts';

const door = await openTestDoor();
after(() => door.close());

test('extended operations that are not known are refused as the standard says', async () => {
  using client = await RawClient.open(door.port);
  assert.equal(await codeOf(client, { kind: 'extended', name: '1.2.3', value: undefined }), 2);
  assert.equal(await codeOf(client, searchFor('')), 0);
});

test('a critical control that is not supported stops the operation, another is ignored', async () => {
  using client = await RawClient.open(door.port);
  const paged = { type: '2.16.840.1.113730.3.4.9', value: hex('3005 020164 0400') };
  client.request(searchFor(''), [{ ...paged, critical: true }]);
  const refused = (await client.result())!;
  assert.deepEqual([refused.code, refused.entries], [12, []]);
  client.request(searchFor(''), [{ ...paged, critical: false }]);
  assert.deepEqual((await client.result())!.entries, ['']);
  client.request(searchFor(''), [{ type: '2.16.840.1.113730.3.4.2', critical: true, value: undefined }]);
  assert.equal((await client.result())!.code, 0);
  client.request(simpleBind('', ''), [{ type: '2.16.840.1.113730.3.4.2', critical: true, value: undefined }]);
  assert.equal((await client.result())!.code, 12);
});

test('the fifth wrong bind of a connection gets its response, and then the connection ends', async () => {
  using client = await RawClient.open(door.port);
  assert.equal(await client.bind(), 0);
  for (let i = 1; i <= 4; i++) assert.equal(await client.bind(`cn=nobody ${i},o=internet`, 'guess'), 49);
  assert.equal(await codeOf(client, searchFor('')), 0);
  client.request(simpleBind('cn=nobody 5,o=internet', 'guess'));
  client.request(searchFor(''));
  assert.equal((await client.result())?.code, 49);
  assert.equal(await client.result(), undefined);
});

test('requests sent without waiting are carried out in their order', async () => {
  using client = await RawClient.open(door.port);
  await client.bind();
  const dn = 'dc=order,dc=acme,dc=example,o=internet';
  const added = client.request({
    kind: 'add',
    dn,
    attributes: [
      { name: 'objectClass', values: ['domain'] },
      { name: 'dc', values: ['order'] },
    ],
  });
  client.request(searchFor(dn));
  const modified = client.request({
    kind: 'modify',
    dn,
    modifications: [{ operation: 'add', attribute: 'description', values: ['x'] }],
  });
  client.request({ kind: 'compare', dn, attribute: 'description', value: 'X' });
  const deleted = client.request({ kind: 'delete', dn });
  const last = client.request(searchFor(dn));
  const codes = new Map<number, number>();
  for (let i = 0; i < 6; i++) {
    const { messageId, code } = (await client.result())!;
    codes.set(messageId, code);
  }
  // The writes are committed together: what stands between them may see all of them.
  assert.deepEqual(
    [added, modified, deleted].map((id) => codes.get(id)),
    [0, 0, 0],
  );
  assert.equal(codes.get(last), 32);
});

test('unbind ends the connection without a word', async () => {
  using client = await RawClient.open(door.port);
  client.request(searchFor(''));
  await client.result();
  client.request({ kind: 'unbind' });
  assert.equal(await client.response(), undefined);
});

test('a stopping server says so', async () => {
  using client = await RawClient.open(door.port);
  client.request(searchFor(''));
  await client.result();
  door.sessions.at(-1)!.shutDown();
  assert.match(await disconnected(client), /^52 /);
});

test('success is sent after the commit, never before, and a failure of the commit is the response', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let calls = 0;
  const door = await openTestDoor({
    door: {
      submitInOrder: () => async () => {
        if (++calls === 1) return promise.then(() => NOTHING);
        throw new Failure('full', 'The disk is full');
      },
    },
  });
  using client = await RawClient.open(door.port);
  await client.bind();
  client.request({ kind: 'delete', dn: 'dc=x,o=internet' });
  let answered = false;
  const answer = client.result().finally(() => {
    answered = true;
  });
  using other = await RawClient.open(door.port);
  other.request(searchFor(''));
  assert.equal((await other.result())!.code, 0);
  assert.equal(answered, false);
  resolve();
  assert.equal((await answer)!.code, 0);
  client.request({ kind: 'delete', dn: 'dc=x,o=internet' });
  const full = (await client.result())!;
  assert.deepEqual([full.code, full.text], [52, 'The disk is full']);
  await door.close();
});

test('a bind waits for all operations before it, and what follows it is not read until it is done', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const callers: string[] = [];
  const door = await openTestDoor({
    door: {
      submitInOrder:
        () =>
        async ({ caller }) => {
          callers.push(caller.kind);
          await promise;
          return NOTHING;
        },
    },
  });
  using client = await RawClient.open(door.port);
  await client.bind();
  client.request({ kind: 'delete', dn: 'dc=x,o=internet' });
  client.request(simpleBind('', ''));
  client.request({ kind: 'delete', dn: 'dc=x,o=internet' });
  resolve();
  const codes = [];
  for (let i = 0; i < 3; i++) codes.push((await client.result())!.code);
  assert.deepEqual(codes, [0, 0, 0]);
  assert.deepEqual(callers, ['administrator', 'anonymous']);
  await door.close();
});

test('a bug is an internal failure without its words, and the connection goes on', async () => {
  const door = await openTestDoor({
    door: {
      submitInOrder: () => async () => {
        throw new TypeError('secret path /etc/shadow');
      },
    },
  });
  using client = await RawClient.open(door.port);
  await client.bind();
  client.request({ kind: 'delete', dn: 'dc=x,o=internet' });
  const { code, text } = (await client.result())!;
  assert.equal(code, 52);
  assert.doesNotMatch(text, /shadow/);
  client.request(searchFor('o=internet'));
  assert.equal((await client.result())!.code, 0);
  await door.close();
});

test('an address that is taken is no fault of ours', async () => {
  const faults: unknown[] = [];
  const note = (event: string, fields?: LogFields): void => void faults.push([event, fields]);
  const door = await openTestDoor({ door: { log: { ...silentLog, warn: note, error: note } } });
  await door.directory.apply(addDomain('acme.example'), addUser('ann@acme.example'), addUser('bob@acme.example'));
  using client = await RawClient.open(door.port);
  await client.bind();
  client.request({
    kind: 'modify',
    dn: userDn('bob@acme.example'),
    modifications: [{ operation: 'add', attribute: 'mailAlternateAddress', values: ['ann@acme.example'] }],
  });
  const { code, text } = (await client.result())!;
  assert.deepEqual([code, text], [19, 'the address ann@acme.example is in use already']);
  assert.deepEqual(faults, []);
  await door.close();
});

test('silence ends a connection: before the first message, in the middle of one, and after the last', async () => {
  const door = await openTestDoor({ limits: { loginTimeoutMs: 3000, commandTimeoutMs: 3500, idleTimeoutMs: 4000 } });
  const silent = await RawClient.open(door.port);
  assert.equal(await silent.response(), undefined);
  const half = await RawClient.open(door.port);
  half.request(searchFor(''));
  await half.result();
  half.send(hex('3005'));
  // More octets do not lengthen the time that a message has.
  const drip = setInterval(() => half.send(hex('02')), 1000);
  assert.match(await disconnected(half), /^2 The message did not end in time/);
  clearInterval(drip);
  const idle = await RawClient.open(door.port);
  await idle.bind();
  assert.equal(await idle.response(), undefined);
  await door.close();
});

test('a client that never reads its answer is cut off', async () => {
  const door = await openTestDoor({ limits: { commandTimeoutMs: 3000 } });
  const people = Array.from({ length: 200 }, (_, i) =>
    add(`cn=p${i},o=internet`, { objectClass: 'person', cn: `p${i}`, sn: 'x', description: 'y'.repeat(100_000) }),
  );
  for (let at = 0; at < people.length; at += 20) await door.directory.apply(...people.slice(at, at + 20));
  using client = await RawClient.open(door.port);
  await client.bind();
  client.socket.pause();
  client.request(searchFor('o=internet', { scope: 'sub' }));
  while (door.connections() > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  await door.close();
});
