// Many operations of one connection at once: what waits for what, and how those end whose response is not wanted any more.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { findEntry } from '../../directory/entries.ts';
import { add } from '../../provisioning/testing.ts';
import { encodeRequest, type LdapRequest } from '../../wire/ldap/message.ts';
import { result } from '../../wire/ldap/result.ts';
import type { LdapHandler } from './conversation.ts';
import {
  ADMINISTRATOR,
  addNode,
  disconnected,
  NOTHING,
  openTestDoor,
  PASSWORD,
  RawClient,
  searchFor,
  simpleBind,
  type TestDoor,
} from './testing.ts';

const door = await openTestDoor();
after(() => door.close());

const isThere = (of: TestDoor, name: string): boolean =>
  findEntry(of.directory.reader, `dc=${name},o=internet`) !== undefined;

/** Requests in one packet, numbered from 1. */
function packet(...operations: readonly LdapRequest[]): Buffer {
  return Buffer.concat(operations.map((operation, i) => encodeRequest({ messageId: i + 1, operation, controls: [] })));
}

/** The results until the connection ends, by message ID. */
async function resultsOf(client: RawClient): Promise<Map<number, { code: number; entries: string[] }>> {
  const results = new Map<number, { code: number; entries: string[] }>();
  for (let next = await client.result(); next !== undefined; next = await client.result())
    results.set(next.messageId, { code: next.code, entries: next.entries });
  return results;
}

/** A handler that ends by its signal alone, and what became of it. */
function endless(): { handler: LdapHandler<LdapRequest>; begun: Promise<void>; aborted: Promise<void> } {
  const begun = Promise.withResolvers<void>();
  const aborted = Promise.withResolvers<void>();
  return {
    begun: begun.promise,
    aborted: aborted.promise,
    async handler(_request, operation, session) {
      session.neverEnds(operation);
      begun.resolve();
      if (!operation.signal.aborted) await once(operation.signal, 'abort');
      aborted.resolve();
      return { result: result('success') };
    },
  };
}

const EXTENDED: LdapRequest = { kind: 'extended', name: '1.2.3', value: undefined };

test('a client that half-closes gets all responses', async () => {
  using client = await RawClient.open(door.port);
  const dn = 'dc=said,o=internet';
  client.socket.end(packet(simpleBind(ADMINISTRATOR, PASSWORD), addNode('said'), searchFor(dn)));
  const results = await resultsOf(client);
  assert.deepEqual([...results].sort(), [
    [1, { code: 0, entries: [] }],
    [2, { code: 0, entries: [] }],
    [3, { code: 0, entries: [dn] }],
  ]);
});

test('a half-close within a message drops that message alone', async () => {
  using client = await RawClient.open(door.port);
  const whole = packet(simpleBind(ADMINISTRATOR, PASSWORD), addNode('whole'));
  const part = packet(addNode('part'));
  client.socket.end(Buffer.concat([whole, part.subarray(0, part.length - 1)]));
  const results = await resultsOf(client);
  assert.deepEqual([...results.keys()].sort(), [1, 2]);
  assert.deepEqual([isThere(door, 'whole'), isThere(door, 'part')], [true, false]);
});

test('a long search delays no other operation', async () => {
  const people = Array.from({ length: 3000 }, (_, i) =>
    add(`cn=p${i},ou=long,o=internet`, { objectClass: 'person', cn: `p${i}`, sn: 'x' }),
  );
  await door.directory.apply(add('ou=long,o=internet', { objectClass: 'organizationalUnit', ou: 'long' }), ...people);
  using client = await RawClient.open(door.port);
  await client.bind();
  const long = client.request(searchFor('ou=long,o=internet', { scope: 'sub', text: '(description=nobody)' }));
  const short = client.request(searchFor('ou=long,o=internet'));
  const written = client.request(addNode('meanwhile'));
  const answered = [];
  for (let i = 0; i < 3; i++) answered.push((await client.result())!.messageId);
  assert.deepEqual(answered, [short, written, long]);
});

test('writes are posted as they come, none waits for the commit of another, and reads wait for all before them', async () => {
  const commits = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const posted: string[] = [];
  const door = await openTestDoor({
    door: {
      submitInOrder: () => async (request) => {
        const { promise } = commits[posted.length]!;
        posted.push(request.changes[0]!.dn);
        await promise;
        return NOTHING;
      },
    },
  });
  using client = await RawClient.open(door.port);
  await client.bind();
  const first = client.request(addNode('one'));
  const second = client.request(addNode('two'));
  const reading = client.request(searchFor(''));
  using other = await RawClient.open(door.port);
  other.request(searchFor(''));
  await other.result();
  assert.deepEqual(posted, ['dc=one,o=internet', 'dc=two,o=internet']);
  commits[1]!.resolve();
  assert.equal((await client.result())!.messageId, second);
  commits[0]!.resolve();
  assert.deepEqual([(await client.result())!.messageId, (await client.result())!.messageId], [first, reading]);
  await door.close();
});

test('the fifty-first operation is not read before another has ended', async () => {
  const held: (() => void)[] = [];
  const door = await openTestDoor({
    handlers: {
      compare: () => new Promise((resolve) => held.push(() => resolve({ result: result('compareTrue') }))),
    },
  });
  using client = await RawClient.open(door.port);
  for (let i = 0; i < 50; i++) client.request({ kind: 'compare', dn: '', attribute: 'cn', value: 'x' });
  const last = client.request(searchFor(''));
  while (held.length < 50) await new Promise(setImmediate);
  let isAnswered = false;
  const answer = client.result().finally(() => {
    isAnswered = true;
  });
  for (let i = 0; i < 20; i++) await new Promise(setImmediate);
  assert.equal(isAnswered, false);
  held[7]!();
  assert.equal((await answer)!.messageId, 8);
  assert.equal((await client.result())!.messageId, last);
  await door.close();
});

test('a bind ends an operation that would never end, and gets its own answer', async () => {
  const { handler, begun, aborted } = endless();
  const door = await openTestDoor({ handlers: { extended: handler } });
  using client = await RawClient.open(door.port);
  client.request(EXTENDED);
  await begun;
  const bind = client.request(simpleBind(ADMINISTRATOR, PASSWORD));
  const search = client.request(searchFor('o=internet'));
  await aborted;
  assert.deepEqual([(await client.result())!.messageId, (await client.result())!.messageId], [bind, search]);
  await door.close();
});

test('the end of what the peer says, an unbind, an abandon, a lost connection and the stop abort it', async () => {
  const ends: Record<string, (client: RawClient, door: TestDoor, id: number) => void> = {
    'half-close': (client) => client.socket.end(),
    unbind: (client) => void client.request({ kind: 'unbind' }),
    abandon: (client, _, id) => void client.request({ kind: 'abandon', abandoned: id }),
    lost: (client) => client.socket.resetAndDestroy(),
    stop: (_, door) => door.sessions.at(-1)!.shutDown(),
  };
  for (const end of Object.values(ends)) {
    const { handler, begun, aborted } = endless();
    const door = await openTestDoor({ handlers: { extended: handler } });
    using client = await RawClient.open(door.port);
    const id = client.request(EXTENDED);
    await begun;
    end(client, door, id);
    await aborted;
    await door.close();
  }
});

test('an abandoned write is written, and has no response', async () => {
  using client = await RawClient.open(door.port);
  await client.bind();
  const write = client.request(addNode('abandoned'));
  client.request({ kind: 'abandon', abandoned: write });
  const search = client.request(searchFor('dc=abandoned,o=internet'));
  const { messageId, code } = (await client.result())!;
  assert.deepEqual([messageId, code], [search, 0]);
});

test('a write whose connection is lost is written', async () => {
  const commit = Promise.withResolvers<void>();
  let posted = 0;
  const door = await openTestDoor({
    door: {
      submitInOrder: () => async () => {
        posted++;
        await commit.promise;
        return NOTHING;
      },
    },
  });
  using client = await RawClient.open(door.port);
  await client.bind();
  client.send(packet(addNode('a'), addNode('b'), { kind: 'unbind' }));
  assert.equal(
    await Promise.race([client.response(), new Promise((resolve) => setTimeout(resolve, 50, 'open'))]),
    'open',
  );
  assert.equal(posted, 2);
  commit.resolve();
  assert.equal(await client.response(), undefined);
  await door.close();
});

test('a server that stops answers the writes first, and then says why it ends', async () => {
  const submitted = Promise.withResolvers<void>();
  const commit = Promise.withResolvers<void>();
  const { handler, begun } = endless();
  const door = await openTestDoor({
    door: {
      submitInOrder: () => () => {
        submitted.resolve();
        return commit.promise.then(() => NOTHING);
      },
    },
    handlers: { extended: handler },
  });
  using client = await RawClient.open(door.port);
  await client.bind();
  client.request(EXTENDED);
  await begun;
  const write = client.request(addNode('x'));
  client.request(searchFor(''));
  await submitted.promise;
  door.sessions.at(-1)!.shutDown();
  commit.resolve();
  assert.equal((await client.result())!.messageId, write);
  assert.match(await disconnected(client), /^52 /);
  await door.close();
});

test('answers larger than what is sent at once do not run into each other', async () => {
  const photo = (octet: number): Uint8Array => new Uint8Array(3_000_000).fill(octet);
  for (const [name, octet] of [
    ['big1', 0xf1],
    ['big2', 0xf2],
  ] as const)
    await door.directory.apply({
      kind: 'add',
      dn: `uid=${name},o=internet`,
      attributes: [
        { name: 'objectClass', values: ['inetOrgPerson'] },
        ...['uid', 'cn', 'sn'].map((each) => ({ name: each, values: [name] })),
        { name: 'jpegPhoto', values: [photo(octet)] },
      ],
    });
  using client = await RawClient.open(door.port);
  await client.bind();
  client.socket.pause();
  const names = ['big1', 'big2', 'big1', 'big2'];
  const ids = names.flatMap((name) => [
    client.request(searchFor(`uid=${name},o=internet`)),
    client.request(searchFor('o=internet', { attributes: ['o'] })),
  ]);
  await new Promise((resolve) => setTimeout(resolve, 50));
  client.socket.resume();
  const photos: string[] = [];
  const ended = new Set<number>();
  while (ended.size < ids.length) {
    const { messageId, operation } = (await client.response())!;
    if (operation.kind === 'searchDone') ended.add(messageId);
    if (operation.kind !== 'searchEntry' || !operation.dn.startsWith('uid=')) continue;
    const value = operation.attributes.find(({ name }) => name === 'jpegPhoto')!.values[0]! as Uint8Array;
    photos.push(`${operation.dn.slice(4, 8)} ${value.length} ${new Set(value).size} ${value[0]}`);
  }
  assert.deepEqual(photos.sort(), [
    'big1 3000000 1 241',
    'big1 3000000 1 241',
    'big2 3000000 1 242',
    'big2 3000000 1 242',
  ]);
});
