// The checker of the queue: names each row that is in no legal state. See docs/states.md.
//
// In      a reader
// Out     problems one by one, a page of rows at a time
// Never   changes anything

import { asFailure } from '../base/failure.ts';
import type { Reader, Row } from '../database/operation.ts';
import { formatAddress } from '../message/address.ts';
import { formatSender } from '../message/envelope.ts';
import { channelNamed } from '../routing/channels.ts';
import type { ChannelKind } from '../routing/compile-channel.ts';
import { readState } from '../routing/generation.ts';
import { readSettings } from '../routing/setting-rows.ts';
import { type RoutingSettings, settingsOf } from '../routing/settings.ts';
import { checkStore, existingMessages, type StoreCheckOptions } from '../store/check.ts';
import { type CheckProblem, pages } from '../store/check-pages.ts';
import { type Repaired, repairStore, type StoreRepairOptions } from '../store/repair.ts';
import type { Channel } from './channels/channel.ts';
import { type Carried, carriedBy, queueRow } from './queue.ts';

export type QueueProblemName =
  | 'queue row without message'
  | 'state' // no such state, channel or combination of them
  | 'lease' // leased, but not by a channel that leases
  | 'destination'
  | 'attempts' // counters that do not fit together
  | 'address'
  | 'options';

type QueueProblem = CheckProblem<QueueProblemName>;

/** What the checker has to know of a channel. */
export type CheckedChannel = Pick<Channel, 'isLocal'>;

async function* checkQueue(
  reader: Reader,
  channels: ReadonlyMap<ChannelKind, CheckedChannel>,
): AsyncGenerator<QueueProblem> {
  const settings = settingsOf(reader.snapshot(() => readSettings(reader, readState(reader).generation)));

  // A page and its messages in one state.
  const read = (after: number, limit: number): Row[] =>
    reader.snapshot(() => {
      const rows = reader.all('SELECT * FROM queue WHERE id > ? ORDER BY id LIMIT +?', after, limit);
      const messages = existingMessages(reader, [...new Set(rows.map((row) => Number(row['message'])))]);
      return rows.map((row) => ({ ...row, hasMessage: messages.has(Number(row['message'])) ? 1 : 0 }));
    });
  for await (const rows of pages(read, (row) => Number(row['id'])))
    for (const row of rows)
      for (const [problem, detail] of rowProblems(row, channelOf(settings, channels, String(row['channel']))))
        yield { problem, where: `queue row ${row['id']}`, detail };
}

interface KnownChannel extends CheckedChannel {
  readonly kind: ChannelKind;
}

function channelOf(
  settings: RoutingSettings,
  channels: ReadonlyMap<ChannelKind, CheckedChannel>,
  name: string,
): KnownChannel | undefined {
  const kind = channelNamed(settings, name)?.channelKind;
  const known = kind && channels.get(kind);
  return known && { ...known, kind: kind! };
}

/** Each with what is wrong. */
function* rowProblems(row: Row, channel: KnownChannel | undefined): Generator<readonly [QueueProblemName, string]> {
  const { state, destination, lease } = row;
  const name = String(row['channel']);
  const [attempts, waited, next] = [row['attempts'], row['waited'], row['next_attempt']].map(Number) as [
    number,
    number,
    number,
  ];
  if (row['hasMessage'] === 0) yield ['queue row without message', `message ${row['message']} does not exist`];
  if (state !== 'waiting' && state !== 'held' && state !== 'failed' && state !== 'done')
    yield ['state', `${state} is no state`];
  const { held_by: heldBy, action, release_at: releaseAt } = row;
  if ((state === 'held') !== (heldBy !== null)) yield ['state', `${state}, held by ${heldBy}`];
  if ((state === 'failed') !== (action === 'failed') || (state === 'done') !== (action !== null && action !== 'failed'))
    yield ['state', `${state}, and ${action} to be reported`];
  if (releaseAt !== null && state !== 'waiting' && state !== 'held') yield ['state', `${state}, to be released later`];
  if (channel === undefined) yield ['state', `${name} is no channel`];
  const isHolding = channel?.kind === 'hold';
  if (channel !== undefined && ((isHolding && state === 'waiting') || (!isHolding && heldBy === 'routing')))
    yield ['state', `${state} in the channel ${name}`];
  const isLocal = channel?.isLocal === true;
  if (Number(lease) < 0 || (Number(lease) > 0 && (state !== 'waiting' || isLocal)))
    yield ['lease', `leased in the state ${state} of the channel ${name}`];
  if (channel !== undefined && isLocal !== (destination === ''))
    yield ['destination', `"${destination}" for the channel ${name}`];
  if (attempts < 0 || waited < 0 || next < 0) yield ['attempts', 'a negative number'];
  if (attempts > 0 && row['last_attempt'] === null) yield ['attempts', `${attempts}, but no time of the last one`];
  if ((state === 'failed' || state === 'done') && row['last_error'] === null) yield ['state', `${state} of nothing`];
  yield* carriedProblems(row);
}

/** What the row carries can be read, and says the same as the columns. */
function* carriedProblems(row: Row): Generator<readonly [QueueProblemName, string]> {
  let carried: Carried;
  try {
    carried = carriedBy(queueRow(row));
  } catch (error) {
    yield ['options', `${asFailure(error).message}: ${row['options']}`];
    return;
  }
  const { sender, recipients } = carried.envelope;
  const [recipient, ...more] = recipients;
  if (recipient === undefined || more.length > 0) yield ['options', `${recipients.length} recipients in a row`];
  if (formatSender(sender) !== row['sender']) yield ['address', `the sender is "${row['sender']}" in one place only`];
  if (recipient !== undefined && formatAddress(recipient.address) !== row['recipient'])
    yield ['address', `the recipient is "${row['recipient']}" in one place only`];
}

/** Store and queue, all of it: what `waypost mailbox check` prints. */
export async function* checkMail(
  options: Omit<StoreCheckOptions, 'otherReferences'> & {
    readonly channels: ReadonlyMap<ChannelKind, CheckedChannel>;
  },
): AsyncGenerator<CheckProblem> {
  for await (const { problem, where, detail } of checkStore({ ...options, otherReferences: queueReferences }))
    yield { problem, where, detail };
  if (options.account === undefined) yield* checkQueue(options.reader, options.channels);
}

/** The same, set right where that loses nothing; rows of the queue are named as they are. */
export async function* repairMail(
  options: Omit<StoreRepairOptions, 'otherReferences'> & {
    readonly channels: ReadonlyMap<ChannelKind, CheckedChannel>;
  },
): AsyncGenerator<Repaired> {
  yield* repairStore({ ...options, otherReferences: queueReferences });
  if (options.account !== undefined) return;
  for await (const found of checkQueue(options.reader, options.channels)) yield { ...found, result: 'left' };
}

/** How many rows refer to each message with `from` <= id <= `to`: for the checker of the store. */
function queueReferences(reader: Reader, from: number, to: number): ReadonlyMap<number, number> {
  const rows = reader.arrays(
    'SELECT message, count(*) FROM queue WHERE message BETWEEN ? AND ? GROUP BY message',
    from,
    to,
  );
  return new Map(rows.map(([message, count]) => [Number(message), Number(count)]));
}
