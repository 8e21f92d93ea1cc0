// Queue rows: what channels have to do. Inserted by place, leased by schedule, ended by record. See tables.ts for states.

import { idText } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import type { Reader, Row, Transaction } from '../database/operation.ts';
import type { BodyKind } from '../message/envelope.ts';

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
  /** Queue time; 0: at once. */
  readonly nextAttemptAt: number;
  readonly attempts: number;
  /** Queue time of the last attempt. */
  readonly lastAttemptAt: number | undefined;
  readonly waitedMs: number;
  /** Enhanced status of the last attempt. */
  readonly status: string | undefined;
  /** The host that said `lastError`; undefined when it was our own decision. */
  readonly remote: string | undefined;
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
  /** When it came in; it is due at once. */
  readonly at: number;
  readonly status: string | undefined;
  readonly error: string | undefined;
}

/** The caller has counted it in the message's `refs`. */
export async function insertQueueRow(tx: Transaction, row: NewQueueRow): Promise<void> {
  await tx.run(
    `INSERT INTO queue (tenant, message, channel, destination, sender, recipient, original, options, state, created,
       next_attempt, attempts, waited, lease, status, last_error) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, ?, ?)`,
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
    lastAttemptAt: row['last_attempt'] === null ? undefined : Number(row['last_attempt']),
    waitedMs: Number(row['waited']),
    status: text('status'),
    remote: text('remote'),
    lastError: text('last_error'),
  };
}

/** The rows with these ids that are still there, in order of id. */
export async function rowsIn(tx: Transaction, ids: readonly number[]): Promise<QueueRow[]> {
  const rows = await tx.all(
    'SELECT * FROM queue WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id',
    JSON.stringify(ids),
  );
  return rows.map(queueRow);
}

/** The caller drops the references. */
export async function deleteRows(tx: Transaction, ids: readonly number[]): Promise<void> {
  if (ids.length > 0)
    await tx.run('DELETE FROM queue WHERE id IN (SELECT value FROM json_each(?))', JSON.stringify(ids));
}

/** Who works on a row: one lane a host, one for what is delivered here, one for reports to senders. */
export const STORE_LANE = 'store ';
export const NOTIFY_LANE = 'notify';

export function laneOf(row: Pick<QueueRow, 'state' | 'channel' | 'destination'>): string {
  return row.state === 'failed' ? NOTIFY_LANE : `${row.channel} ${row.destination}`;
}

const OTHER_LANES = `CASE state WHEN 'failed' THEN '${NOTIFY_LANE}' ELSE channel || ' ' || destination END
  NOT IN (SELECT value FROM json_each(?))`;

/**
 * Rows that nobody works on and whose time has come, at most `limit`, without those of the lanes in `except`. Half the
 * places are for rows that are tried for the first time, half for the others, so that neither keeps the other waiting.
 */
export function dueRows(reader: Reader, queueNow: number, except: readonly string[], limit: number): QueueRow[] {
  const lanes = JSON.stringify(except);
  const half = Math.ceil(limit / 2);
  return reader
    .snapshot(() => [
      ...reader.all(
        `SELECT * FROM queue WHERE lease = 0 AND next_attempt = 0 AND ${OTHER_LANES} LIMIT +?`,
        lanes,
        half,
      ),
      ...reader.all(
        `SELECT * FROM queue WHERE lease = 0 AND next_attempt > 0 AND next_attempt <= ? AND ${OTHER_LANES}
         ORDER BY next_attempt LIMIT +?`,
        queueNow,
        lanes,
        half,
      ),
    ])
    .map(queueRow);
}

/** When the next row that is not due yet will be; undefined when there is none. */
export function nextDueAt(reader: Reader, queueNow: number): number | undefined {
  const row = reader.get('SELECT min(next_attempt) AS at FROM queue WHERE lease = 0 AND next_attempt > ?', queueNow);
  const at = row?.['at'];
  return typeof at === 'number' ? at : undefined;
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
  const { id, message, channel, destination, sender, recipient, state, attempts, nextAttemptAt, ...rest } =
    queueRow(row);
  const { createdAt, remote, lastError } = rest;
  return {
    id,
    message: idText(message),
    channel,
    destination,
    sender,
    recipient,
    state: Number(row['lease']) > 0 ? 'active' : state,
    attempts,
    nextAttemptAt: new Date(nextAttemptAt === 0 ? createdAt : nextAttemptAt).toISOString(),
    lastError: remote === undefined ? (lastError ?? null) : `${remote}: ${lastError}`,
  };
}

/** In order of id above `after`, at most `limit`. */
export function listQueue(reader: Reader, after = 0, limit = 1000): QueueEntry[] {
  return reader.all('SELECT * FROM queue WHERE id > ? ORDER BY id LIMIT +?', after, limit).map(queueEntry);
}

export function findQueueEntry(reader: Reader, id: number): QueueEntry | undefined {
  const row = reader.get('SELECT * FROM queue WHERE id = ?', id);
  return row === undefined ? undefined : queueEntry(row);
}

/** All rows of a message: one a recipient. */
export function rowIdsOfMessage(reader: Reader, message: number): number[] {
  return reader.arrays('SELECT id FROM queue WHERE message = ? ORDER BY id', message).map(([id]) => Number(id));
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
