// What the transfer thread does without asking another host: rows of local channels, and reports to senders.
//
// In      due rows; they need no lease, because one operation does all of it and looks whether they are still there
// Out     attempts recorded, reports made; a row that an operation cannot digest is deferred, so that the others go on
// Errors  what the writer cannot take now is thrown: the schedule pauses and comes again

import { asFailure, Failure } from '../base/failure.ts';
import { idText } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { type Attempt, type Attempts, endAttempt, same } from './attempt.ts';
import type { Channel } from './channels/channel.ts';
import { groupRows } from './deliveries.ts';
import { INTERNAL_ERROR } from './outcome.ts';
import { type QueueRow, workKey } from './queue.ts';
import type { Recorded } from './record.ts';
import { REPORTED_MAX } from './report.ts';

/** Reports that are made at once. */
const REPORTS_AT_ONCE = 4;

export interface LocalWorkParts {
  readonly log: Log;
  /** Makes one report for rows of one message and one sender that have failed, and ends them. */
  readonly report: (rows: readonly QueueRow[]) => Promise<void>;
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
    return this.#exclusively(rows, async () => {
      for (const group of groupRows(rows, channel.recipientsMax))
        await this.#togetherOrOneByOne(group, (some) => this.#deliver(channel, some));
    });
  }

  /** Rows in the state `failed`: one report for those of a message that are here together. */
  report(rows: readonly QueueRow[]): Promise<void> {
    return this.#exclusively(rows, async () => {
      const groups = groupRows(rows, REPORTED_MAX);
      const work = async (): Promise<void> => {
        for (let group = groups.shift(); group !== undefined; group = groups.shift())
          await this.#togetherOrOneByOne(group, (some) => this.#parts.report(some));
      };
      await Promise.all(Array.from({ length: REPORTS_AT_ONCE }, work));
    });
  }

  async #exclusively(rows: readonly QueueRow[], work: () => Promise<void>): Promise<void> {
    const key = workKey(rows[0]!);
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
  ): Promise<void> {
    try {
      await work(rows);
    } catch (error) {
      if (error instanceof Failure && error.kind === 'full') throw error;
      if (rows.length > 1) {
        for (const row of rows) await this.#togetherOrOneByOne([row], work);
        return;
      }
      const { detail, message } = asFailure(error);
      this.#parts.log.error('transfer.defer', { queue: idText(rows[0]!.message), detail: detail ?? message });
      await this.#attempts.record(same(rows, INTERNAL_ERROR));
    }
  }
}
