// What a channel commits before it acts where a second time would do harm: the place in a file that it will append to, the run of
// a program. The next attempt reads it (Delivery.rows).
//
// In      a row and its lease, the intention, perhaps an event for the journey
// Out     false: the row is gone, or another run's; then nothing may be done for it

import type { MessageId, QueueRowId } from '../base/ids.ts';
import type { JsonObject } from '../base/json.ts';
import { operation } from '../database/operation.ts';
import { continueJourney, type JourneyEvent } from './journey.ts';

export interface IntendArguments {
  readonly message: MessageId;
  readonly row: QueueRowId;
  readonly lease: number;
  /** Null: none any more. */
  readonly intent: JsonObject | null;
  readonly event?: JourneyEvent;
  /** Wall clock. */
  readonly at: number;
}

export const noteIntent = operation('transfer.intend', async (tx, args: IntendArguments): Promise<boolean> => {
  const { message, row, lease, intent, event, at } = args;
  const own = await tx.arrays(
    "UPDATE queue SET intent = ? WHERE id = ? AND lease = ? AND state = 'waiting' RETURNING id",
    ...[intent === null ? null : JSON.stringify(intent), row, lease],
  );
  if (own.length === 0) return false;
  if (event !== undefined) await continueJourney(tx, message, at, [event]);
  return true;
});
