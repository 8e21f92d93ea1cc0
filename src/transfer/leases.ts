// Leases: which rows a channel works on. They hold for one run of the transfer unit and are void at its start.

import { idOf, type QueueRowId } from '../base/ids.ts';
import { operation } from '../database/operation.ts';
import type { RetryPolicy } from './clock.ts';

export interface BeginArguments extends RetryPolicy {
  /** Queue time. */
  readonly now: number;
}

/** The start of a run: no row is leased, and none waits longer than its step. */
export const beginRun = operation('transfer.begin', async (tx, { now, retryMs }: BeginArguments) => {
  await tx.run('UPDATE queue SET lease = 0 WHERE lease <> 0');
  const step = `json_extract(?, '$[' || (min(max(attempts, 1), ${retryMs.length}) - 1) || ']')`;
  const steps = JSON.stringify(retryMs);
  await tx.run(`UPDATE queue SET next_attempt = ? + ${step} WHERE next_attempt > ? + ${step}`, now, steps, now, steps);
});

export interface LeaseArguments {
  readonly rows: readonly QueueRowId[];
  /** Above 0. */
  readonly lease: number;
}

/** Gives the rows that are leased now; others have been removed. */
export const leaseRows = operation(
  'transfer.lease',
  async (tx, { rows, lease }: LeaseArguments): Promise<QueueRowId[]> => {
    const leased = await tx.arrays(
      `UPDATE queue SET lease = ? WHERE id IN (SELECT value FROM json_each(?)) AND lease = 0 AND state = 'waiting'
     RETURNING id`,
      lease,
      JSON.stringify(rows),
    );
    return leased.map(([id]) => idOf<QueueRowId>(id));
  },
);
