// What the transfer thread does without asking another host: rows of the store channel, and reports to senders.
//
// In      due rows; they need no lease, because one operation does all of it and looks whether they are still there
// Out     operations; a row that an operation cannot digest is deferred, so that the others go on
// Errors  what the writer cannot take now is thrown: the schedule pauses and comes again

import type { Clock } from '../base/clock.ts';
import { asFailure, Failure } from '../base/failure.ts';
import { idText } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { Operation, Reader, Writer } from '../database/operation.ts';
import { getMessage } from '../store/messages.ts';
import { STORE_SLICE, type StoreArguments, type Stored } from './channels/store.ts';
import type { Timing } from './clock.ts';
import { REPORTED_MAX } from './notify.ts';
import { type Outcome, outcome } from './outcome.ts';
import { type ChannelName, NOTIFY_LANE, type QueueRow, STORE_LANE } from './queue.ts';

/** Reports that are made at once. */
const REPORTS_MAX = 4;

export interface LocalWorkParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Operation<StoreArguments, Stored>;
  readonly notify: (rows: readonly QueueRow[]) => Promise<void>;
  readonly count: (channel: ChannelName, result: Outcome['result'], count: number) => void;
  readonly timing: () => Timing;
  readonly record: (message: number, rows: readonly QueueRow[], outcomes: readonly Outcome[]) => Promise<void>;
}

export class LocalWork {
  readonly #parts: LocalWorkParts;
  readonly #busy = new Set<string>();

  constructor(parts: LocalWorkParts) {
    this.#parts = parts;
  }

  /** Lanes that are being worked on: their rows are not to be picked again. */
  busy(): Iterable<string> {
    return this.#busy;
  }

  /** Rows of the store channel, slice by slice. */
  deliver(rows: readonly QueueRow[]): Promise<void> {
    return this.#exclusively(STORE_LANE, async () => {
      for (const group of grouped(rows, STORE_SLICE)) await this.#onceOrOneByOne(group, (slice) => this.#store(slice));
    });
  }

  /** Rows in the state `failed`: one report for those of a message that are here together. */
  notify(rows: readonly QueueRow[]): Promise<void> {
    return this.#exclusively(NOTIFY_LANE, async () => {
      const groups = grouped(rows, REPORTED_MAX);
      const work = async (): Promise<void> => {
        for (let group = groups.shift(); group !== undefined; group = groups.shift())
          await this.#onceOrOneByOne(group, (slice) => this.#parts.notify(slice));
      };
      await Promise.all(Array.from({ length: REPORTS_MAX }, work));
    });
  }

  async #exclusively(lane: string, work: () => Promise<void>): Promise<void> {
    this.#busy.add(lane);
    try {
      await work();
    } finally {
      this.#busy.delete(lane);
    }
  }

  async #store(rows: readonly QueueRow[]): Promise<void> {
    const { reader, writer, clock, log, store, record } = this.#parts;
    const { message } = rows[0]!;
    const copy = findMessage(reader, message);
    if (copy === undefined) {
      const lost = outcome('failed', '5.3.0', 'The message is not in the store any more');
      await record(
        message,
        rows,
        rows.map(() => lost),
      );
      return;
    }
    const args = {
      message: { id: message, received: copy.received, size: copy.blob.length },
      rows: rows.map((row) => row.id),
      timing: this.#parts.timing(),
      at: clock.now(),
    };
    const { delivered, others } = await writer.execute(store, args, 256 + 8 * rows.length);
    log.info('transfer.store', { queue: idText(message), delivered, others });
    this.#parts.count('store', 'delivered', delivered);
  }

  /** When a group cannot be done, each of its rows is tried alone; one that still cannot is put off. */
  async #onceOrOneByOne(rows: readonly QueueRow[], work: (rows: readonly QueueRow[]) => Promise<void>): Promise<void> {
    try {
      await work(rows);
    } catch (error) {
      if (error instanceof Failure && error.kind === 'full') throw error;
      if (rows.length > 1) {
        for (const row of rows) await this.#onceOrOneByOne([row], work);
        return;
      }
      const { detail, message } = asFailure(error);
      this.#parts.log.error('transfer.defer', { queue: idText(rows[0]!.message), detail: detail ?? message });
      const internal = outcome('deferred', '4.3.0', 'Internal error, it is tried again');
      await this.#parts.record(rows[0]!.message, rows, [internal]);
    }
  }
}

function findMessage(reader: Reader, id: number): ReturnType<typeof getMessage> | undefined {
  try {
    return getMessage(reader, id);
  } catch (error) {
    if (error instanceof Failure && error.kind === 'not-found') return undefined;
    throw error;
  }
}

/** Rows of one message and one sender together, at most `max`. */
function grouped(rows: readonly QueueRow[], max: number): (readonly QueueRow[])[] {
  const groups: (readonly QueueRow[])[] = [];
  for (const group of Map.groupBy(rows, (row) => `${row.message} ${row.sender}`).values())
    for (let at = 0; at < group.length; at += max) groups.push(group.slice(at, at + max));
  return groups;
}
