// The delay of mail that nothing is tried for: what routing holds, what waits for moderators, and what is in a channel that is paused. Its
// senders are told as those of mail that is tried (record.ts), by the times of the channel.
//
// In      the queue, at a start and every LOOK_MS; the words of the channels
// Out     rows whose report of a delay is to be made; due.ts and send.ts make it, or count it where nobody wants it
// Never   reports what an administrator holds, or a suspension: nobody knows yet whether its sender is who it says, and a report would go to
//         whomever it names. Reports what its own sender holds back (FUTURERELEASE), or what has no sender
// Limits  SLICE_ROWS an operation; the time counts from when it was accepted, by the wall clock: one that jumps brings a report too early
// RFC 3461 §4.1, RFC 3464 §2.3.3

import type { Clock } from '../../base/clock.ts';
import { asFailure } from '../../base/failure.ts';
import type { Log } from '../../base/log.ts';
import { Looks } from '../../base/looks.ts';
import { operation, type Reader, type Value, type Writer } from '../../database/operation.ts';
import { pausedChannels } from '../../routing/channels.ts';
import type { RoutingSettings } from '../../routing/settings.ts';
import { MADE_CHANNEL } from '../channels/made.ts';
import { policyOf, type RetryPolicy } from '../clock.ts';

const SLICE_ROWS = 500;
const LOOK_MS = 300_000;

/** Rows of some channels, and when their senders are told. */
interface DelayedChannels {
  /** Of these channels; or with `isOthers` of all but these. */
  readonly channels: readonly string[];
  readonly isOthers: boolean;
  readonly delaysMs: readonly number[];
}

interface UntriedArguments extends DelayedChannels {
  /** Names of channels. */
  readonly paused: readonly string[];
  /** Wall clock. */
  readonly now: number;
}

/** How many of a channel's times are past for a row. */
const PASSED = '(SELECT count(*) FROM json_each(?1) WHERE created + value <= ?2)';
const WHICH = [
  "held_by = 'routing'",
  `held_by = 'moderation' AND ${MADE_CHANNEL}`,
  "state = 'waiting' AND lease = 0 AND channel IN (SELECT value FROM json_each(?5))",
];

function sqlOf(which: string): string {
  return `SELECT id FROM queue WHERE ${which} AND sender <> '' AND release_at IS NULL AND delay_due = 0 AND delays < ${PASSED}
    AND (channel IN (SELECT value FROM json_each(?3))) <> ?4 AND (?5 IS NOT NULL) LIMIT ${SLICE_ROWS}`;
}

function valuesOf({ delaysMs, now, channels, isOthers, paused }: UntriedArguments): Value[] {
  return [JSON.stringify(delaysMs), now, JSON.stringify(channels), isOthers ? 1 : 0, JSON.stringify(paused)];
}

/** Gives whether there may be more. */
export const delayUntried = operation('transfer.delayUntried', async (tx, args: UntriedArguments): Promise<boolean> => {
  const values = valuesOf(args);
  let isMore = false;
  for (const which of WHICH) {
    const rows = (await tx.arrays(sqlOf(which), ...values)).map(([id]) => id);
    if (rows.length === 0) continue;
    // The report adds one: whatever has been missed is one report.
    await tx.run(
      `UPDATE queue SET delay_due = 1, delays = ${PASSED} - 1 WHERE id IN (SELECT value FROM json_each(?3))`,
      JSON.stringify(args.delaysMs),
      args.now,
      JSON.stringify(rows),
    );
    tx.afterCommit({ kind: 'queue' });
    isMore ||= rows.length === SLICE_ROWS;
  }
  return isMore;
});

export interface UntriedParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: () => RoutingSettings;
  readonly policy: RetryPolicy;
}

export class UntriedDelays {
  readonly #parts: UntriedParts;
  readonly #looks: Looks;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: UntriedParts) {
    this.#parts = parts;
    this.#looks = new Looks({
      look: () => this.#look(),
      failed: (error, pauseMs) => {
        const { kind, detail, message } = asFailure(error);
        parts.log.warn('transfer.delay', { kind, detail: detail ?? message, pauseMs });
      },
    });
  }

  start(): void {
    this.#looks.start();
    this.#timer = setInterval(() => this.#looks.wake(), LOOK_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looks.stop();
  }

  async #look(): Promise<undefined> {
    const { reader, writer, clock, settings } = this.#parts;
    const paused = pausedChannels(settings());
    for (const some of this.#channels()) {
      const args = { ...some, paused, now: clock.now() };
      const isAny = WHICH.some((which) => reader.get(sqlOf(which), ...valuesOf(args)) !== undefined);
      // An idle server writes nothing.
      while (isAny && !this.#looks.isStopping && (await writer.execute(delayUntried, args)));
    }
  }

  /** Those that have times of their own, then all others. */
  #channels(): DelayedChannels[] {
    const { settings, policy } = this.#parts;
    const own = [...settings().channels.values()].filter(({ noticesMs }) => noticesMs !== undefined);
    const channels = own.map(({ key }) => key);
    return [
      ...own.map((row) => ({ channels: [row.key], isOthers: false, delaysMs: policyOf(row, policy).delaysMs ?? [] })),
      { channels, isOthers: true, delaysMs: policy.delaysMs ?? [] },
    ];
  }
}
