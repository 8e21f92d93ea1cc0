import assert from 'node:assert/strict';
import { test } from 'node:test';
import { operation } from '../database/operation.ts';
import { SegmentFigures } from './segment-figures.ts';
import { TestStore } from './testing.ts';

const fill = operation('test.fill', async (tx, args: { readonly from: number; readonly to: number }) => {
  for (let id = args.from; id < args.to; id++)
    await tx.run('INSERT INTO segment (id, thread, opened, closed, bytes, dead) VALUES (?, 1, 1, 2, 100, 30)', id);
});
const spoil = operation('test.spoil', async (tx, _: object) => {
  await tx.run('UPDATE segment SET bytes = NULL WHERE id = 1');
  await tx.run('UPDATE segment SET dead = 90 WHERE id = 2');
});

test('sums of closed segments are said when all have been looked at, some thousand a slice, and then what has changed', async (context) => {
  const store = new TestStore();
  context.after(() => store.close());
  const said = { live: 0, dead: 0 };
  let times = 0;
  const figures = new SegmentFigures(store.database.reader, (state, difference) => {
    said[state] += difference;
    times++;
  });
  await store.database.writer.execute(fill, { from: 1, to: 12_001 });
  assert.deepEqual([await figures.run(), await figures.run(), times], [0, 0, 0]);
  assert.ok((await figures.run()) > 0);
  assert.deepEqual(said, { live: 12_000 * 70, dead: 12_000 * 30 });
  await store.database.writer.execute(spoil, {});
  while ((await figures.run()) === 0);
  assert.deepEqual(said, { live: 11_998 * 70 + 10, dead: 11_998 * 30 + 90 });
});
