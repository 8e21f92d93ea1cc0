import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../base/failure.ts';
import { idOf } from '../base/ids.ts';
import { Batch } from './batch.ts';
import { openForWriting, Statements } from './connection.ts';
import { operation } from './operation.ts';
import { openTestDatabase } from './testing.ts';

const units = [
  {
    name: 'test',
    migrations: [{ version: 1, statements: ['CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)'] }],
  },
];

const insert = operation('test.insert', async (tx, name: string) => {
  await tx.run('INSERT INTO item (name) VALUES (?)', name);
  tx.afterCommit({ kind: 'queue' });
  return name.length;
});

const insertThenFail = operation('test.insertThenFail', async (tx, name: string) => {
  await tx.run('INSERT INTO item (name) VALUES (?)', name);
  await tx.nextRevision();
  tx.afterCommit({ kind: 'mailboxes', account: idOf(7) });
  throw new Failure('denied', 'no');
});

const insertThenRollBack = operation('test.insertThenRollBack', async (tx, name: string) => {
  await tx.run('INSERT INTO item (name) VALUES (?)', name);
  tx.afterCommit({ kind: 'mailboxes', account: idOf(7) });
  return tx.rollbackWith({ revision: await tx.nextRevision(), items: (await tx.all('SELECT name FROM item')).length });
});

const revise = operation('test.revise', (tx) => tx.nextRevision());

const wait = operation('test.wait', async (tx, name: string) => {
  await tx.run('INSERT INTO item (name) VALUES (?)', name);
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
});

test('an operation that rolls back with a result gives it and leaves no trace, its neighbours stay', async () => {
  const { reader, writer, onNotification, close } = openTestDatabase(units);
  const kinds: string[] = [];
  onNotification((notification) => kinds.push(notification.kind));
  assert.equal(await writer.execute(insert, 'a'), 1);
  const before = await writer.execute(revise, undefined);
  assert.deepEqual(await writer.execute(insertThenRollBack, 'b'), { revision: before + 1, items: 2 });
  assert.equal(await writer.execute(revise, undefined), before + 1);
  assert.equal(await writer.execute(insert, 'b'), 1);
  assert.deepEqual(kinds, ['queue', 'queue']);
  assert.deepEqual(
    reader.all('SELECT name FROM item ORDER BY name').map(({ name }) => name),
    ['a', 'b'],
  );
  close();
});

test('a failing operation leaves no trace, its neighbours stay', async () => {
  const { reader, writer, shared, onNotification, close } = openTestDatabase(units);
  const kinds: string[] = [];
  onNotification((notification) => kinds.push(notification.kind));
  const results = await Promise.allSettled([
    writer.execute(insert, 'a'),
    writer.execute(insertThenFail, 'b'),
    writer.execute(revise, undefined),
    writer.execute(insert, 'c'),
  ]);
  assert.deepEqual(
    results.map((result) => result.status),
    ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
  );
  assert.deepEqual(
    reader.all('SELECT name FROM item ORDER BY id').map((row) => row['name']),
    ['a', 'c'],
  );
  assert.deepEqual(kinds, ['queue', 'queue']);
  assert.equal(shared.revision(), 1, 'the failed operation took no revision');
  close();
});

test('an operation that waits for the world is refused, and is undone', async () => {
  const { reader, writer, close } = openTestDatabase(units);
  await assert.rejects(writer.execute(wait, 'x'), { kind: 'unavailable' });
  assert.equal(reader.get('SELECT count(*) AS n FROM item')?.['n'], 0);
  close();
});

test('a statement error is temporary for the caller and names itself for the log', async () => {
  const { writer, close } = openTestDatabase(units);
  await writer.execute(insert, 'same');
  await assert.rejects(writer.execute(insert, 'same'), (error: Failure) => {
    assert.equal(error.kind, 'unavailable');
    assert.match(error.detail ?? '', /test\.insert: .*UNIQUE/);
    return true;
  });
  close();
});

test('a database that is full refuses the whole batch as temporary, and takes new work afterwards', async () => {
  const { path, reader, close } = openTestDatabase(units);
  const database = openForWriting(path, 'OFF');
  const statements = new Statements(database);
  const operations = new Map([[insert.name, insert as never]]);
  const pages = Number(database.prepare('PRAGMA page_count').get()?.['page_count']);
  database.exec(`PRAGMA max_page_count = ${pages + 2}`);
  const batch = new Batch(database, statements, operations);
  await batch.add({ name: insert.name, args: 'small' });
  await batch.add({ name: insert.name, args: 'x'.repeat(100_000) });
  const { outcomes } = batch.commit();
  assert.equal('failure' in outcomes[1]! && outcomes[1].failure.kind, 'full');
  database.exec('PRAGMA max_page_count = 100000');
  const next = new Batch(database, statements, operations);
  await next.add({ name: insert.name, args: 'y'.repeat(100_000) });
  assert.deepEqual(next.commit().outcomes, [{ result: 100_000 }]);
  assert.ok(Number(reader.get('SELECT count(*) AS n FROM item')?.['n']) >= 1);
  database.close();
  close();
});

const tally = operation('test.tally', (tx, [isUndone, ...differences]: readonly [boolean, ...number[]]) => {
  for (const difference of differences) tx.tally('UPDATE item SET id = id + ?', difference);
  if (isUndone) tx.rollbackWith(null);
});

test('differences are written at the end of an operation, and none of one that is undone', async () => {
  const { path, reader, writer, close } = openTestDatabase(units);
  await writer.execute(insert, 'a');
  const database = openForWriting(path, 'OFF');
  const batch = new Batch(database, new Statements(database), new Map([[tally.name, tally as never]]));
  for (const args of [
    [true, 1000],
    [false, 1, 5, -2],
    [false, 10, -10],
    [true, 1000],
    [false, 100],
  ])
    await batch.add({ name: tally.name, args });
  batch.commit();
  assert.equal(reader.get('SELECT id FROM item')?.['id'], 105);
  database.close();
  close();
});

test('what a snapshot reads is one state', async () => {
  const { reader, writer, close } = openTestDatabase(units);
  await writer.execute(insert, 'before');
  const counts = reader.snapshot(() => {
    const first = reader.get('SELECT count(*) AS n FROM item')?.['n'];
    return [first, reader.snapshot(() => reader.get('SELECT count(*) AS n FROM item')?.['n'])];
  });
  assert.deepEqual(counts, [1, 1]);
  close();
});
