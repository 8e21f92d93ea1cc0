// Leases: which rows a channel works on. They hold for one run of the transfer unit and are void at its start.

import { idOf, type QueueRowId } from '../base/ids.ts';
import { operation, type Value } from '../database/operation.ts';
import type { RetryPolicy } from './clock.ts';

export interface BeginArguments {
  /** Queue time. */
  readonly now: number;
  readonly retryMs: RetryPolicy['retryMs'];
  /** Channels that have waits of their own. */
  readonly channels: readonly { readonly channel: string; readonly retryMs: RetryPolicy['retryMs'] }[];
}

/** The start of a run: no row is leased, and none waits longer than its step. */
export const beginRun = operation('transfer.begin', async (tx, { now, retryMs, channels }: BeginArguments) => {
  await tx.run('UPDATE queue SET lease = 0 WHERE lease <> 0');
  const cut = async (steps: RetryPolicy['retryMs'], rows: string, ...parameters: Value[]): Promise<void> => {
    const step = `json_extract(?, '$[' || (min(max(attempts, 1), ${steps.length}) - 1) || ']')`;
    const times = JSON.stringify(steps);
    await tx.run(
      `UPDATE queue SET next_attempt = ? + ${step} WHERE next_attempt > ? + ${step} AND release_at IS NULL AND ${rows}`,
      ...[now, times, now, times],
      ...parameters,
    );
  };
  for (const { channel, retryMs: own } of channels) await cut(own, 'channel = ?', channel);
  const names = JSON.stringify(channels.map(({ channel }) => channel));
  await cut(retryMs, 'channel NOT IN (SELECT value FROM json_each(?))', names);
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

/** They are not worked on after all, and nothing has been tried. */
export const returnRows = operation('transfer.return', async (tx, { rows, lease }: LeaseArguments): Promise<void> => {
  await tx.run(
    'UPDATE queue SET lease = 0 WHERE lease = ? AND id IN (SELECT value FROM json_each(?))',
    lease,
    JSON.stringify(rows),
  );
});
