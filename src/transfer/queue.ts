// Queue rows: what channels have to do. Inserted by accept, leased by schedule, ended by record. See tables.ts for states.

import { idText } from '../base/ids.ts';
import type { Reader, Row, Transaction } from '../database/operation.ts';
import type { BodyKind } from '../message/envelope.ts';
import { TENANT } from '../routing/tables.ts';

export type QueueState = 'waiting' | 'failed';
export type ChannelName = 'store' | 'smtp';

export interface QueueOptions {
  readonly body: BodyKind;
}

export interface QueueRow {
  readonly id: number;
  readonly message: number;
  readonly channel: ChannelName;
  /** The next hop of `smtp`: a domain or an address literal; `''` for `store`. */
  readonly destination: string;
  /** `''` for the null reverse-path. */
  readonly sender: string;
  readonly recipient: string;
  readonly original: string | undefined;
  readonly options: QueueOptions;
  readonly state: QueueState;
  readonly createdAt: number;
  readonly nextAttemptAt: number;
  readonly attempts: number;
  /** Enhanced status of the last attempt. */
  readonly status: string | undefined;
  readonly lastError: string | undefined;
}

export interface NewQueueRow {
  readonly message: number;
  readonly channel: ChannelName;
  readonly destination: string;
  readonly sender: string;
  readonly recipient: string;
  readonly original: string | undefined;
  readonly options: QueueOptions;
  readonly state: QueueState;
  /** Due at once, and the beginning of its life. */
  readonly at: number;
  readonly status: string | undefined;
  readonly error: string | undefined;
}

/** The caller has counted it in the message's `refs`. */
export async function insertQueueRow(tx: Transaction, row: NewQueueRow): Promise<void> {
  await tx.run(
    `INSERT INTO queue (tenant, message, channel, destination, sender, recipient, original, options, state, created,
       next_attempt, attempts, lease, status, last_error) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?)`,
    TENANT,
    row.message,
    row.channel,
    row.destination,
    row.sender,
    row.recipient,
    row.original ?? null,
    JSON.stringify(row.options),
    row.state,
    row.at,
    row.at,
    row.status ?? null,
    row.error ?? null,
  );
}

export function queueRow(row: Row): QueueRow {
  const text = (name: string): string | undefined => (row[name] === null ? undefined : String(row[name]));
  return {
    id: Number(row['id']),
    message: Number(row['message']),
    channel: row['channel'] as ChannelName,
    destination: String(row['destination']),
    sender: String(row['sender']),
    recipient: String(row['recipient']),
    original: text('original'),
    options: JSON.parse(String(row['options'])) as QueueOptions,
    state: row['state'] as QueueState,
    createdAt: Number(row['created']),
    nextAttemptAt: Number(row['next_attempt']),
    attempts: Number(row['attempts']),
    status: text('status'),
    lastError: text('last_error'),
  };
}

/** What `waypost queue list` prints; the keys of its JSON. */
export interface QueueEntry {
  readonly id: number;
  /** The queue id of the message, as in its Received field and the log. */
  readonly message: string;
  readonly channel: ChannelName;
  readonly destination: string;
  readonly sender: string;
  readonly recipient: string;
  readonly state: QueueState | 'active';
  readonly attempts: number;
  readonly nextAttemptAt: string;
  readonly lastError: string | null;
}

function queueEntry(row: Row): QueueEntry {
  const { id, message, channel, destination, sender, recipient, state, attempts, nextAttemptAt, lastError } =
    queueRow(row);
  return {
    id,
    message: idText(message),
    channel,
    destination,
    sender,
    recipient,
    state: Number(row['lease']) > 0 ? 'active' : state,
    attempts,
    nextAttemptAt: new Date(nextAttemptAt).toISOString(),
    lastError: lastError ?? null,
  };
}

/** In order of id above `after`, at most `limit`. */
export function listQueue(reader: Reader, after = 0, limit = 1000): QueueEntry[] {
  return reader.all('SELECT * FROM queue WHERE id > ? ORDER BY id LIMIT ?', after, limit).map(queueEntry);
}

export function findQueueEntry(reader: Reader, id: number): QueueEntry | undefined {
  const row = reader.get('SELECT * FROM queue WHERE id = ?', id);
  return row === undefined ? undefined : queueEntry(row);
}

export interface QueueFigures {
  readonly rows: number;
  /** Epoch ms, undefined for an empty queue. */
  readonly oldestAt: number | undefined;
}

export function queueFigures(reader: Reader): QueueFigures {
  const row = reader.get('SELECT count(*) AS n, min(created) AS oldest FROM queue');
  const oldest = row?.['oldest'];
  return { rows: Number(row?.['n'] ?? 0), oldestAt: typeof oldest === 'number' ? oldest : undefined };
}
