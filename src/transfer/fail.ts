// Rows that fail without an attempt: an administrator has taken them away, or their time has come.
//
// In      waiting or held rows that no channel works on, of one message
// Out     in the state `failed`, with the words for the report; ended at once where the sender wants to know of no failure; of mail that
//         was in custody as custody.ts says

import type { MessageId, QueueRowId } from '../base/ids.ts';
import type { Transaction } from '../database/operation.ts';
import { fateOfRow, takeBack } from './custody.ts';
import { continueJourney, type JourneyEvent } from './journey.ts';
import type { QueueRow } from './queue.ts';
import { endRows, isFailureUntold } from './record.ts';

export interface Unattempted {
  /** Enhanced. */
  readonly status: string;
  readonly words: string;
  /** Wall clock. */
  readonly at: number;
}

export async function failUnattempted(
  tx: Transaction,
  message: MessageId,
  rows: readonly QueueRow[],
  { status, words, at }: Unattempted,
): Promise<void> {
  const untold: QueueRowId[] = [];
  const told: QueueRowId[] = [];
  const events: JourneyEvent[] = [];
  for (const row of rows) {
    const fate = fateOfRow(row);
    if (fate !== 'reported') {
      events.push(await takeBack(tx, row, fate, `${status} ${words}`));
      continue;
    }
    events.push({ event: 'failed', recipient: row.recipient, status: `${status} ${words}` });
    (isFailureUntold(row) ? untold : told).push(row.id);
  }
  await endRows(tx, message, untold);
  await tx.run(
    `UPDATE queue SET state = 'failed', action = 'failed', held_by = NULL, release_at = NULL, delay_due = 0,
       next_attempt = 0, status = ?, remote = NULL, last_error = ? WHERE id IN (SELECT value FROM json_each(?))`,
    status,
    words,
    JSON.stringify(told),
  );
  if (told.length > 0) tx.afterCommit({ kind: 'queue' });
  await continueJourney(tx, message, at, events);
}
