// Recipients who are ours and wait in the queue: what a local channel's outcome names, run in the transaction that records
// it. The same function as at the dot (place.ts), with routing asked again: a recipient may have been renamed, removed or
// put over quota since its row was written, or have become a list, or gone to another host.
//
// Out     for each row an outcome, or `delivered` or `replaced` where its events are in `events` already and it is done with

import type { JsonObject } from '../base/json.ts';
import { isTemporary } from '../base/reply.ts';
import type { Transaction } from '../database/operation.ts';
import type { Recipient } from '../message/envelope.ts';
import { partWaitedFor } from '../routing/options/part.ts';
import type { WrittenMessage } from './channels/channel.ts';
import type { JourneyEvent } from './journey.ts';
import { type Outcome, outcome } from './outcome.ts';
import { type PlacedRecipient, type PlaceParts, place } from './place.ts';
import { type Carried, carriedBy, type QueueRow } from './queue.ts';

/** Rows of one message and one sender. */
export interface LocalRows {
  readonly message: WrittenMessage;
  readonly rows: readonly QueueRow[];
  /** Of each row. */
  readonly args: readonly JsonObject[];
  /** Its events are added here. */
  readonly events: JourneyEvent[];
  /** Wall clock. */
  readonly at: number;
}

/**
 * `replaced`: other rows have taken its place, for example those of a list's members. `continued`: the operation has not come to
 * its end, and has written into the row where it goes on. `silent`: done with, and what the channel has made is not accepted. `kept`: the row stays
 * as the operation has left it, and what the channel has made is accepted.
 */
export type LocalResult = Outcome | 'delivered' | 'replaced' | 'continued' | 'silent' | 'kept';

/** An operation that the outcome of a local channel may name. Gives a result for each row. */
export type LocalOperation = (tx: Transaction, work: LocalRows) => Promise<readonly LocalResult[]>;

export const LOCAL_DELIVERY = 'transfer.local-delivery';

export function localDelivery(parts: PlaceParts): LocalOperation {
  return async (tx, { message, rows, events, at }) => {
    const carried = rows.map(carriedBy);
    const { envelope, request } = carried[0]!;
    const recipients = carried.map(askedAgain);
    const placed = await place(tx, parts, {
      message,
      row: undefined,
      envelope: { ...envelope, recipients },
      request,
      resolutions: undefined,
      refused: 'return',
      at,
      queuedAt: Math.min(...rows.map(({ createdAt }) => createdAt)),
      parts: carried.map(({ target }) => partWaitedFor(target)),
      prefix: rows[0]!.prefix,
    });
    events.push(...placed.events, ...unsetEvents(rows, placed.results));
    return placed.results.map(resultOf);
  };
}

/** The recipient of a row as it is resolved again. */
export function askedAgain({ envelope, origin }: Carried): Recipient {
  return { ...envelope.recipients[0]!, address: origin };
}

/** Rows that have nothing to wait for any more. */
export function unsetEvents(rows: readonly QueueRow[], results: readonly PlacedRecipient[]): JourneyEvent[] {
  return rows
    .filter((_, index) => results[index]!.how === 'unset')
    .map(({ recipient }) => ({ event: 'removed', recipient, status: '2.0.0 the delivery option is set no more' }));
}

/** What became of a row whose recipient was placed anew. */
export function resultOf({ reply, how }: PlacedRecipient): LocalResult {
  if (how !== 'refused') return how === 'queued' ? 'replaced' : 'delivered';
  const { code, enhanced, text } = reply;
  return outcome(isTemporary(reply) ? 'deferred' : 'failed', enhanced, `${code} ${enhanced} ${text}`);
}
