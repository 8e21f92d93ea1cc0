// Queue rows as deliveries: rows of one message, one sender and one destination go together, as many as a channel takes.
//
// Out     what a channel is given; none where the message is not in the store any more

import { Failure } from '../base/failure.ts';
import type { MessageId } from '../base/ids.ts';
import type { Reader } from '../database/operation.ts';
import { getMessage, type StoredMessage } from '../store/messages.ts';
import type { Delivery } from './channels/channel.ts';
import { type Carried, carriedBy, type QueueRow, workKey } from './queue.ts';

/** At most `max` rows each. */
export function groupRows(rows: readonly QueueRow[], max: number): (readonly QueueRow[])[] {
  const groups: (readonly QueueRow[])[] = [];
  const keyOf = (row: QueueRow): string => `${row.message} ${row.sender} ${workKey(row)} ${row.prefix}`;
  for (const group of Map.groupBy(rows, keyOf).values())
    for (let at = 0; at < group.length; at += max) groups.push(group.slice(at, at + max));
  return groups;
}

/** What each row carries; undefined for one that cannot be read. */
export function carriedByAll(rows: readonly QueueRow[], unreadable: (error: unknown) => void): (Carried | undefined)[] {
  return rows.map((row) => {
    try {
      return carriedBy(row);
    } catch (error) {
      unreadable(error);
      return undefined;
    }
  });
}

/** `rows` are those of `carried`, in order. */
export function deliveryOf(message: StoredMessage, carried: readonly Carried[], rows: readonly QueueRow[]): Delivery {
  const { envelope, target, request } = carried[0]!;
  return {
    message,
    envelope: { ...envelope, recipients: carried.flatMap((row) => row.envelope.recipients) },
    request,
    destination: target.destination,
    targets: carried.map((row) => row.target),
    prefix: rows[0]!.prefix,
    rows,
  };
}

/** Undefined when it is not in the store: the row's reference was not counted. */
export function storedMessage(reader: Reader, id: MessageId): StoredMessage | undefined {
  try {
    return getMessage(reader, id);
  } catch (error) {
    if (error instanceof Failure && error.kind === 'not-found') return undefined;
    throw error;
  }
}
