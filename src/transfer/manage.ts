// What an administrator does to queue rows: try them now, take them away. Held and released they are in hold.ts.
//
// Ids that no row has are given back, so that a face can say "not found". Limits: MANAGED_ROWS rows an operation.

import type { QueueRowId } from '../base/ids.ts';
import { operation, type Writer } from '../database/operation.ts';
import { failUnattempted } from './fail.ts';
import { continueJourney } from './journey.ts';
import { isToReport, rowsIn } from './queue.ts';
import { endRows } from './record.ts';

/** More rows than this come in several calls. */
export const MANAGED_ROWS = 2000;

export interface Managed {
  readonly changed: number;
  /** Rows that a channel works on, and that stay as they are for that. */
  readonly busy?: number;
  /** Rows that are held, and that stay so. */
  readonly held?: number;
  /** Rows of which an attempt has perhaps done something already: elsewhere it would be done again. */
  readonly begun?: number;
  /** Rows that stand for lists, which are read here. */
  readonly lists?: number;
  /** Ids without a row. */
  readonly unknown: readonly QueueRowId[];
}

/** Due at once. A row that is being worked on stays so; one that is held is released, not tried (hold.ts). */
export const retryRows = operation(
  'transfer.retry',
  async (tx, { rows }: { readonly rows: readonly QueueRowId[] }): Promise<Managed> => {
    const known = await rowsIn(tx, rows);
    const held = known.filter(({ state }) => state === 'held').length;
    const changed = await tx.run(
      `UPDATE queue SET next_attempt = 0 WHERE lease = 0 AND state <> 'held'
         AND id IN (SELECT value FROM json_each(?))`,
      JSON.stringify(known.map((row) => row.id)),
    );
    if (changed > 0) tx.afterCommit({ kind: 'queue' });
    return { changed, busy: known.length - held - changed, held, unknown: unknownOf(rows, known) };
  },
);

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

export interface RemoveArguments {
  readonly rows: readonly QueueRowId[];
  /** The sender is told: they fail. Rows that a channel works on stay. */
  readonly report?: true;
  /** Wall clock. */
  readonly at: number;
}

const REMOVED = 'The message was removed from the queue by the administrator';

/** The rows go, and the journey says so. What a channel is sending just now may still arrive. */
export const removeRows = operation(
  'transfer.remove',
  async (tx, { rows: asked, report, at }: RemoveArguments): Promise<Managed> => {
    const known = await rowsIn(tx, asked);
    const busy = report === true ? known.filter(({ lease }) => lease > 0).length : 0;
    const removed = report === true ? known.filter((row) => row.lease === 0 && !isToReport(row)) : known;
    for (const [message, rows] of Map.groupBy(removed, (row) => row.message)) {
      if (report === true) {
        await failUnattempted(tx, message, rows, { status: '5.7.1', words: REMOVED, at });
        continue;
      }
      const ids = rows.map((row) => row.id);
      await endRows(tx, message, ids);
      const status = '5.7.1 by the administrator';
      const events = rows.map(({ recipient }) => ({ event: 'removed' as const, recipient, status }));
      await continueJourney(tx, message, at, events);
    }
    return { changed: removed.length, busy, unknown: unknownOf(asked, known) };
  },
);

export function unknownOf(
  asked: readonly QueueRowId[],
  known: readonly { readonly id: QueueRowId }[],
): readonly QueueRowId[] {
  const ids = new Set(known.map((row) => row.id));
  return asked.filter((id) => !ids.has(id));
}
