// What happens at a time of the wall clock: mail that was to wait until then is due (FUTURERELEASE), mail that had to be there by
// then fails, or its delay is reported (DELIVERBY), and what no moderator has decided about comes back.
//
// In      rows with a time; the wall clock, which may jump
// Out     rows due at once, failed with 5.4.7, or with a report of their delay due; SLICE_ROWS a transaction
// States  asleep -> looking -> asleep; without a row that has a time there is no timer
// Limits  it sleeps NAP_MS at most, so that it follows a clock that jumps; two looks are LOOK_MS apart
// Errors  what the writer cannot take now is tried again at the next look
// Never   touches a row that a channel works on: an attempt may still deliver it; ends what is held, but for moderation
// RFC 4865 §4, RFC 2852 §4.1.4 §4.2

import type { Clock } from '../base/clock.ts';
import { HOUR_MS } from '../base/duration.ts';
import { asFailure } from '../base/failure.ts';
import type { Log } from '../base/log.ts';
import { operation, type Reader, type Transaction, type Writer } from '../database/operation.ts';
import { wants } from '../message/envelope.ts';
import { MADE_CHANNEL } from './channels/made.ts';
import { failUnattempted } from './fail.ts';
import { continueJourney } from './journey.ts';
import { carriedBy, idsText, type QueueRow, queueRow } from './queue.ts';

const SLICE_ROWS = 500;
const NAP_MS = 60_000;
const LOOK_MS = 1000;
/** Nobody waits for the minute in which a moderator's time is over. */
const MODERATION_MS = HOUR_MS;

interface FutureArguments {
  /** Wall clock. */
  readonly now: number;
}

const AT_ITS_TIME = { status: '5.4.7', words: 'Not delivered by the time that its sender has set' };
const UNDECIDED = { status: '5.4.7', words: 'No moderator has decided about it in time' };

/** Gives whether there may be more. */
export const futureSlice = operation('transfer.future', async (tx, { now }: FutureArguments): Promise<boolean> => {
  const released = await releaseInTime(tx, now);
  const late = (
    await tx.all(
      `SELECT * FROM queue WHERE deliver_by IS NOT NULL AND state = 'waiting' AND deliver_by <= ? AND lease = 0
       ORDER BY deliver_by LIMIT +?`,
      now,
      SLICE_ROWS,
    )
  ).map(queueRow);
  const { returned = [], reported = [], silent = [] } = Object.groupBy(late, lateness);
  for (const [message, rows] of Map.groupBy(returned, (row) => row.message))
    await failUnattempted(tx, message, rows, { ...AT_ITS_TIME, at: now });
  // Its report is one more than those of the queue's own times, which come as ever: a report adds one (reports/due.ts).
  await tx.run(
    `UPDATE queue SET deliver_by = NULL, delay_due = 1, delays = CASE delay_due WHEN 1 THEN delays ELSE delays - 1 END
     WHERE id IN (SELECT value FROM json_each(?))`,
    idsText(reported),
  );
  await tx.run('UPDATE queue SET deliver_by = NULL WHERE id IN (SELECT value FROM json_each(?))', idsText(silent));
  if (reported.length > 0) tx.afterCommit({ kind: 'queue' });
  return released === SLICE_ROWS || late.length === SLICE_ROWS;
});

/** A held row has had its time, too, and is held on. Resolved again, none of them waits for it once more. */
async function releaseInTime(tx: Transaction, now: number): Promise<number> {
  const rows = await tx.all(
    'SELECT * FROM queue WHERE release_at IS NOT NULL AND release_at <= ? ORDER BY release_at LIMIT +?',
    now,
    SLICE_ROWS,
  );
  if (rows.length === 0) return 0;
  const due = rows.map(queueRow);
  await tx.run(
    `UPDATE queue SET release_at = NULL, next_attempt = 0, options = json_remove(options, '$.envelope.holdUntil')
     WHERE id IN (SELECT value FROM json_each(?))`,
    idsText(due),
  );
  for (const [message, some] of Map.groupBy(due, (row) => row.message)) {
    const status = '2.0.0 the time that its sender has set has come';
    const events = some.map(({ recipient }) => ({ event: 'released' as const, recipient, status }));
    await continueJourney(tx, message, now, events);
  }
  tx.afterCommit({ kind: 'queue' });
  return due.length;
}

function lateness(row: QueueRow): 'returned' | 'reported' | 'silent' {
  try {
    const { envelope } = carriedBy(row);
    if (envelope.by?.mode === 'R') return 'returned';
    return wants(envelope.recipients[0]!, 'DELAY') ? 'reported' : 'silent';
  } catch {
    // It cannot be read: the checker names it.
    return 'silent';
  }
}

/** What moderators have not decided about since `before`. Gives whether there may be more. */
export const expireModeration = operation(
  'transfer.expireModeration',
  async (tx, { before, now }: FutureArguments & { readonly before: number }): Promise<boolean> => {
    const rows = (
      await tx.all(
        `SELECT * FROM queue WHERE ${MADE_CHANNEL} AND held_by = 'moderation' AND created <= ? LIMIT +?`,
        before,
        SLICE_ROWS,
      )
    ).map(queueRow);
    for (const [message, some] of Map.groupBy(rows, (row) => row.message))
      await failUnattempted(tx, message, some, { ...UNDECIDED, at: now });
    return rows.length === SLICE_ROWS;
  },
);

/** Undefined: no row has a time. */
function nextTime(reader: Reader): number | undefined {
  const row = reader.get(
    `SELECT (SELECT min(release_at) FROM queue WHERE release_at IS NOT NULL) AS release,
       (SELECT min(deliver_by) FROM queue WHERE deliver_by IS NOT NULL AND state = 'waiting') AS late`,
  );
  const times = [row?.['release'], row?.['late']].filter((time) => typeof time === 'number');
  return times.length === 0 ? undefined : Math.min(...times);
}

export interface FutureParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly log: Log;
  /** How long a moderator may think. */
  readonly expireMs: number;
}

export class Future {
  readonly #parts: FutureParts;
  #timer: NodeJS.Timeout | undefined;
  /** Of the timer, by the monotonic clock. */
  #lookAt = Number.POSITIVE_INFINITY;
  #running: Promise<void> | undefined;
  #isStarted = false;
  #isStopping = false;
  #moderation: NodeJS.Timeout | undefined;

  constructor(parts: FutureParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#isStarted = true;
    this.#moderation = setInterval(() => this.#track(this.#expireModeration()), MODERATION_MS);
    // A server that is started more often than that looks all the same.
    this.#track(this.#expireModeration());
    this.wake();
  }

  /** A row may have a time. Cheap: many calls are one look. */
  wake(): void {
    this.#lookIn(LOOK_MS);
  }

  /** Resolves when no slice is under way. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#timer);
    clearInterval(this.#moderation);
    await this.#running;
  }

  #lookIn(waitMs: number): void {
    const at = this.#parts.clock.monotonic() + waitMs;
    if (!this.#isStarted || this.#isStopping || this.#lookAt <= at) return;
    clearTimeout(this.#timer);
    this.#lookAt = at;
    this.#timer = setTimeout(() => {
      this.#lookAt = Number.POSITIVE_INFINITY;
      this.#track(this.#look());
    }, waitMs);
  }

  #track(work: Promise<void>): void {
    const before = this.#running;
    this.#running = Promise.all([before, work]).then(
      () => {},
      (error: unknown) => {
        const { detail, message } = asFailure(error);
        this.#parts.log.warn('transfer.future', { detail: detail ?? message });
        this.#lookIn(NAP_MS);
      },
    );
  }

  async #look(): Promise<void> {
    const { reader, writer, clock } = this.#parts;
    const next = nextTime(reader);
    if (next === undefined) return;
    const now = clock.now();
    if (next <= now) while (!this.#isStopping && (await writer.execute(futureSlice, { now })));
    const then = nextTime(reader);
    // One that is late and worked on comes again soon.
    if (then !== undefined) this.#lookIn(Math.max(LOOK_MS, Math.min(NAP_MS, then - clock.now())));
  }

  async #expireModeration(): Promise<void> {
    const { writer, clock, expireMs } = this.#parts;
    const now = clock.now();
    while (!this.#isStopping && (await writer.execute(expireModeration, { now, before: now - expireMs })));
  }
}
