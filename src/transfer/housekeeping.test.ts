// Old journeys go, and those beyond the number; what is young stays.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DAY_MS } from '../base/duration.ts';
import { idFloor, idOf } from '../base/ids.ts';
import { silentLog } from '../base/log.ts';
import { operation } from '../database/operation.ts';
import { openTestDatabase } from '../database/testing.ts';
import { journeyLimit, pruneJourneys } from './housekeeping.ts';
import { beginJourney, continueJourney } from './journey.ts';
import { forgetReplied } from './replied.ts';
import { transferUnit } from './tables.ts';

test('journeys of thirty days ago go, in slices', async (context) => {
  const { reader, writer, close } = openTestDatabase([transferUnit]);
  context.after(close);
  const now = Date.UTC(2026, 10, 1);
  const fill = operation('test.fill', async (tx, _args: object) => {
    for (let i = 0; i < 5000; i++)
      await beginJourney(tx, idOf(idFloor(now - 40 * DAY_MS) + 64 * i), now, undefined, []);
    for (let i = 0; i < 10; i++) await beginJourney(tx, idOf(idFloor(now - DAY_MS) + 64 * i), now, 'x@y', []);
    await continueJourney(tx, idOf(idFloor(now - DAY_MS)), now, [
      { event: 'relayed', recipient: 'a@b', status: '2.0.0 ok' },
    ]);
  });
  await writer.execute(fill, {});
  const clock = { now: () => now, monotonic: () => 0 };
  await pruneJourneys({ reader, writer, clock, log: silentLog });
  assert.equal(reader.get('SELECT count(*) AS n FROM journey')?.['n'], 11);
  // By number: the youngest four rows stay.
  assert.equal(journeyLimit(reader, now, 4), idFloor(now - DAY_MS) + 64 * 5);
  assert.equal(journeyLimit(reader, now, 100), idFloor(now - 30 * DAY_MS));
});

test('who was answered long ago is forgotten, in slices', async (context) => {
  const { reader, writer, close } = openTestDatabase([transferUnit]);
  context.after(close);
  const fill = operation('test.answer', async (tx, _args: object) => {
    for (let at = 0; at < 2500; at++)
      await tx.run(
        "INSERT INTO replied (tenant, account, sender, hash, at) VALUES (1, 1, ?, x'00', ?)",
        `s${at}@x.example`,
        at,
      );
  });
  await writer.execute(fill, {});
  assert.deepEqual(await writer.execute(forgetReplied, { before: 2400 }), { more: true });
  assert.deepEqual(await writer.execute(forgetReplied, { before: 2400 }), { more: false });
  assert.equal(reader.get('SELECT count(*) AS n FROM replied')?.['n'], 100);
});
