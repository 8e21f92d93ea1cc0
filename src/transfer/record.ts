// Outcome -> done, tried again later, or failed permanently. One operation for the recipients of one attempt.
//
// delivered  the row and its reference go
// deferred   the next attempt is a step of `[queue] retry` away; a row that has waited longer than `expire` fails: 4.4.7
// failed     the row stays in the state `failed` until its sender has a report (reports/send.ts); it goes at once where
//            none is wanted
// deferred   for longer than `[queue] delay`: a report of the delay is due, once
// An outcome may name an operation of this host: that runs first, and what it gives counts. Mail that the channel has made
// is accepted here too.
// RFC 5321 §4.5.4.1, RFC 3463 §3.5

import type { MessageId, QueueRowId } from '../base/ids.ts';
import { type Operation, operation, type Transaction } from '../database/operation.ts';
import { wants } from '../message/envelope.ts';
import { dropReferences } from '../store/deliver.ts';
import { type AcceptArguments, accept } from './accept.ts';
import type { WrittenMessage } from './channels/channel.ts';
import { stepMs, type Timing, waitedMs } from './clock.ts';
import { fateOfRow, takeBack } from './custody.ts';
import { EXPAND_LIST, expandList } from './expand-list.ts';
import { continueJourney, type JourneyEvent } from './journey.ts';
import { LOCAL_DELIVERY, type LocalOperation, type LocalResult, localDelivery } from './local-delivery.ts';
import { type Outcome, outcome, outcomeText } from './outcome.ts';
import type { PlaceParts } from './place.ts';
import { carriedBy, type Done, deleteRows, isToReport, type QueueRow, rowsIn } from './queue.ts';
import { noticeDue } from './reports/due.ts';
import { REROUTE, reroute } from './reroute.ts';

/** An outcome on its way to the writer: `made` is its `messages`, ready to be accepted. */
export interface RecordedOutcome extends Omit<Outcome, 'messages'> {
  readonly made?: readonly AcceptArguments[];
}

export interface RowOutcome {
  readonly row: QueueRowId;
  /** For the journey, where the row has been removed meanwhile. */
  readonly recipient: string;
  readonly outcome: RecordedOutcome;
}

export interface RecordArguments {
  readonly message: MessageId;
  /** For local operations; undefined where no outcome names one. */
  readonly written: WrittenMessage | undefined;
  readonly outcomes: readonly RowOutcome[];
  readonly timing: Timing;
  /** Wall clock, for the journey. */
  readonly at: number;
}

/**
 * The result for each row, in order: `replaced`, rows of other recipients stand for it; `continued`, it stays and is due again;
 * `gone`, it was removed meanwhile.
 */
export type Recorded = readonly (Outcome['result'] | 'replaced' | 'continued' | 'gone')[];

export interface RecordParts extends PlaceParts {
  /** Beside local delivery and the expansion of lists: what outcomes of other local channels name. */
  readonly localOperations?: ReadonlyMap<string, LocalOperation>;
}

export function recordOperation(parts: RecordParts): Operation<RecordArguments, Recorded> {
  const operations = new Map([
    ...(parts.localOperations ?? []),
    [LOCAL_DELIVERY, localDelivery(parts)] as const,
    [REROUTE, reroute(parts)] as const,
    [EXPAND_LIST, expandList(parts)] as const,
  ]);
  return operation('transfer.record', (tx, args) => record(tx, args, parts, operations));
}

async function record(
  tx: Transaction,
  args: RecordArguments,
  parts: RecordParts,
  operations: ReadonlyMap<string, LocalOperation>,
): Promise<Recorded> {
  const { message, outcomes, timing, at } = args;
  const ids = outcomes.map(({ row }) => row);
  const rows = new Map((await rowsIn(tx, ids)).map((row) => [row.id, row]));
  const events: JourneyEvent[] = [];
  const settling: Settling = { timing, done: [], events };
  const counting = await countingOutcomes(tx, args, rows, operations, events);
  const recorded: Recorded[number][] = [];
  for (const [index, { row: id, recipient, outcome: said }] of outcomes.entries()) {
    const row = rows.get(id);
    if (row === undefined) {
      // The row was removed while the other host took the message: the journey says that it did.
      if (said.operation === undefined && said.result === 'delivered')
        events.push({ event: 'relayed', recipient, status: outcomeText(said) });
      recorded.push('gone');
      continue;
    }
    // It has failed meanwhile: its operation has not run, so that nothing has been delivered.
    if (said.operation !== undefined && isToReport(row)) {
      recorded.push('failed');
      continue;
    }
    // It is held since a local channel was asked, which needs no lease.
    if (row.state === 'held') {
      recorded.push('continued');
      continue;
    }
    const counted = counting[index]!;
    if (counted === 'silent') {
      settling.done.push(id);
      recorded.push('delivered');
      continue;
    }
    if (counted === 'kept') {
      recorded.push('continued');
      for (const made of said.made ?? []) await accept(tx, made, parts);
      continue;
    }
    if (counted === 'continued') {
      recorded.push(counted);
      continue;
    }
    if (typeof counted === 'string') settling.done.push(id);
    else await settle(tx, row, counted, settling);
    const result = typeof counted === 'string' ? counted : counted.result;
    recorded.push(result);
    if (result !== said.result && !(result === 'replaced' && said.result === 'delivered')) continue;
    for (const made of said.made ?? []) await accept(tx, made, parts);
  }
  await endRows(tx, message, settling.done);
  await continueJourney(tx, message, at, events);
  return recorded;
}

/** Of each row what counts: the channel's outcome, or what the operation that it names gives, a name at a time. */
async function countingOutcomes(
  tx: Transaction,
  { written, outcomes, at }: RecordArguments,
  rows: ReadonlyMap<QueueRowId, QueueRow>,
  operations: ReadonlyMap<string, LocalOperation>,
  events: JourneyEvent[],
): Promise<(RecordedOutcome | LocalResult)[]> {
  const counting: (RecordedOutcome | LocalResult)[] = outcomes.map(({ outcome: said }) => said);
  const waiting = outcomes.keys().filter((index) => rows.get(outcomes[index]!.row)?.state === 'waiting');
  const named = Map.groupBy(waiting, (index) => outcomes[index]!.outcome.operation?.name);
  for (const [name, indexes] of named) {
    if (name === undefined) continue;
    const run = operations.get(name);
    if (run === undefined || written === undefined) throw new Error(`no local operation ${name}`);
    const results = await run(tx, {
      message: written,
      rows: indexes.map((index) => rows.get(outcomes[index]!.row)!),
      args: indexes.map((index) => outcomes[index]!.outcome.operation!.args),
      events,
      at,
    });
    for (const [number, index] of indexes.entries()) counting[index] = results[number]!;
  }
  return counting;
}

/** The rows are done with: they go, and their references. */
export async function endRows(tx: Transaction, message: MessageId, rows: readonly QueueRowId[]): Promise<void> {
  if (rows.length === 0) return;
  await deleteRows(tx, rows);
  await dropReferences(tx, message, rows.length);
}

interface Settling {
  readonly timing: Timing;
  /** Rows that are done with, for endRows. */
  readonly done: QueueRowId[];
  readonly events: JourneyEvent[];
}

/** Applies an outcome to a row that is there. */
async function settle(tx: Transaction, row: QueueRow, counted: RecordedOutcome, settling: Settling): Promise<void> {
  const { recipient } = row;
  switch (counted.result) {
    case 'delivered': {
      const action = counted.action ?? (counted.operation === undefined ? 'relayed' : 'delivered');
      const isTold = counted.isTraced === true || (counted.isUntold !== true && isToBeTold(row));
      if (isTold) await tell(tx, row, counted, action);
      else settling.done.push(row.id);
      settling.events.push({
        event: action === 'relayed' ? 'relayed' : 'delivered',
        recipient,
        status: outcomeText(counted),
      });
      return;
    }
    case 'failed':
      settling.events.push(await fail(tx, row, counted, settling));
      return;
    case 'deferred':
      settling.events.push(await defer(tx, row, counted, settling));
      return;
    default:
      counted.result satisfies never;
  }
}

/** Nobody wants to know of the failure. Most rows say nothing of it, and are not parsed for it. */
export function isFailureUntold(row: QueueRow): boolean {
  if (!row.options.includes('"notify"')) return false;
  try {
    const { envelope, target } = carriedBy(row);
    return target.options['reportTo'] === undefined && !wants(envelope.recipients[0]!, 'FAILURE');
  } catch {
    return false;
  }
}

/** Whether the sender wants to know of the success. */
function isToBeTold(row: QueueRow): boolean {
  if (!row.options.includes('"notify"')) return false;
  try {
    return wants(carriedBy(row).envelope.recipients[0]!, 'SUCCESS');
  } catch {
    return false;
  }
}

/** The row stays until its sender has a report. */
async function tell(tx: Transaction, row: QueueRow, counted: RecordedOutcome, action: Done['action']): Promise<void> {
  await tx.run(
    `UPDATE queue SET state = 'done', action = ?, lease = 0, attempts = ?, next_attempt = 0, release_at = NULL, delay_due = 0, status = ?,
       remote = ?, last_error = ? WHERE id = ?`,
    action,
    row.attempts,
    ...wordsOf(row, counted),
    row.id,
  );
  tx.afterCommit({ kind: 'queue' });
}

async function defer(
  tx: Transaction,
  row: QueueRow,
  counted: RecordedOutcome,
  settling: Settling,
): Promise<JourneyEvent> {
  const { timing } = settling;
  const waited = waitedMs(timing, row);
  // A report that cannot be made is tried for ever: `failed` rows do not expire, see reports/send.ts.
  if (waited >= timing.expireMs && row.state === 'waiting') return fail(tx, row, expired(counted), settling);
  const attempts = row.attempts + 1;
  // The last attempt stands at the end of the row's time, not up to a step behind it.
  const left = row.state === 'waiting' ? timing.expireMs - waited : Number.POSITIVE_INFINITY;
  const nextAttemptAt = timing.now + Math.max(1, Math.min(stepMs(timing, attempts), left));
  const isNoticed = row.state === 'waiting' && fateOfRow(row) === 'reported';
  const notice = isNoticed ? noticeDue(row, waited, timing.delaysMs ?? []) : undefined;
  await tx.run(
    `UPDATE queue SET lease = 0, attempts = ?, last_attempt = ?, waited = ?, next_attempt = ?, status = ?, remote = ?,
       last_error = ?, delay_due = ?, delays = ? WHERE id = ?`,
    attempts,
    timing.now,
    waited,
    nextAttemptAt,
    ...wordsOf(row, counted),
    row.isDelayDue || notice !== undefined ? 1 : 0,
    notice === undefined ? row.delays : notice - 1,
    row.id,
  );
  if (notice !== undefined) tx.afterCommit({ kind: 'queue' });
  return { event: 'deferred', recipient: row.recipient, status: outcomeText(counted) };
}

async function fail(
  tx: Transaction,
  row: QueueRow,
  counted: RecordedOutcome,
  { timing, done }: Settling,
): Promise<JourneyEvent> {
  const fate = fateOfRow(row);
  if (fate !== 'reported') return takeBack(tx, row, fate, outcomeText(counted));
  const event = { event: 'failed' as const, recipient: row.recipient, status: outcomeText(counted) };
  if (isFailureUntold(row)) {
    done.push(row.id);
    return event;
  }
  await tx.run(
    `UPDATE queue SET state = 'failed', action = 'failed', held_by = NULL, release_at = NULL, delay_due = 0, lease = 0, attempts = ?, last_attempt = ?, next_attempt = 0, status = ?,
       remote = ?, last_error = ? WHERE id = ?`,
    row.attempts + 1,
    timing.now,
    ...wordsOf(row, counted),
    row.id,
  );
  tx.afterCommit({ kind: 'queue' });
  return event;
}

/** A row that is to be reported keeps the words of that, whatever becomes of the attempts to report it. */
function wordsOf(row: QueueRow, counted: RecordedOutcome): [string | null, string | null, string | null] {
  if (isToReport(row)) return [row.status ?? null, row.remote ?? null, row.lastError ?? null];
  return [counted.status, counted.remote ?? null, counted.words];
}

function expired({ status, words, remote }: RecordedOutcome): Outcome {
  return outcome('failed', '4.4.7', `Not delivered in time; the last attempt: ${status} ${words}`, remote);
}
