// Queue time: what retries are counted in. It starts as the wall clock's time and from then on only goes forward.
//
// A wall clock that jumps by a day or by ten years neither makes everything due at once nor lets anything expire: within
// a run queue time is the monotonic clock's, at a start every row's wait is cut to its step, and a row expires by the
// time that it has been waiting while we ran.

import type { Clock } from '../base/clock.ts';
import type { ChannelRow } from '../routing/compile-channel.ts';

export interface RetryPolicy {
  /** Milliseconds after the first, second, ... attempt; the last one repeats. At least one. */
  readonly retryMs: readonly number[];
  readonly expireMs: number;
  /** When its sender is told that it is delayed: milliseconds of waiting, in order; absent: never. */
  readonly delaysMs?: readonly number[];
}

/** What the channel's words say, and otherwise the site's. */
export function policyOf(channel: ChannelRow | undefined, site: RetryPolicy): RetryPolicy {
  const retryMs = channel?.backoffMs ?? site.retryMs;
  const own = channel?.noticesMs;
  return own === undefined ? { ...site, retryMs } : { retryMs, expireMs: own.at(-1)!, delaysMs: own.slice(0, -1) };
}

export class QueueClock {
  readonly startedAt: number;
  readonly #clock: Clock;
  readonly #started: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.startedAt = Math.floor(clock.now());
    this.#started = clock.monotonic();
  }

  now(): number {
    return this.startedAt + Math.floor(this.#clock.monotonic() - this.#started);
  }
}

/** What an operation in the writer needs to know of the time. */
export interface Timing extends RetryPolicy {
  /** Queue time. */
  readonly now: number;
  /** Queue time at which this run of the transfer unit began. */
  readonly startedAt: number;
}

/** The wait after so many attempts. */
export function stepMs({ retryMs }: RetryPolicy, attempts: number): number {
  return retryMs[Math.min(Math.max(attempts, 1), retryMs.length) - 1]!;
}

/** How long a row has waited when this attempt ends: not while we did not run, but for one step. */
export function waitedMs(
  timing: Timing,
  row: { readonly attempts: number; readonly waitedMs: number; readonly lastAttemptAt: number | undefined },
): number {
  if (row.lastAttemptAt === undefined) return row.waitedMs;
  const since = Math.max(row.lastAttemptAt, timing.startedAt - stepMs(timing, row.attempts));
  return row.waitedMs + Math.max(0, timing.now - since);
}
