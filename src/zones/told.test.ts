// What another server is told of the zones: what it lacks, or all marks where that is too much or not known any more.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DAY_MS } from '../base/duration.ts';
import type { Revision } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import { operation, type Reader } from '../database/operation.ts';
import { openTestDatabase } from '../database/testing.ts';
import { pruneZoneChanges } from './changes.ts';
import { ZONES_VERSION } from './compile.ts';
import { zonesUnit } from './tables.ts';
import { changeDomain } from './testing.ts';
import { encodeZonesTold, parseZonesTold, ZoneNews, type ZonesTold } from './told.ts';

const CHANGES_MAX = 10_000;

/** All that who has this revision is told. */
function told(reader: Reader, since: Revision | undefined): readonly ZonesTold[] {
  const upTo = reader.revision();
  const news = new ZoneNews(reader, { since, from: upTo });
  const pages = [...news.begin(upTo)];
  for (let isAtEnd = false; !isAtEnd; ) {
    const next = news.beside(
      () => ({ isAtEnd: true }),
      () => upTo,
    );
    if (next.told !== undefined) pages.push(next.told);
    ({ isAtEnd } = next);
  }
  return pages;
}

const summary = (pages: readonly ZonesTold[]) => ({
  isWhole: pages[0]!.begins?.isWhole,
  marks: pages.flatMap(({ marks }) => marks.map(({ path }) => path)),
  changes: pages.flatMap(({ changes }) => changes.map(({ path, revision }) => [path, revision])),
});

/** So many changes of one name. */
const addChanges = operation('test.addChanges', async (tx, count: number): Promise<void> => {
  for (let i = 0; i < count; i++)
    await tx.run(
      `INSERT INTO zone_change (tenant, revision, path, kind, before, at) VALUES (?, ?, 'example acme ', 'name', NULL, ?)`,
      ...[TENANT, await tx.nextRevision(), Date.now()],
    );
});

async function scene(use: (database: ReturnType<typeof openTestDatabase>) => Promise<void>): Promise<void> {
  const database = openTestDatabase([zonesUnit]);
  try {
    for (const name of ['acme.example', 'b.example', 'c.example'])
      await database.writer.execute(changeDomain, { after: name });
    await use(database);
  } finally {
    database.close();
  }
}

test('who has a revision is told what has moved since, in pages; who has none all marks', () =>
  scene(async ({ reader, writer }) => {
    const since = reader.revision();
    assert.deepEqual(summary(told(reader, since)), { isWhole: false, marks: [null], changes: [] });
    const revision = await writer.execute(changeDomain, { before: 'b.example' });
    const [begins, page, ...others] = told(reader, since);
    assert.deepEqual(begins?.begins, { isWhole: false, version: ZONES_VERSION });
    assert.deepEqual(others, []);
    assert.deepEqual(page?.changes, [
      {
        ...{ revision, path: 'example b ', kind: 'name', key: '', isMember: true },
        ...{ before: '{"domain":"mail"}', entry: Buffer.from('b.example').toString('hex').padEnd(32, '0') },
      },
    ]);
    const marks = page?.marks.filter(({ path }) => path === 'example b ');
    assert.deepEqual(marks, [{ path: 'example b ', changed: revision, changedBelow: 0 }]);
    assert.deepEqual(
      page?.marks.map(({ path }) => path),
      ['example b ', 'example ', null],
    );
    assert.deepEqual(summary(told(reader, undefined)), {
      isWhole: true,
      marks: [null, null, 'example acme ', 'example b ', 'example c '],
      changes: [],
    });
    // More than one page of them is told once each, in order.
    await writer.execute(addChanges, 250);
    const { changes } = summary(told(reader, revision as Revision));
    assert.deepEqual(
      changes.map(([, at]) => at),
      Array.from({ length: 250 }, (_, i) => revision + 1 + i),
    );
  }));

test('who lacks too much, or what is not known any more, is told all marks', () =>
  scene(async ({ reader, writer }) => {
    const since = reader.revision();
    await writer.execute(addChanges, CHANGES_MAX);
    assert.equal(told(reader, since)[0]?.begins?.isWhole, false);
    await writer.execute(addChanges, 1);
    assert.equal(told(reader, since)[0]?.begins?.isWhole, true);
    const late = reader.revision();
    await writer.execute(changeDomain, { after: 'd.example' });
    await writer.execute(pruneZoneChanges, Date.now() + 31 * DAY_MS);
    await writer.execute(pruneZoneChanges, Date.now() + 31 * DAY_MS);
    assert.equal(told(reader, late)[0]?.begins?.isWhole, true);
    assert.equal(told(reader, reader.revision())[0]?.begins?.isWhole, false);
  }));

test('octets that say nothing of zones are none of it', () => {
  const change = {
    revision: 7 as Revision,
    path: 'example ',
    kind: 'key',
    key: 's1',
    before: null,
    entry: null,
  } as const;
  const whole = { marks: [{ path: null, changed: 1, changedBelow: 0 }], changes: [{ ...change, isMember: false }] };
  assert.deepEqual(parseZonesTold(encodeZonesTold(whole)), whole);
  for (const text of [
    ...['', 'null', '[]', '{"marks":[]}', '{"marks":[["a",1]],"changes":[]}', '{"marks":[[1,1,1]],"changes":[]}'],
    '{"marks":[],"changes":[[7,"a ","taken","",null,null,0]]}',
    '{"marks":[],"changes":[["7","a ","name","",null,null,0]]}',
    '{"marks":[],"changes":[[7,"a ","name","",{},null,0]]}',
  ])
    assert.equal(parseZonesTold(Buffer.from(text)), undefined, text);
});
