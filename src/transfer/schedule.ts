// When each queue row is worked on, and by which channel: due rows are leased, gathered into deliveries, handed to channels, and recorded.
//
// In      queue rows whose time has come; the channels' entries; notifications of commits; a timer for the next due time
// Out     attempts through channels (attempt.ts); reports by reports/send.ts
// States  a row: due -> held (leased, where another host is asked) -> recorded
// Limits  deliveriesMax deliveries at once, and those of one destination: destination-concurrency.ts; HELD_MAX rows in memory
// Errors  the writer refuses (disk full): everything waits and is tried again; an outcome is recorded until it is
// Never   picks a row that is held, or one of a channel that is paused; asks the wall clock when something is due; delivers a row that is not leased to it; knows a channel but by its
//         interface
// RFC 5321 §4.5.4.1

import { asFailure } from '../base/failure.ts';
import { idText, type MessageId } from '../base/ids.ts';
import { allChannels, channelNamed, pausedChannels } from '../routing/channels.ts';
import type { ChannelKind, ChannelRow } from '../routing/compile-channel.ts';
import type { RoutingSettings } from '../routing/settings.ts';
import { type Attempt, type AttemptParts, Attempts, endAttempt } from './attempt.ts';
import type { Channel } from './channels/channel.ts';
import { policyOf, QueueClock } from './clock.ts';
import { groupRows } from './deliveries.ts';
import { DestinationConcurrency } from './destination-concurrency.ts';
import { dueRows, type Except } from './due-rows.ts';
import { beginRun, leaseRows, returnRows } from './leases.ts';
import { LocalWork, type LocalWorkParts } from './local-work.ts';
import type { Outcome } from './outcome.ts';
import { isToReport, nextDueAt, type QueueRow, workKey } from './queue.ts';
import { delayedRows } from './reports/due.ts';
import { REROUTE } from './reroute.ts';

/** Rows of one query, and of one lease. */
const PICK_ROWS = 500;
/** Rows in memory, some hundred bytes each. */
const HELD_MAX = 10_000;
/** A pick takes at most this share of the thread. */
const PICK_SHARE = 4;
/** While there is something to do: what comes meanwhile is picked, leased and begun together. */
const PICK_REST_MS = 10;
/** Rows tried before, of what has enough to do, are passed over one by one: from the first one on at most at this share. */
const FULL_LOOK_SHARE = 20;
const PAUSE_MS = 1000;
const PAUSE_MAX_MS = 30_000;
/** The longest sleep: what is due is asked for again. */
const SLEEP_MAX_MS = 60_000;

export interface ScheduleParts extends AttemptParts, LocalWorkParts {
  readonly deliveriesMax: number;
  readonly nextId: () => MessageId;
  /** By kind. */
  readonly channels: ReadonlyMap<ChannelKind, Channel>;
  /** Of due rows those that nobody's suspension holds; undefined: that is known of all of them. */
  readonly free?: (rows: readonly QueueRow[]) => Promise<readonly QueueRow[]>;
}

export class Schedule {
  readonly #parts: ScheduleParts;
  readonly #clock: QueueClock;
  readonly #lease: number;
  readonly #attempts: Attempts;
  readonly #concurrency: DestinationConcurrency;
  readonly #local: LocalWork;
  readonly #abort = new AbortController();
  readonly #running = new Set<Promise<void>>();
  #isStarted = false;
  #stopping = false;
  #picking = false;
  #isPickWanted = false;
  /** Queue time of the last look: what was due then has been taken, or waits for a place. */
  #pickedAt = 0;
  /** Queue time: rows tried before that were due until then have been taken, or passed over. */
  #passedUntil = 0;
  /** Monotonic: from then on all of them are looked at again. */
  #fullLookAt = 0;
  /** The last look has left out what has been passed over. */
  #isPartial = false;
  /** Not before this time, of the monotonic clock. */
  #pickAt = 0;
  #queryMs = 0;
  #hasFound = false;
  #pauseMs = 0;
  #wakeTimer: NodeJS.Timeout | undefined;
  #dueTimer: NodeJS.Timeout | undefined;
  /** Until a rate lets a delivery begin. */
  #rateTimer: NodeJS.Timeout | undefined;
  #settings: RoutingSettings | undefined;

  constructor(parts: ScheduleParts) {
    this.#parts = parts;
    this.#clock = new QueueClock(parts.clock);
    this.#lease = parts.nextId();
    this.#attempts = new Attempts(parts, this.#clock);
    this.#concurrency = new DestinationConcurrency({
      places: parts.deliveriesMax,
      wordsOf: (name) => this.#row(name),
      ownOf: ({ channel, destination }) => this.#channel(channel)?.concurrency?.(destination),
      now: () => parts.clock.monotonic(),
    });
    this.#local = new LocalWork(parts, this.#attempts);
  }

  /** Voids the leases of the last run, then begins. */
  async start(): Promise<void> {
    const { policy, writer } = this.#parts;
    const own = allChannels(this.#parts.routing.settings()).filter(({ backoffMs }) => backoffMs !== undefined);
    const channels = own.map((row) => ({ channel: row.key, retryMs: policyOf(row, policy).retryMs }));
    await writer.execute(beginRun, { now: this.#clock.now(), retryMs: policy.retryMs, channels });
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
    clearTimeout(this.#rateTimer);
    this.#abort.abort();
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([this.#finished(), grace]);
    clearTimeout(timer);
    for (const channel of this.#parts.channels.values()) channel.stop?.();
  }

  async #finished(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => this.#parts.log.error('transfer.schedule', { detail: asFailure(error).detail }))
      .finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }

  #row(name: string): ChannelRow | undefined {
    return channelNamed(this.#parts.routing.settings(), name);
  }

  /** Undefined: it is none, or of a kind whose rows nobody works on. */
  #channel(name: string): Channel | undefined {
    const row = this.#row(name);
    return row && this.#parts.channels.get(row.channelKind);
  }

  async #pick(): Promise<void> {
    this.#isPickWanted = true;
    if (this.#picking) return;
    this.#picking = true;
    this.#queryMs = 0;
    this.#hasFound = false;
    try {
      while (this.#isPickWanted && !this.#stopping) {
        this.#isPickWanted = false;
        await this.#pickBlock();
      }
      this.#pauseMs = 0;
      const restMs = Math.max(this.#hasFound ? PICK_REST_MS : 0, Math.min(PAUSE_MS, PICK_SHARE * this.#queryMs));
      const rested = this.#parts.clock.monotonic() + restMs;
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
    this.#heedSettings();
    const limit = Math.min(PICK_ROWS, HELD_MAX - this.#concurrency.heldRows);
    if (limit <= 0) return;
    const except = {
      keys: [...this.#concurrency.full(), ...this.#local.busy()],
      channels: [...pausedChannels(this.#parts.routing.settings()), ...this.#concurrency.fullChannels()],
    };
    this.#reportDelays();
    const due = this.#due(except, limit);
    const rows = (await this.#parts.free?.(due)) ?? due;
    this.#hasFound ||= due.length > 0;
    // A row of no channel of ours is the checker's to name; a report can be made of it all the same.
    const known = rows.filter((row) => isToReport(row) || this.#channel(row.channel) !== undefined);
    // A full block: there may be more, of destinations that are not full yet.
    this.#isPickWanted ||= due.length >= limit / 2 && (known.length > 0 || rows.length < due.length);
    const remote: QueueRow[] = [];
    for (const [key, group] of Map.groupBy(known, workKey)) {
      const [first] = group;
      const channel = this.#channel(first!.channel);
      if (isToReport(first!)) this.#track(this.#workOn(key, this.#local.report(group)));
      else if (channel?.isLocal) this.#track(this.#workOn(key, this.#local.deliver(channel, group)));
      else remote.push(...group);
    }
    if (remote.length === 0) return;
    const leased = await this.#leased(remote);
    for (const [name, rows] of Map.groupBy(leased, ({ channel }) => channel))
      for (const group of groupRows(rows, this.#channel(name)?.recipientsMax ?? 1)) this.#add(group);
    this.#begin();
  }

  /** What channels and hosts say may have changed: who could not be reached may be now, and what had to wait may begin. */
  #heedSettings(): void {
    const settings = this.#parts.routing.settings();
    if (this.#settings === settings) return;
    this.#settings = settings;
    this.#concurrency.probeAll();
    this.#begin();
  }

  #due(except: Except, limit: number): QueueRow[] {
    const before = this.#parts.clock.monotonic();
    this.#isPartial = before < this.#fullLookAt;
    const after = this.#isPartial ? this.#passedUntil : 0;
    const { fresh, retried } = dueRows(this.#parts.reader, { after, now: this.#pickedAt }, except, limit);
    const took = this.#parts.clock.monotonic() - before;
    this.#queryMs += took;
    if (!this.#isPartial) this.#fullLookAt = before + took + FULL_LOOK_SHARE * took;
    // A full half: behind its last row none has been looked at, and of those due at the same time perhaps not all.
    const isAll = retried.length < limit / 2;
    this.#passedUntil = isAll ? this.#pickedAt : Math.max(after, retried.at(-1)!.nextAttemptAt - 1);
    return [...fresh, ...retried];
  }

  #reportDelays(): void {
    if (this.#local.isReportingDelays) return;
    const rows = delayedRows(this.#parts.reader, PICK_ROWS);
    if (rows.length > 0) this.#track(this.#workOn('delays', this.#local.reportDelays(rows)));
  }

  /** They wait for a place, or have an outcome already: their host cannot be reached now. */
  #add(rows: readonly QueueRow[]): void {
    // An administrator's wish: what has been tried is due at once.
    if (rows.some(({ attempts, nextAttemptAt }) => attempts > 0 && nextAttemptAt === 0))
      this.#concurrency.probe(rows[0]!);
    const closed = this.#concurrency.closed(rows[0]!);
    if (closed === undefined) this.#concurrency.add(rows);
    else this.#track(this.#putOff(rows, closed));
  }

  async #putOff(rows: readonly QueueRow[], unreachable: Outcome): Promise<void> {
    const channel = this.#channel(rows[0]!.channel);
    if (channel === undefined) return this.#giveBack(rows);
    await this.#recordUntilTaken(await this.#attempts.putOff(channel, rows, unreachable));
  }

  /** As many deliveries as may begin now. */
  #begin(): void {
    while (!this.#stopping) {
      const rows = this.#concurrency.next();
      if (rows === undefined) break;
      this.#track(this.#deliver(rows));
    }
    const { rateAt } = this.#concurrency;
    clearTimeout(this.#rateTimer);
    if (rateAt === undefined || this.#stopping) return;
    this.#rateTimer = setTimeout(() => this.#begin(), Math.max(1, Math.ceil(rateAt - this.#parts.clock.monotonic())));
  }

  async #workOn(key: string, work: Promise<void>): Promise<void> {
    try {
      await work;
      this.wake();
    } catch (error) {
      this.#pause(error, key);
    }
  }

  async #leased(rows: readonly QueueRow[]): Promise<QueueRow[]> {
    const args = { rows: rows.map((row) => row.id), lease: this.#lease };
    const leased = new Set(await this.#parts.writer.execute(leaseRows, args));
    return rows.filter((row) => leased.has(row.id)).map((row) => ({ ...row, lease: this.#lease }));
  }

  /** The store cannot be written or read now. */
  #pause(error: unknown, work?: string): void {
    this.#pauseMs = Math.min(PAUSE_MAX_MS, Math.max(PAUSE_MS, 2 * this.#pauseMs));
    this.#pickAt = this.#parts.clock.monotonic() + this.#pauseMs;
    const { kind, detail, message } = asFailure(error);
    this.#parts.log.warn('transfer.pause', { kind, detail: detail ?? message, work, pauseMs: this.#pauseMs });
    this.wake();
  }

  #sleep(): void {
    clearTimeout(this.#dueTimer);
    if (this.#stopping) return;
    const next = nextDueAt(this.#parts.reader, this.#pickedAt) ?? Number.POSITIVE_INFINITY;
    const fullLookMs = this.#isPartial ? this.#fullLookAt - this.#parts.clock.monotonic() : SLEEP_MAX_MS;
    const waitMs = Math.max(1, Math.ceil(Math.min(SLEEP_MAX_MS, fullLookMs, next - this.#clock.now())));
    this.#dueTimer = setTimeout(() => this.wake(), waitMs);
  }

  async #deliver(rows: readonly QueueRow[]): Promise<void> {
    const row = rows[0]!;
    let isLookWanted = true;
    try {
      const channel = this.#channel(row.channel);
      // Its entry has gone, or a pause has come, since they were leased: they wait for the next look, as they are.
      if (channel === undefined || this.#row(row.channel)?.isPaused === true) return await this.#giveBack(rows);
      const attempt = await this.#attempts.make(channel, rows, this.#abort.signal);
      const { outcomes, rest = [] } = attempt;
      try {
        this.#learn(row, attempt);
        // What is put off may be due before all that the last look has seen.
        isLookWanted = outcomes.some(({ result }) => result === 'deferred');
        if (this.#stopping && outcomes.every(({ result }) => result === 'deferred')) return;
        await this.#recordUntilTaken(attempt);
      } finally {
        endAttempt(attempt, () => this.#concurrency.isMoreDue(row));
      }
      if (rest.length > 0) this.#add(rest);
    } finally {
      // So may what it has passed over for want of room.
      isLookWanted ||= !this.#hasRoom(row);
      this.#concurrency.done(rows);
      this.#begin();
      if (isLookWanted && this.#hasRoom(row)) this.wake();
    }
  }

  #hasRoom(row: QueueRow): boolean {
    return this.#concurrency.heldRows + PICK_ROWS <= HELD_MAX && this.#concurrency.hasRoom(row);
  }

  /** How the host could be reached; what else waits for one that cannot be reached at all is put off with it. */
  #learn(row: QueueRow, { feedback, unreachable }: Attempt): void {
    if (feedback === 'good') this.#concurrency.reached(row);
    if (unreachable === undefined || this.#stopping) return;
    const { retryMs } = policyOf(this.#row(row.channel), this.#parts.policy);
    this.#concurrency.missed(row, unreachable, retryMs[0]!);
    const closed = this.#concurrency.closed(row);
    if (closed === undefined) return;
    this.#parts.log.info('transfer.window', { channel: row.channel, destination: row.destination, window: 0 });
    for (const waiting of this.#concurrency.takeWaiting(workKey(row))) this.#track(this.#putOff(waiting, closed));
  }

  async #giveBack(rows: readonly QueueRow[]): Promise<void> {
    const args = { rows: rows.map((row) => row.id), lease: this.#lease };
    await this.#untilTaken(rows, () => this.#parts.writer.execute(returnRows, args));
  }

  /** What another host has taken is taken: the outcome is kept until the store takes it too. */
  async #recordUntilTaken(attempt: Attempt): Promise<void> {
    if (await this.#untilTaken(attempt.rows, () => this.#attempts.record(attempt))) this.#logDelivery(attempt);
  }

  /** False: the end of this run has come first, which voids the leases. */
  async #untilTaken(rows: readonly QueueRow[], write: () => Promise<unknown>): Promise<boolean> {
    for (let waitMs = PAUSE_MS; ; waitMs = Math.min(PAUSE_MAX_MS, 2 * waitMs)) {
      try {
        await write();
        return true;
      } catch (error) {
        const { kind, detail, message } = asFailure(error);
        this.#parts.log.warn('transfer.record', { queue: idText(rows[0]!.message), kind, detail: detail ?? message });
        if (this.#stopping) return false;
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
  }

  #logDelivery({ rows, outcomes }: Attempt): void {
    const { message, channel, destination } = rows[0]!;
    const attempted = outcomes.filter(({ operation }) => operation?.name !== REROUTE);
    const count = (wanted: Outcome['result']): number => attempted.filter(({ result }) => result === wanted).length;
    for (const result of ['delivered', 'deferred', 'failed'] as const)
      this.#parts.count(channel, result, count(result));
    const { status, words, remote } = attempted[0] ?? outcomes[0]!;
    this.#parts.log.info('transfer.deliver', {
      queue: idText(message),
      destination,
      delivered: count('delivered'),
      deferred: count('deferred'),
      failed: count('failed'),
      rerouted: outcomes.length - attempted.length,
      status,
      remote,
      words,
    });
  }
}
