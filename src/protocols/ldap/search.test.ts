// Long searches: at the speed of the client, within its limits, and no longer than their client waits for them.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { add, remove } from '../../provisioning/testing.ts';
import { openTestDoor, RawClient, searchFor, type TestDoor } from './testing.ts';

describe('many entries', () => {
  const COUNT = 1500;
  let door: TestDoor;
  before(async () => {
    door = await openTestDoor();
    const people = Array.from({ length: COUNT }, (_, i) =>
      add(`cn=p${i},ou=many,o=internet`, {
        objectClass: 'person',
        cn: `p${i}`,
        sn: 'x',
        description: 'y'.repeat(20_000),
      }),
    );
    await door.directory.apply(add('ou=many,o=internet', { objectClass: 'organizationalUnit', ou: 'many' }));
    for (let at = 0; at < COUNT; at += 100) await door.directory.apply(...people.slice(at, at + 100));
  });
  after(() => door.close());

  const everything = searchFor('ou=many,o=internet', { scope: 'sub' });

  test('a client that does not read holds little memory, others are served, and it gets all in the end', async () => {
    using client = await RawClient.open(door.port);
    await client.bind();
    client.socket.pause();
    client.request(everything);
    using other = await RawClient.open(door.port);
    for (let i = 0; i < 50; i++) {
      other.request(searchFor(''));
      assert.equal((await other.result())!.code, 0);
    }
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 100; i++) await new Promise(setImmediate);
    // All of it together is 30 MB.
    assert.ok(process.memoryUsage().arrayBuffers - before < 4 * 1024 * 1024);
    client.socket.resume();
    const { code, entries } = (await client.result())!;
    assert.equal(code, 0);
    assert.equal(new Set(entries).size, COUNT + 1);
  });

  test('an abandoned search stops and has no result, whether it runs or waits', async () => {
    using client = await RawClient.open(door.port);
    await client.bind();
    client.socket.pause();
    const running = client.request(everything);
    const waiting = client.request(everything);
    client.request({ kind: 'abandon', abandoned: running });
    client.request({ kind: 'abandon', abandoned: waiting });
    client.request({ kind: 'abandon', abandoned: 4711 });
    const last = client.request(searchFor('o=internet'));
    client.socket.resume();
    const { messageId, entries } = (await client.result())!;
    assert.equal(messageId, last);
    assert.ok(entries.length < COUNT);
  });

  test('a client that goes away in the middle of a search leaves nothing behind', async () => {
    using client = await RawClient.open(door.port);
    await client.bind();
    client.request(everything);
    await client.response();
    client.socket.resetAndDestroy();
    await once(client.socket, 'close');
    using other = await RawClient.open(door.port);
    await other.bind();
    other.request(searchFor('o=internet'));
    assert.equal((await other.result())!.code, 0);
  });

  test('the size limit of the client is kept to the entry', async () => {
    using client = await RawClient.open(door.port);
    await client.bind();
    const cases = [
      [1, 1, 4],
      [64, 64, 4],
      [65, 65, 4],
      [COUNT, COUNT, 4],
      [COUNT + 1, COUNT + 1, 0],
      [COUNT + 2, COUNT + 1, 0],
    ] as const;
    for (const [sizeLimit, found, expected] of cases) {
      client.request({ ...everything, sizeLimit, attributes: ['1.1'] });
      const { code, entries } = (await client.result())!;
      assert.deepEqual([entries.length, code], [found, expected]);
    }
    client.request({ ...everything, scope: 'one', sizeLimit: COUNT, attributes: ['1.1'] });
    assert.equal((await client.result())!.code, 0);
  });

  test('more requests than may wait are read as others end', async () => {
    using client = await RawClient.open(door.port);
    await client.bind();
    const ids = Array.from({ length: 500 }, () =>
      client.request(searchFor('ou=many,o=internet', { attributes: ['ou'] })),
    );
    const answered = [];
    for (const _ of ids) answered.push((await client.result())!.messageId);
    assert.deepEqual(answered, ids);
  });
});

test('the time limit of the client ends a search that takes several turns', async () => {
  let now = 0;
  const clock = { now: () => 0, monotonic: () => (now += 100) };
  const door = await openTestDoor({ door: { clock } });
  const people = Array.from({ length: 500 }, (_, i) =>
    add(`cn=p${i},o=internet`, { objectClass: 'person', cn: `p${i}`, sn: 'x' }),
  );
  await door.directory.apply(...people);
  using client = await RawClient.open(door.port);
  await client.bind();
  client.request(searchFor('o=internet', { scope: 'sub', timeLimit: 1 }));
  const { code, entries } = (await client.result())!;
  assert.equal(code, 3);
  assert.ok(entries.length > 0 && entries.length < 500);
  await door.close();
});

test('a base that has gone, and a referral that has come, count at the next search', async () => {
  const door = await openTestDoor();
  using client = await RawClient.open(door.port);
  await client.bind();
  const kinds = async (base: string): Promise<string> => {
    client.request(searchFor(base, { scope: 'sub', text: '(ou=base)' }));
    const kinds: string[] = [];
    for (;;) {
      const { operation } = (await client.response())!;
      if (operation.kind === 'searchDone') return [...kinds, operation.result.resultCode].join(' ');
      kinds.push(operation.kind);
    }
  };
  try {
    const base = add('ou=base,o=internet', { objectClass: 'organizationalUnit', ou: 'base' });
    await door.directory.apply(base);
    for (let round = 0; round < 2; round++) assert.equal(await kinds('ou=base,o=internet'), 'searchEntry 0');
    await door.directory.apply(remove('ou=base,o=internet'));
    assert.equal(await kinds('ou=base,o=internet'), '32');
    await door.directory.apply(base);
    for (let round = 0; round < 2; round++) assert.equal(await kinds('o=internet'), 'searchEntry 0');
    const away = { objectClass: ['referral', 'extensibleObject'], cn: 'away', ref: 'ldap://other.example/' };
    await door.directory.apply(add('cn=away,o=internet', away));
    assert.equal(await kinds('o=internet'), 'searchReference searchEntry 0');
    await door.directory.apply(remove('cn=away,o=internet'));
    assert.equal(await kinds('o=internet'), 'searchEntry 0');
  } finally {
    await door.close();
  }
});
