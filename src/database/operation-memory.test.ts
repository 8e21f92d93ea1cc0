// What an operation remembers of what it has read, against tables that it writes to; the next operation begins with nothing.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Failure } from '../base/failure.ts';
import { operation, type RowsOf, type Transaction } from './operation.ts';
import { openTestDatabase } from './testing.ts';

const statements = [
  'CREATE TABLE item (name TEXT PRIMARY KEY, size INTEGER NOT NULL)',
  'CREATE TABLE other (name TEXT PRIMARY KEY)',
];
const database = openTestDatabase([{ name: 'test', migrations: [{ version: 1, statements }] }]);
after(() => database.close());

const ITEMS: RowsOf<number> = { table: 'item', isUnique: true, isSmall: (size) => size < 1000 };
const NAMES: RowsOf<readonly string[]> = { table: 'item', isUnique: false };

let read = 0;

const sizeOf = (tx: Transaction, name: string) =>
  tx.remembered(ITEMS, name, async () => {
    read++;
    return (await tx.arrays('SELECT size FROM item WHERE name = ?', name))[0]?.[0] as number | undefined;
  });

const names = (tx: Transaction) =>
  tx.remembered(NAMES, '', async () => {
    read++;
    return (await tx.arrays('SELECT name FROM item ORDER BY name')).map(([name]) => name as string);
  });

let count = 0;

/** In an operation of its own: what it gives, and how often it has read. */
async function reads<T>(run: (tx: Transaction) => Promise<T>): Promise<[T, number]> {
  read = 0;
  return [await database.writer.execute(operation(`test.${count++}`, run), null), read];
}

test('what is there and what is not is read once', async () => {
  await reads(async (tx) => tx.run("INSERT INTO item (name, size) VALUES ('a', 1)"));
  const found = await reads(async (tx) => [
    await sizeOf(tx, 'a'),
    await sizeOf(tx, 'a'),
    await sizeOf(tx, 'b'),
    await sizeOf(tx, 'b'),
  ]);
  assert.deepEqual(found, [[1, 1, undefined, undefined], 2]);
});

test('an insertion makes it forget what was not there, and lists; another statement all of that table', async () => {
  const inserted = await reads(async (tx) => {
    const before = [await sizeOf(tx, 'a'), await sizeOf(tx, 'c'), await names(tx)];
    await tx.run("INSERT INTO item (name, size) VALUES ('c', 3)");
    return [...before, await sizeOf(tx, 'a'), await sizeOf(tx, 'c'), await names(tx)];
  });
  assert.deepEqual(inserted, [[1, undefined, ['a'], 1, 3, ['a', 'c']], 5]);
  for (const sql of [
    'UPDATE item SET size = size + 1',
    "INSERT OR REPLACE INTO item (name, size) VALUES ('a', 4)",
    "INSERT INTO item (name, size) VALUES ('a', 5) ON CONFLICT (name) DO UPDATE SET size = excluded.size",
    "DELETE FROM item WHERE name = 'a'",
  ]) {
    const [[before, then], times] = await reads(async (tx) => {
      const first = await sizeOf(tx, 'a');
      await tx.run(sql);
      return [first, await sizeOf(tx, 'a')];
    });
    assert.notEqual(then, before, sql);
    assert.equal(times, 2, sql);
  }
  const other = await reads(async (tx) => {
    await sizeOf(tx, 'c');
    await tx.run("INSERT INTO other (name) VALUES ('x')");
    await tx.run('UPDATE other SET name = name');
    return sizeOf(tx, 'c');
  });
  assert.equal(other[1], 1);
});

test('nothing of an operation that is undone is known to the next one of its batch, and what is large is read again', async () => {
  const fails = reads(async (tx) => {
    await tx.run("INSERT INTO item (name, size) VALUES ('gone', 1)");
    await sizeOf(tx, 'gone');
    throw new Failure('denied', 'no');
  });
  const next = reads((tx) => Promise.resolve(sizeOf(tx, 'gone')));
  await assert.rejects(fails, { kind: 'denied' });
  assert.equal((await next)[0], undefined);
  const large = await reads(async (tx) => {
    await tx.run("INSERT INTO item (name, size) VALUES ('large', 1000)");
    return [await sizeOf(tx, 'large'), await sizeOf(tx, 'large')];
  });
  assert.deepEqual(large, [[1000, 1000], 2]);
});
