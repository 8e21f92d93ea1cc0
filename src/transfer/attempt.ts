// One attempt: a channel delivers, and its outcomes are recorded. schedule.ts and local-work.ts do both for the rows that
// they work on.
//
// In      rows of one delivery; the channel that they name
// Order   whom the tables lead elsewhere by now (reroute.ts) the channel is not asked to take
// Out     outcomes, that of a row that cannot be read among them; the operation that records them, with the mail that the channel has made
// Errors  what a channel throws is a bug: its recipients are tried again, as all are where the store or the tables cannot be
//         read. What the writer throws is the caller's to handle

import type { Clock } from '../base/clock.ts';
import { asFailure } from '../base/failure.ts';
import { idText, type QueueRowId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { Operation, Reader, Writer } from '../database/operation.ts';
import { channelNamed } from '../routing/channels.ts';
import type { StoredMessage } from '../store/messages.ts';
import type { AcceptArguments } from './accept.ts';
import type { Channel, Delivered } from './channels/channel.ts';
import { policyOf, type QueueClock, type RetryPolicy } from './clock.ts';
import { carriedByAll, deliveryOf, storedMessage } from './deliveries.ts';
import { INTERNAL_ERROR, type Outcome, outcome } from './outcome.ts';
import { type Carried, lastRow, type QueueRow } from './queue.ts';
import type { RecordArguments, Recorded, RecordedOutcome } from './record.ts';
import { refusedAnew, rerouted } from './reroute.ts';
import { type PrepareParts, prepareAccept, sizeOf } from './submit.ts';

export interface AttemptParts extends PrepareParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly log: Log;
  readonly policy: RetryPolicy;
  readonly record: Operation<RecordArguments, Recorded>;
}

/** The outcomes of rows, not yet recorded. */
export interface Attempt extends Delivered {
  readonly rows: readonly QueueRow[];
  /** Rows of the delivery that the channel has not tried: the host takes so many at once and no more. */
  readonly rest?: readonly QueueRow[];
  /** Undefined where its channel was not asked. */
  readonly message?: StoredMessage;
  /** With `bad` feedback: what else waits for the destination may get it too. */
  readonly unreachable?: Outcome;
}

const LOST = outcome('failed', '5.3.0', 'The message is not in the store any more');

export class Attempts {
  readonly #parts: AttemptParts;
  readonly #queueClock: QueueClock;
  readonly #lastOfBefore: QueueRowId;

  constructor(parts: AttemptParts, queueClock: QueueClock) {
    this.#parts = parts;
    this.#lastOfBefore = lastRow(parts.reader);
    this.#queueClock = queueClock;
  }

  make(channel: Channel, rows: readonly QueueRow[], signal: AbortSignal): Promise<Attempt> {
    return this.#orLater(rows, () => this.#ask(channel, rows, signal));
  }

  /** Rows of a destination that cannot be reached, as another attempt has shown: that is their outcome. */
  putOff(channel: Channel, rows: readonly QueueRow[], unreachable: Outcome): Promise<Attempt> {
    return this.#orLater(rows, async () => {
      const message = storedMessage(this.#parts.reader, rows[0]!.message);
      if (message === undefined) return same(rows, LOST);
      const carried = carriedByAll(rows, () => {});
      const settled = await this.#settled(channel, rows, carried);
      return { rows, message, outcomes: settled.map((own) => own ?? unreachable) };
    });
  }

  /** The rows may be leased, and then nobody else takes them: they get an outcome, whatever happens. */
  async #orLater(rows: readonly QueueRow[], attempt: () => Promise<Attempt>): Promise<Attempt> {
    try {
      return await attempt();
    } catch (error) {
      this.#logError(rows, error);
      return same(rows, INTERNAL_ERROR);
    }
  }

  #logError(rows: readonly QueueRow[], error: unknown): void {
    const { detail, message } = asFailure(error);
    this.#parts.log.error('transfer.deliver', { queue: idText(rows[0]!.message), detail: detail ?? message });
  }

  async #ask(channel: Channel, rows: readonly QueueRow[], signal: AbortSignal): Promise<Attempt> {
    const message = storedMessage(this.#parts.reader, rows[0]!.message);
    if (message === undefined) return same(rows, LOST);
    const failed = (error: unknown): void => this.#logError(rows, error);
    const carried = carriedByAll(rows, failed);
    const settled = await this.#settled(channel, rows, carried);
    const isAsked = (index: number): boolean => carried[index] !== undefined && settled[index] === undefined;
    const asked = carried.filter((row, index): row is Carried => row !== undefined && isAsked(index));
    if (asked.length === 0) return { rows, message, outcomes: settled.map((own) => own ?? INTERNAL_ERROR) };
    try {
      const inHand = rows.filter((_, index) => isAsked(index));
      const { outcomes: said, ...given } = await channel.deliver(deliveryOf(message, asked, inHand), signal);
      const delivered = given.feedback === 'bad' ? { ...given, unreachable: said[0]! } : given;
      const rest = inHand.slice(said.length);
      let next = 0;
      const outcomes = settled.map((own) => own ?? said[next++]);
      if (rest.length === 0) return { ...delivered, rows, message, outcomes: outcomes.map((own) => own!) };
      return {
        ...delivered,
        rows: rows.filter((_, index) => outcomes[index] !== undefined),
        rest,
        message,
        outcomes: outcomes.filter((own) => own !== undefined),
      };
    } catch (error) {
      failed(error);
      return { rows, message, outcomes: settled.map((own) => own ?? INTERNAL_ERROR) };
    }
  }

  /** Of each row an outcome that needs no channel: it cannot be read, or it goes elsewhere by now. */
  async #settled(
    channel: Channel,
    rows: readonly QueueRow[],
    carried: readonly (Carried | undefined)[],
  ): Promise<(Outcome | undefined)[]> {
    const { reader, routing } = this.#parts;
    const parts = { routing, moved: reader.routingRevision(), lastOfBefore: this.#lastOfBefore };
    const settled: (Outcome | undefined)[] = [];
    for (const [index, row] of carried.entries()) {
      if (row === undefined) settled.push(INTERNAL_ERROR);
      // Rows of this host are resolved again in any case. What an attempt before has begun is for its channel to end.
      else if (channel.isLocal && routing.isAsking && rows[index]!.intent === undefined)
        settled.push(await refusedAnew(routing, row));
      else if (channel.isLocal || rows[index]!.intent !== undefined) settled.push(undefined);
      else settled.push(await rerouted(parts, rows[index]!, row));
    }
    return settled;
  }

  /** Throws what the writer throws; then nothing is recorded, and it may be called again. */
  async record({ rows, outcomes, message }: Attempt): Promise<Recorded> {
    const { writer, clock, policy, record, routing } = this.#parts;
    const words = policyOf(channelNamed(routing.settings(), rows[0]!.channel), policy);
    const recorded: RecordedOutcome[] = [];
    let bytes = 256 + 300 * rows.length;
    for (const { messages = [], ...own } of outcomes) {
      const made: AcceptArguments[] = [];
      for (const submission of messages) made.push(await prepareAccept(this.#parts, submission));
      for (const args of made) bytes += sizeOf(args);
      recorded.push(made.length === 0 ? own : { ...own, made });
    }
    return writer.execute(
      record,
      {
        message: rows[0]!.message,
        written: message && { id: message.id, received: message.received, sizeBytes: message.blob.length },
        outcomes: rows.map((row, index) => ({ row: row.id, recipient: row.recipient, outcome: recorded[index]! })),
        timing: { ...words, now: this.#queueClock.now(), startedAt: this.#queueClock.startedAt },
        at: clock.now(),
      },
      bytes,
    );
  }
}

export function same(rows: readonly QueueRow[], shared: Outcome): Attempt {
  return { rows, outcomes: rows.map(() => shared) };
}

/**
 * The attempt is over, recorded or not: mail that the channel has made is released, then what the channel still holds.
 * `isMoreDue`: whether rows of the same destination wait.
 */
export function endAttempt({ outcomes, release }: Delivered, isMoreDue: () => boolean = () => false): void {
  for (const { messages = [] } of outcomes) for (const { message } of messages) message.pending.settle();
  release?.(isMoreDue);
}
