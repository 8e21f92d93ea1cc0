// Outcome -> done, tried again later, or failed for good. One operation for the recipients of one attempt.
//
// delivered  the row and its reference go
// deferred   the next attempt is a step of `[queue] retry` away; a row that has waited longer than `expire` fails: 4.4.7
// failed     the row stays in the state `failed` until notify.ts has told the sender
// RFC 5321 §4.5.4.1, RFC 3463 §3.5

import { type Operation, operation, type Transaction } from '../database/operation.ts';
import { dropReferences } from '../store/deliver.ts';
import { stepMs, type Timing, waitedMs } from './clock.ts';
import { continueJourney, type JourneyEvent } from './journey.ts';
import { type Outcome, outcome, outcomeText } from './outcome.ts';
import { deleteRows, type QueueRow, rowsIn } from './queue.ts';

export interface RowOutcome {
  readonly row: number;
  /** For the journey, where the row has been removed meanwhile. */
  readonly recipient: string;
  readonly outcome: Outcome;
}

export interface RecordArguments {
  readonly message: number;
  readonly outcomes: readonly RowOutcome[];
  readonly timing: Timing;
  /** Wall clock, for the journey. */
  readonly at: number;
}

export const record: Operation<RecordArguments, void> = operation('transfer.record', async (tx, args) => {
  const rows = new Map(
    (
      await rowsIn(
        tx,
        args.outcomes.map(({ row }) => row),
      )
    ).map((row) => [row.id, row]),
  );
  const done: number[] = [];
  const events: JourneyEvent[] = [];
  for (const { row: id, recipient, outcome: came } of args.outcomes) {
    const row = rows.get(id);
    if (row !== undefined) events.push(await settle(tx, row, came, args.timing, done));
    // Removed while the other host took it: it is true all the same.
    else if (came.result === 'delivered') events.push({ event: 'relayed', recipient, status: outcomeText(came) });
  }
  await endRows(tx, args.message, done);
  await continueJourney(tx, args.message, args.at, events);
});

/** The rows are done with: they go, and their references. */
export async function endRows(tx: Transaction, message: number, rows: readonly number[]): Promise<void> {
  if (rows.length === 0) return;
  await deleteRows(tx, rows);
  await dropReferences(tx, message, rows.length);
}

/** Applies an outcome to a row that is there; a row that is done with is added to `done`, for endRows. */
export async function settle(
  tx: Transaction,
  row: QueueRow,
  came: Outcome,
  timing: Timing,
  done: number[],
): Promise<JourneyEvent> {
  const { recipient } = row;
  switch (came.result) {
    case 'delivered':
      done.push(row.id);
      return { event: row.channel === 'smtp' ? 'relayed' : 'delivered', recipient, status: outcomeText(came) };
    case 'failed':
      return fail(tx, row, came, timing);
    case 'deferred':
      return defer(tx, row, came, timing);
    default:
      return came.result satisfies never;
  }
}

async function defer(tx: Transaction, row: QueueRow, came: Outcome, timing: Timing): Promise<JourneyEvent> {
  const waited = waitedMs(timing, row);
  // A report that cannot be made is tried for ever: `failed` rows do not expire, see notify.ts.
  if (waited >= timing.expireMs && row.state === 'waiting') return fail(tx, row, expired(came), timing);
  const attempts = row.attempts + 1;
  // The last attempt stands at the end of the row's time, not up to a step behind it.
  const left = row.state === 'waiting' ? timing.expireMs - waited : Number.POSITIVE_INFINITY;
  const nextAttemptAt = timing.now + Math.max(1, Math.min(stepMs(timing, attempts), left));
  await tx.run(
    `UPDATE queue SET lease = 0, attempts = ?, last_attempt = ?, waited = ?, next_attempt = ?, status = ?, remote = ?,
       last_error = ? WHERE id = ?`,
    attempts,
    timing.now,
    waited,
    nextAttemptAt,
    ...wordsOf(row, came),
    row.id,
  );
  return { event: 'deferred', recipient: row.recipient, status: outcomeText(came) };
}

async function fail(tx: Transaction, row: QueueRow, came: Outcome, timing: Timing): Promise<JourneyEvent> {
  await tx.run(
    `UPDATE queue SET state = 'failed', lease = 0, attempts = ?, last_attempt = ?, next_attempt = 0, status = ?,
       remote = ?, last_error = ? WHERE id = ?`,
    row.attempts + 1,
    timing.now,
    ...wordsOf(row, came),
    row.id,
  );
  tx.afterCommit({ kind: 'queue' });
  return { event: 'failed', recipient: row.recipient, status: outcomeText(came) };
}

/** A failed row keeps what it failed of. */
function wordsOf(row: QueueRow, came: Outcome): [string | null, string | null, string | null] {
  if (row.state === 'failed') return [row.status ?? null, row.remote ?? null, row.lastError ?? null];
  return [came.status, came.remote ?? null, came.words];
}

function expired({ status, words, remote }: Outcome): Outcome {
  return outcome('failed', '4.4.7', `Not delivered in time; the last attempt: ${status} ${words}`, remote);
}
