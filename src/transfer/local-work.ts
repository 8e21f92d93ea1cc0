// What the transfer thread does without asking another host: rows of local channels, and reports to senders.
//
// In      due rows; they need no lease, because one operation does all of it and looks whether they are still there
// Out     attempts recorded, reports made; a row that an operation cannot digest is deferred, so that the others go on
// Errors  what the writer cannot take now is thrown: the schedule pauses and comes again

import { asFailure, Failure } from '../base/failure.ts';
import { idText } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { ChannelKind } from '../routing/compile-channel.ts';
import { type Attempt, type Attempts, endAttempt, same } from './attempt.ts';
import type { Channel } from './channels/channel.ts';
import { groupRows } from './deliveries.ts';
import { INTERNAL_ERROR } from './outcome.ts';
import { type QueueRow, workKey } from './queue.ts';
import type { Recorded } from './record.ts';
import { REPORTED_MAX } from './reports/send.ts';

/** Reports that are made at once, and deliveries of channels that make mail: a large one keeps no other waiting. */
const AT_ONCE = 4;
const SIDE_BY_SIDE: ReadonlySet<ChannelKind> = new Set(['forward', 'autoreply', 'list']);
const DELAYS = 'delays';

export interface LocalWorkParts {
  readonly log: Log;
  /** Reports rows of one message and one sender, and ends those that have failed or are done. */
  readonly report: (rows: readonly QueueRow[]) => Promise<void>;
  /** Of which no report can be made. */
  readonly dropDelays: (rows: readonly QueueRow[]) => Promise<void>;
  readonly count: (channel: string, result: Recorded[number], count: number) => void;
}

export class LocalWork {
  readonly #parts: LocalWorkParts;
  readonly #attempts: Attempts;
  /** Never aborted: what is here ends by itself. */
  readonly #signal = new AbortController().signal;
  readonly #busy = new Set<string>();

  constructor(parts: LocalWorkParts, attempts: Attempts) {
    this.#parts = parts;
    this.#attempts = attempts;
  }

  /** Keys of what is being worked on: their rows are not to be picked again. See workKey. */
  busy(): Iterable<string> {
    return this.#busy;
  }

  /** Rows of one local channel and destination, delivery by delivery. */
  deliver(channel: Channel, rows: readonly QueueRow[]): Promise<void> {
    const atOnce = SIDE_BY_SIDE.has(channel.name) ? AT_ONCE : 1;
    return this.#exclusively(workKey(rows[0]!), () =>
      eachOf(groupRows(rows, channel.recipientsMax), atOnce, (group) =>
        this.#togetherOrOneByOne(group, (some) => this.#deliver(channel, some)),
      ),
    );
  }

  /** Rows that have failed or are done: one report for those of a message that are here together. */
  report(rows: readonly QueueRow[]): Promise<void> {
    return this.#exclusively(workKey(rows[0]!), () =>
      eachOf(groupRows(rows, REPORTED_MAX), AT_ONCE, (group) =>
        this.#togetherOrOneByOne(group, (some) => this.#parts.report(some)),
      ),
    );
  }

  get isReportingDelays(): boolean {
    return this.#busy.has(DELAYS);
  }

  /** Rows that wait on, whoever works on them meanwhile. */
  reportDelays(rows: readonly QueueRow[]): Promise<void> {
    return this.#exclusively(DELAYS, () =>
      eachOf(groupRows(rows, REPORTED_MAX), AT_ONCE, (group) =>
        this.#togetherOrOneByOne(
          group,
          (some) => this.#parts.report(some),
          (some) => this.#parts.dropDelays(some),
        ),
      ),
    );
  }

  async #exclusively(key: string, work: () => Promise<void>): Promise<void> {
    this.#busy.add(key);
    try {
      await work();
    } finally {
      this.#busy.delete(key);
    }
  }

  async #deliver(channel: Channel, rows: readonly QueueRow[]): Promise<void> {
    const attempt = await this.#attempts.make(channel, rows, this.#signal);
    try {
      this.#logDelivery(attempt, await this.#attempts.record(attempt));
    } finally {
      endAttempt(attempt);
    }
  }

  #logDelivery({ rows }: Attempt, recorded: Recorded): void {
    const { channel, message } = rows[0]!;
    const count = (wanted: Recorded[number]): number => recorded.filter((result) => result === wanted).length;
    const delivered = count('delivered') + count('replaced');
    const others = rows.length - delivered - count('continued');
    this.#parts.log.info('transfer.store', { queue: idText(message), delivered, others });
    for (const result of ['delivered', 'deferred', 'failed'] as const)
      this.#parts.count(channel, result, count(result));
  }

  /** When a group cannot be done, each of its rows is tried alone; one that still cannot is put off. */
  async #togetherOrOneByOne(
    rows: readonly QueueRow[],
    work: (rows: readonly QueueRow[]) => Promise<void>,
    putOff = async (some: readonly QueueRow[]): Promise<void> => {
      await this.#attempts.record(same(some, INTERNAL_ERROR));
    },
  ): Promise<void> {
    try {
      await work(rows);
    } catch (error) {
      if (error instanceof Failure && error.kind === 'full') throw error;
      if (rows.length > 1) {
        for (const row of rows) await this.#togetherOrOneByOne([row], work, putOff);
        return;
      }
      const { detail, message } = asFailure(error);
      this.#parts.log.error('transfer.defer', { queue: idText(rows[0]!.message), detail: detail ?? message });
      await putOff(rows);
    }
  }
}

/** So many at once, in order. */
async function eachOf<T>(items: readonly T[], atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  const worker = async (): Promise<void> => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
