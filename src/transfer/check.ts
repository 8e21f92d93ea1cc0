// The checker of the queue: names each row that is in no legal state. See docs/states.md.
//
// In      a reader
// Out     problems one by one, a page of rows at a time
// Never   changes anything

import type { Reader, Row } from '../database/operation.ts';
import { tryParseAddress } from '../message/address.ts';
import { checkStore, existingMessages } from '../store/check.ts';
import type { BlobCheckOptions } from '../store/check-blobs.ts';
import { type Problem, pages } from '../store/check-pages.ts';

export type QueueProblemName =
  | 'queue row without message'
  | 'state' // no such state, channel or combination of them
  | 'lease' // leased, but not by a channel that leases
  | 'destination'
  | 'attempts' // counters that do not fit together
  | 'address'
  | 'options';

type QueueProblem = Problem<QueueProblemName>;

export async function* checkQueue(reader: Reader): AsyncGenerator<QueueProblem> {
  // A page and its messages in one state.
  const read = (after: number, limit: number): Row[] =>
    reader.snapshot(() => {
      const rows = reader.all('SELECT * FROM queue WHERE id > ? ORDER BY id LIMIT +?', after, limit);
      const messages = existingMessages(reader, [...new Set(rows.map((row) => Number(row['message'])))]);
      return rows.map((row) => ({ ...row, hasMessage: messages.has(Number(row['message'])) ? 1 : 0 }));
    });
  for await (const rows of pages(read, (row) => Number(row['id'])))
    for (const row of rows)
      for (const [problem, detail] of rowProblems(row)) yield { problem, where: `queue row ${row['id']}`, detail };
}

/** Each with what is wrong. */
function* rowProblems(row: Row): Generator<readonly [QueueProblemName, string]> {
  const { state, channel, destination, lease } = row;
  const [attempts, waited, next] = [row['attempts'], row['waited'], row['next_attempt']].map(Number) as [
    number,
    number,
    number,
  ];
  if (row['hasMessage'] === 0) yield ['queue row without message', `message ${row['message']} does not exist`];
  if (state !== 'waiting' && state !== 'failed') yield ['state', `${state} is no state`];
  if (channel !== 'store' && channel !== 'smtp') yield ['state', `${channel} is no channel`];
  if (Number(lease) < 0 || (Number(lease) > 0 && (state !== 'waiting' || channel !== 'smtp')))
    yield ['lease', `leased in the state ${state} of the channel ${channel}`];
  if ((channel === 'smtp') !== (destination !== ''))
    yield ['destination', `"${destination}" for the channel ${channel}`];
  if (attempts < 0 || waited < 0 || next < 0) yield ['attempts', 'a negative number'];
  if (attempts > 0 && row['last_attempt'] === null) yield ['attempts', `${attempts}, but no time of the last one`];
  if (state === 'failed' && row['last_error'] === null) yield ['state', 'failed of nothing'];
  for (const name of ['sender', 'recipient'])
    if (!isPath(String(row[name]), name)) yield ['address', `the ${name} "${row[name]}" cannot be read`];
  if (!isOptions(String(row['options']))) yield ['options', String(row['options'])];
}

function isPath(text: string, name: string): boolean {
  if (text === '') return name === 'sender';
  return text.includes('@') ? tryParseAddress(text) !== undefined : text.toLowerCase() === 'postmaster';
}

function isOptions(text: string): boolean {
  try {
    const { body } = JSON.parse(text) as { body?: unknown };
    return body === '7BIT' || body === '8BITMIME';
  } catch {
    return false;
  }
}

/** Store and queue, all of it: what `waypost mailbox check` prints. */
export async function* checkMail(options: BlobCheckOptions): AsyncGenerator<Problem> {
  yield* checkStore({ ...options, otherReferences: queueReferences });
  yield* checkQueue(options.reader);
}

/** How many rows refer to each message with `from` <= id <= `to`: for the checker of the store. */
export function queueReferences(reader: Reader, from: number, to: number): ReadonlyMap<number, number> {
  const rows = reader.arrays(
    'SELECT message, count(*) FROM queue WHERE message BETWEEN ? AND ? GROUP BY message',
    from,
    to,
  );
  return new Map(rows.map(([message, count]) => [Number(message), Number(count)]));
}
