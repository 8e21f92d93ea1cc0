// What has moved in the zones is kept for 30 days, and of a million changes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TENANT } from '../base/tenant.ts';
import { operation } from '../database/operation.ts';
import { openTestDatabase, type TestDatabase } from '../database/testing.ts';
import { directoryUnit } from '../directory/tables.ts';
import { changedSince, isKnownSince, pruneZoneChanges, ZoneFollower } from './changes.ts';
import { zonesUnit } from './tables.ts';

const DAY = 86_400_000;
const NOW = 1_800_000_000_000;

interface Made {
  readonly from: number;
  readonly to: number;
  readonly at: number;
}

/** A change a revision. */
const make = operation('test.make', (tx, { from, to, at }: Made) =>
  tx.run(
    `WITH RECURSIVE n (n) AS (SELECT ? UNION ALL SELECT n + 1 FROM n WHERE n < ?)
     INSERT INTO zone_change (tenant, revision, path, kind, before, at) SELECT ?, n, 'example acme ', 'name', NULL, ? FROM n`,
    from,
    to,
    TENANT,
    at,
  ),
);

function open(context: { after(end: () => void): void }): TestDatabase {
  const database = openTestDatabase([directoryUnit, zonesUnit]);
  context.after(() => database.close());
  return database;
}

async function pruned({ writer }: TestDatabase): Promise<number> {
  let all = 0;
  for (let some = 1; some > 0; all += some) some = await writer.execute(pruneZoneChanges, NOW);
  return all;
}

function range({ reader }: TestDatabase): readonly unknown[] {
  return reader.arrays('SELECT count(*), min(revision), max(revision) FROM zone_change')[0]!;
}

test('what is older than 30 days goes, in slices', async (context) => {
  const database = open(context);
  await database.writer.execute(make, { from: 1, to: 25_000, at: NOW - 30 * DAY - 1 });
  await database.writer.execute(make, { from: 25_001, to: 25_010, at: NOW - 30 * DAY });
  assert.equal(await database.writer.execute(pruneZoneChanges, NOW), 10_000);
  assert.equal(await pruned(database), 15_000);
  assert.deepEqual(range(database), [10, 25_001, 25_010]);
  assert.deepEqual(changedSince(database.reader, 25_005 as never), { all: false, paths: ['example acme '] });
});

test('of more than a million the oldest go', async (context) => {
  const database = open(context);
  await database.writer.execute(make, { from: 1, to: 1_012_345, at: NOW });
  assert.equal(await pruned(database), 12_345);
  assert.deepEqual(range(database), [1_000_000, 12_346, 1_012_345]);
});

test('a clock that was set back for a while leaves no gap: what was before it goes with what was written then', async (context) => {
  const database = open(context);
  await database.writer.execute(make, { from: 1, to: 10, at: NOW });
  await database.writer.execute(make, { from: 11, to: 20, at: 0 });
  await database.writer.execute(make, { from: 21, to: 30, at: NOW });
  assert.equal(await pruned(database), 20);
  assert.deepEqual(range(database), [10, 21, 30]);
});

test('who asks for changes of which some are gone is told so, and who asks for later ones is not', async (context) => {
  const database = open(context);
  const { reader, writer } = database;
  const late = new ZoneFollower(reader);
  await writer.execute(make, { from: 1, to: 20, at: 0 });
  await writer.execute(make, { from: 21, to: 21, at: NOW });
  assert.equal(changedSince(reader, 0 as never)?.paths.length, 1);
  assert.equal(await pruned(database), 20);
  assert.deepEqual(
    [0, 19, 20, 21].map((revision) => isKnownSince(reader, revision as never)),
    [false, false, true, true],
  );
  assert.equal(changedSince(reader, 19 as never), undefined);
  assert.deepEqual(changedSince(reader, 20 as never)?.paths, ['example acme ']);
  assert.deepEqual(changedSince(reader, 21 as never)?.paths, []);
  assert.equal(late.follow(), undefined);
});
