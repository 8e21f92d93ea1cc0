// What an administrator does to queue rows: try them now, take them away.
//
// Ids that no row has are given back, so that a face can say "not found". Limits: MANAGED_ROWS rows an operation.

import type { QueueRowId } from '../base/ids.ts';
import { operation, type Transaction, type Writer } from '../database/operation.ts';
import { pausedChannels } from '../routing/channels.ts';
import { stateIn } from '../routing/generation.ts';
import { settingsIn } from '../routing/setting-rows.ts';
import { settingsOf } from '../routing/settings.ts';
import { continueJourney } from './journey.ts';
import { rowsIn } from './queue.ts';
import { endRows } from './record.ts';
import { releaseRows } from './release.ts';

/** More rows than this come in several calls. */
export const MANAGED_ROWS = 2000;

export interface Managed {
  readonly changed: number;
  /** Rows that a channel works on, and that stay as they are for that. */
  readonly busy?: number;
  /** Rows that are held, and that stay so. */
  readonly held?: number;
  /** Ids without a row. */
  readonly unknown: readonly QueueRowId[];
}

/** Due at once; the recipient of a held one is resolved again. A row that is being worked on stays so. */
export const retryRows = operation(
  'transfer.retry',
  async (tx, { rows }: { readonly rows: readonly QueueRowId[] }): Promise<Managed> => {
    const known = await rowsIn(tx, rows);
    await tx.run(
      'UPDATE queue SET next_attempt = 0 WHERE lease = 0 AND id IN (SELECT value FROM json_each(?))',
      JSON.stringify(known.map((row) => row.id)),
    );
    const held = known.filter(({ heldBy }) => heldBy === 'routing');
    const paused = held.length === 0 ? [] : await pausedIn(tx);
    await releaseRows(
      tx,
      held.filter(({ channel }) => !paused.includes(channel)).map(({ id }) => id),
    );
    if (known.length > 0) tx.afterCommit({ kind: 'queue' });
    return { changed: known.length, unknown: unknownOf(rows, known) };
  },
);

async function pausedIn(tx: Transaction): Promise<string[]> {
  const { generation } = await stateIn(tx);
  return pausedChannels(settingsOf(await settingsIn(tx, generation)));
}

/**
 * A slice of the rows above `after`, without those that are held: they wait for a change, not for a time. Gives the last id
 * of the slice, undefined at the end.
 */
export const retrySlice = operation('transfer.retrySlice', async (tx, { after }: { readonly after: number }) => {
  const rows = await tx.arrays(
    "SELECT id FROM queue WHERE id > ? AND state <> 'held' ORDER BY id LIMIT +?",
    after,
    MANAGED_ROWS,
  );
  const last = rows.length === 0 ? undefined : Number(rows[rows.length - 1]![0]);
  if (last === undefined) return { changed: 0, last };
  await tx.run('UPDATE queue SET next_attempt = 0 WHERE lease = 0 AND id > ? AND id <= ?', after, last);
  tx.afterCommit({ kind: 'queue' });
  return { changed: rows.length, last };
});

/** All rows due at once, in slices: mail that comes meanwhile is not held up. Gives how many there were. */
export async function retryAll(writer: Writer): Promise<number> {
  let changed = 0;
  for (let after = 0; ; ) {
    const slice = await writer.execute(retrySlice, { after });
    changed += slice.changed;
    if (slice.last === undefined) return changed;
    after = slice.last;
  }
}

/** The rows go without a report; the journey says so. What a channel is sending just now may still arrive. */
export const removeRows = operation(
  'transfer.remove',
  async (tx, args: { readonly rows: readonly QueueRowId[]; readonly at: number }): Promise<Managed> => {
    const known = await rowsIn(tx, args.rows);
    const ofMessage = Map.groupBy(known, (row) => row.message);
    for (const [message, rows] of ofMessage) {
      await endRows(
        tx,
        message,
        rows.map((row) => row.id),
      );
      const events = rows.map(({ recipient }) => ({
        event: 'removed' as const,
        recipient,
        status: '5.7.1 by the administrator',
      }));
      await continueJourney(tx, message, args.at, events);
    }
    return { changed: known.length, unknown: unknownOf(args.rows, known) };
  },
);

function unknownOf(asked: readonly QueueRowId[], known: readonly { readonly id: QueueRowId }[]): QueueRowId[] {
  const ids = new Set(known.map((row) => row.id));
  return asked.filter((id) => !ids.has(id));
}
