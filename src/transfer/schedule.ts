// Who works on which queue row when: due rows are leased, gathered into deliveries, handed to channels, and recorded.
//
// In      queue rows whose time has come; notifications of commits; a timer for the next due time
// Out     deliveries through channels; outcomes by record.ts; reports by notify.ts
// States  a row: due -> held (leased, where another host is asked) -> recorded. A lane is the rows of one destination
// Limits  deliveriesMax deliveries at once, LANE_DELIVERIES a destination and one while others wait; HELD_MAX rows in memory
// Errors  the writer refuses (disk full): everything waits and is tried again; an outcome is recorded until it is
// Never   asks the wall clock when something is due; delivers a row that is not leased to it
// RFC 5321 §4.5.4.1

import type { Clock } from '../base/clock.ts';
import { asFailure } from '../base/failure.ts';
import { idText } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { Operation, Reader, Writer } from '../database/operation.ts';
import type { RemoteResult } from './channels/smtp.ts';
import type { StoreArguments, Stored } from './channels/store.ts';
import { QueueClock, type RetryPolicy, type Timing } from './clock.ts';
import { Lanes } from './lanes.ts';
import { beginRun, leaseRows } from './leases.ts';
import { LocalWork } from './local-work.ts';
import { type Outcome, outcome } from './outcome.ts';
import { type ChannelName, dueRows, NOTIFY_LANE, nextDueAt, type QueueRow, STORE_LANE } from './queue.ts';
import { record } from './record.ts';

/** Rows of one query, and of one lease. */
const PICK_ROWS = 500;
/** Rows in memory, some hundred bytes each. */
const HELD_MAX = 10_000;
/** A pick takes at most this share of the thread: rows of busy lanes are passed over one by one. */
const PICK_SHARE = 4;
const PAUSE_MS = 1000;
const PAUSE_MAX_MS = 30_000;
/** The longest sleep: what is due is asked for again. */
const SLEEP_MAX_MS = 60_000;

export interface ScheduleParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly log: Log;
  readonly policy: RetryPolicy;
  readonly deliveriesMax: number;
  readonly nextId: () => number;
  readonly smtp: { deliver(rows: readonly QueueRow[], signal: AbortSignal): Promise<RemoteResult> };
  readonly store: Operation<StoreArguments, Stored>;
  /** Reports rows of one message and one sender that have failed. */
  readonly notify: (rows: readonly QueueRow[]) => Promise<void>;
  /** For the metrics: so many recipients more. */
  readonly count: (channel: ChannelName, result: Outcome['result'], count: number) => void;
}

export class Schedule {
  readonly #parts: ScheduleParts;
  readonly #clock: QueueClock;
  readonly #lease: number;
  readonly #lanes: Lanes;
  readonly #local: LocalWork;
  readonly #abort = new AbortController();
  readonly #running = new Set<Promise<void>>();
  #isStarted = false;
  #stopping = false;
  #picking = false;
  #isPickWanted = false;
  /** Queue time of the last look: what was due then has been taken, or waits for a place. */
  #pickedAt = 0;
  /** Not before this time, of the monotonic clock. */
  #pickAt = 0;
  #queryMs = 0;
  #pauseMs = 0;
  #wakeTimer: NodeJS.Timeout | undefined;
  #dueTimer: NodeJS.Timeout | undefined;

  constructor(parts: ScheduleParts) {
    this.#parts = parts;
    this.#clock = new QueueClock(parts.clock);
    this.#lease = parts.nextId();
    this.#lanes = new Lanes(parts.deliveriesMax, (lane, rows) => this.#track(this.#deliver(lane, rows)));
    this.#local = new LocalWork({
      ...parts,
      timing: () => this.#timing(),
      record: (message, rows, outcomes) => this.#recordOnce(message, rows, outcomes),
    });
  }

  /** Voids the leases of the last run, then begins. */
  async start(): Promise<void> {
    const { retryMs, expireMs } = this.#parts.policy;
    await this.#parts.writer.execute(beginRun, { now: this.#clock.now(), retryMs, expireMs });
    this.#isStarted = true;
    this.wake();
  }

  /** Something may be due. Cheap: many calls are one look. Before `start` nothing is looked at. */
  wake(): void {
    if (!this.#isStarted || this.#stopping || this.#wakeTimer !== undefined) return;
    const waitMs = Math.max(0, this.#pickAt - this.#parts.clock.monotonic());
    this.#wakeTimer = setTimeout(() => {
      this.#wakeTimer = undefined;
      this.#track(this.#pick());
    }, waitMs);
  }

  /**
   * Begins nothing more and cuts what has not sent its final dot; those rows are tried at the next start. Resolves when
   * every outcome that is known is recorded; what a host has not answered within `graceMs` is not known.
   */
  async stop(graceMs = 5000): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#wakeTimer);
    clearTimeout(this.#dueTimer);
    this.#lanes.close();
    this.#abort.abort();
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([this.#finished(), grace]);
    clearTimeout(timer);
  }

  async #finished(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #timing(): Timing {
    const { retryMs, expireMs } = this.#parts.policy;
    return { retryMs, expireMs, now: this.#clock.now(), startedAt: this.#clock.startedAt };
  }

  #track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => this.#parts.log.error('transfer.schedule', { detail: asFailure(error).detail }))
      .finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }

  async #pick(): Promise<void> {
    this.#isPickWanted = true;
    if (this.#picking) return;
    this.#picking = true;
    this.#queryMs = 0;
    try {
      while (this.#isPickWanted && !this.#stopping) {
        this.#isPickWanted = false;
        await this.#pickBlock();
      }
      this.#pauseMs = 0;
      const rested = this.#parts.clock.monotonic() + Math.min(PAUSE_MS, PICK_SHARE * this.#queryMs);
      this.#pickAt = Math.max(this.#pickAt, rested);
      this.#sleep();
    } catch (error) {
      this.#pause(error);
    } finally {
      this.#picking = false;
    }
  }

  async #pickBlock(): Promise<void> {
    this.#pickedAt = this.#clock.now();
    const limit = Math.min(PICK_ROWS, HELD_MAX - this.#lanes.heldRows);
    const busy = [...this.#lanes.full(), ...this.#local.busy()];
    if (limit <= 0) return;
    const before = this.#parts.clock.monotonic();
    const rows = dueRows(this.#parts.reader, this.#pickedAt, busy, limit);
    this.#queryMs += this.#parts.clock.monotonic() - before;
    if (rows.length === 0) return;
    const ofLane = (row: QueueRow): string => (row.state === 'failed' ? NOTIFY_LANE : row.channel);
    const { smtp = [], store = [], [NOTIFY_LANE]: failed = [] } = Object.groupBy(rows, ofLane);
    // A full block: there may be more, of lanes that are not full yet. A row of no lane of ours is the checker's to name.
    this.#isPickWanted ||= rows.length >= limit / 2 && smtp.length + store.length + failed.length > 0;
    if (store.length > 0) this.#track(this.#workOn(STORE_LANE, this.#local.deliver(store)));
    if (failed.length > 0) this.#track(this.#workOn(NOTIFY_LANE, this.#local.notify(failed)));
    if (smtp.length > 0) this.#lanes.add(await this.#leased(smtp));
  }

  async #workOn(lane: string, work: Promise<void>): Promise<void> {
    try {
      await work;
      this.wake();
    } catch (error) {
      this.#pause(error, lane);
    }
  }

  async #leased(rows: readonly QueueRow[]): Promise<QueueRow[]> {
    const args = { rows: rows.map((row) => row.id), lease: this.#lease };
    const leased = new Set(await this.#parts.writer.execute(leaseRows, args));
    return rows.filter((row) => leased.has(row.id));
  }

  /** The store cannot be written or read now. */
  #pause(error: unknown, lane?: string): void {
    this.#pauseMs = Math.min(PAUSE_MAX_MS, Math.max(PAUSE_MS, 2 * this.#pauseMs));
    this.#pickAt = this.#parts.clock.monotonic() + this.#pauseMs;
    const { kind, detail, message } = asFailure(error);
    this.#parts.log.warn('transfer.pause', { kind, detail: detail ?? message, lane, pauseMs: this.#pauseMs });
    this.wake();
  }

  #sleep(): void {
    clearTimeout(this.#dueTimer);
    if (this.#stopping) return;
    const next = nextDueAt(this.#parts.reader, this.#pickedAt) ?? Number.POSITIVE_INFINITY;
    const waitMs = Math.max(1, Math.min(SLEEP_MAX_MS, next - this.#clock.now()));
    this.#dueTimer = setTimeout(() => this.wake(), waitMs);
  }

  /** One delivery of a lane: rows of one message. */
  async #deliver(lane: string, rows: readonly QueueRow[]): Promise<void> {
    let leave: RemoteResult['leave'];
    try {
      const result = await this.#ask(rows);
      leave = result.leave;
      if (this.#stopping && result.outcomes.every(({ result: came }) => came === 'deferred')) return;
      await this.#recordAll(rows, result.outcomes);
      leave?.();
      leave = undefined;
      if (!result.isUnreachable) return;
      const others = this.#lanes.takeWaiting(lane);
      const [came] = result.outcomes;
      await Promise.all(others.map((waiting) => this.#recordAll(waiting, new Array(waiting.length).fill(came))));
    } finally {
      leave?.();
      this.#lanes.done(lane, rows);
      // What was put off may be due already, and what was passed over may come now.
      if (this.#lanes.hasRoom(lane)) this.wake();
    }
  }

  async #ask(rows: readonly QueueRow[]): Promise<RemoteResult> {
    try {
      return await this.#parts.smtp.deliver(rows, this.#abort.signal);
    } catch (error) {
      const { detail, message } = asFailure(error);
      this.#parts.log.error('transfer.deliver', { queue: idText(rows[0]!.message), detail: detail ?? message });
      const internal = outcome('deferred', '4.3.0', 'Internal error, it is tried again');
      return { outcomes: rows.map(() => internal), isUnreachable: false, leave: undefined };
    }
  }

  /** What another host has taken is taken: the outcome is kept until the store takes it too. */
  async #recordAll(rows: readonly QueueRow[], outcomes: readonly Outcome[]): Promise<void> {
    for (let waitMs = PAUSE_MS; ; waitMs = Math.min(PAUSE_MAX_MS, 2 * waitMs)) {
      try {
        await this.#recordOnce(rows[0]!.message, rows, outcomes);
        this.#logDelivery(rows, outcomes);
        return;
      } catch (error) {
        const { kind, detail, message } = asFailure(error);
        this.#parts.log.warn('transfer.record', { queue: idText(rows[0]!.message), kind, detail: detail ?? message });
        if (this.#stopping) return;
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
  }

  #recordOnce(message: number, rows: readonly QueueRow[], outcomes: readonly Outcome[]): Promise<void> {
    const args = {
      message,
      outcomes: rows.map((row, index) => ({ row: row.id, recipient: row.recipient, outcome: outcomes[index]! })),
      timing: this.#timing(),
      at: this.#parts.clock.now(),
    };
    return this.#parts.writer.execute(record, args, 256 + 300 * rows.length);
  }

  #logDelivery(rows: readonly QueueRow[], outcomes: readonly Outcome[]): void {
    const count = (result: Outcome['result']): number => outcomes.filter((came) => came.result === result).length;
    for (const result of ['delivered', 'deferred', 'failed'] as const) this.#parts.count('smtp', result, count(result));
    const { status, words, remote } = outcomes[0]!;
    this.#parts.log.info('transfer.deliver', {
      queue: idText(rows[0]!.message),
      destination: rows[0]!.destination,
      delivered: count('delivered'),
      deferred: count('deferred'),
      failed: count('failed'),
      status,
      remote,
      words,
    });
  }
}
