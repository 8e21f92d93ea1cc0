// What is due, beside a naive look at every row.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { operation } from '../database/operation.ts';
import { dueRows, type Except } from './due-rows.ts';
import { workKey } from './queue.ts';
import { TestTransfer } from './testing.ts';

interface Written {
  readonly channel: string;
  readonly destination: string;
  readonly state: 'waiting' | 'held' | 'failed' | 'done';
  readonly next: number;
  readonly lease: number;
}

const write = operation('test.write', async (tx, rows: readonly Written[]): Promise<void> => {
  await tx.run('DELETE FROM queue');
  for (const { channel, destination, state, next, lease } of rows)
    await tx.run(
      `INSERT INTO queue (tenant, message, channel, destination, sender, recipient, options, state, created, planned,
         next_attempt, attempts, waited, lease) VALUES (1, 1, ?, ?, '', 'x', '', ?, 0, 0, ?, 0, 0, ?)`,
      ...[channel, destination, state, next, lease],
    );
});

const CHANNELS = ['smtp', 'smtp two', 'a', '\u00e9', '\u{1f600}'];
const DESTINATIONS = ['', 'a.example', 'a.example.net', 'b.example', '[192.0.2.1]:25'];

const row = fc.record({
  channel: fc.constantFrom(...CHANNELS),
  destination: fc.constantFrom(...DESTINATIONS),
  state: fc.constantFrom('waiting' as const, 'waiting' as const, 'held' as const, 'failed' as const, 'done' as const),
  next: fc.constantFrom(0, 0, 5, 10, 15),
  lease: fc.constantFrom(0, 0, 0, 1),
});

const excepted: fc.Arbitrary<Except> = fc.record({
  keys: fc.uniqueArray(
    fc.oneof(
      fc
        .tuple(fc.constantFrom(...CHANNELS), fc.constantFrom(...DESTINATIONS))
        .map(([channel, destination]) => workKey({ state: 'waiting', channel, destination })),
      fc.constant(workKey({ state: 'failed', channel: '', destination: '' })),
    ),
    { maxLength: 6 },
  ),
  channels: fc.uniqueArray(fc.constantFrom(...CHANNELS), { maxLength: 2 }),
});

test('all that is due and not excepted, and nothing else', async (context) => {
  const transfer = await TestTransfer.open();
  context.after(() => transfer.close({ isSpoiled: true }));
  const { reader, writer } = transfer.directory;
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 30 }), excepted, fc.constantFrom(0, 5), async (rows, except, after) => {
      await writer.execute(write, rows);
      const isWanted = (one: Written): boolean => {
        if (one.lease > 0 || one.state === 'held' || except.keys.includes(workKey(one))) return false;
        return one.state !== 'waiting' || !except.channels.includes(one.channel);
      };
      const textOf = ({ channel, destination, state }: Omit<Written, 'next' | 'lease'>, next: number): string =>
        JSON.stringify([channel, destination, state, next]);
      const wanted = rows.filter(isWanted);
      const due = dueRows(reader, { after, now: 10 }, except, 1000);
      const sorted = (all: readonly string[]): string[] => [...all].sort();
      assert.deepEqual(
        sorted(due.fresh.map((one) => textOf(one, one.nextAttemptAt))),
        sorted(wanted.filter(({ next }) => next === 0).map((one) => textOf(one, 0))),
      );
      assert.deepEqual(
        sorted(due.retried.map((one) => textOf(one, one.nextAttemptAt))),
        sorted(wanted.filter(({ next }) => next > after && next <= 10).map((one) => textOf(one, one.next))),
      );
      assert.ok(dueRows(reader, { after, now: 10 }, except, 4).fresh.length <= 2);
    }),
  );
});
