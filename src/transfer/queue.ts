// Queue rows: what channels have to do. Inserted by place, leased by schedule, ended by record. See tables.ts for states.
//
// `options` is JSON: {envelope, key and target (options) of the target, request}, see carriedBy.

import { idOf, idText, type MessageId, type QueueRowId, type Revision } from '../base/ids.ts';
import type { Json, JsonObject } from '../base/json.ts';
import { isTemporary, type Reply } from '../base/reply.ts';
import type { Reader, Row, Transaction } from '../database/operation.ts';
import { type Address, formatAddress } from '../message/address.ts';
import { decodeEnvelope, type Envelope, encodeEnvelope, formatSender } from '../message/envelope.ts';
import type { RouteRequest, Target } from '../routing/resolve.ts';
import { decodeRouteRequest, encodeRouteRequest } from '../routing/route-request.ts';
import { originOf } from '../routing/targets.ts';
import { MADE_CHANNEL } from './channels/made.ts';
import type { AskedOfRecipient } from './notify.ts';

export type QueueState = 'waiting' | 'held' | 'failed' | 'done';

/** Whose business it is to release a held row. */
export type HeldBy = 'routing' | 'custody' | 'admin' | 'moderation' | 'suspended';

/** What a report says has become of a recipient. RFC 3464 §2.3.3 */
export type ReportAction = 'failed' | 'delivered' | 'relayed' | 'expanded';

export interface QueueRow {
  readonly id: QueueRowId;
  readonly message: MessageId;
  /** The name of a channel. */
  readonly channel: string;
  /** As the target has it (routing/targets.ts). `held`: the row of the routing tables that it waits for. */
  readonly destination: string;
  /** As lists show it: `''` for the null reverse-path. */
  readonly sender: string;
  /** As lists show it. */
  readonly recipient: string;
  /** See carriedBy. Not read before it is needed: a row that cannot be read holds up no other. */
  readonly options: string;
  readonly state: QueueState;
  /** Of a held row. */
  readonly heldBy: HeldBy | undefined;
  /** Of a failed or done row. */
  readonly action: ReportAction | undefined;
  /** Wall clock: nothing is tried before it. */
  readonly releaseAt: number | undefined;
  /** Wall clock: when it fails, or its delay is reported. */
  readonly deliverBy: number | undefined;
  readonly priority: number;
  /** Reports of its delay, and whether one is to be made. */
  readonly delays: number;
  readonly isDelayDue: boolean;
  /** Header fields that are sent before the message, CRLF lines; as a rule none. */
  readonly prefix: string;
  /** What its channel has committed before it acted. */
  readonly intent: JsonObject | undefined;
  /** Above 0: a channel works on it. */
  readonly lease: number;
  readonly createdAt: number;
  /** The directory revision at which its recipient was resolved. */
  readonly planned: Revision;
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

/** What a row carries for the channel and for the report. */
export interface Carried {
  /** With the row's one recipient. */
  readonly envelope: Envelope;
  readonly target: Target;
  /** What led here and nowhere else: the envelope's address or a list's member, before it was rewritten or routed on. */
  readonly origin: Address;
  /** As the message was accepted: its recipient is resolved again as it was then, and may go to another host if it was accepted. */
  readonly request: RouteRequest;
}

/** Throws Failure('invalid'), or what JSON.parse throws, for a row that cannot be read. */
export function carriedBy({
  options,
  channel,
  destination,
}: Pick<QueueRow, 'options' | 'channel' | 'destination'>): Carried {
  const { envelope: encoded, key, target, request } = JSON.parse(options) as JsonObject;
  const envelope = decodeEnvelope(encoded);
  const recipient = envelope.recipients[0]!.address;
  const own = target as Json as JsonObject;
  return {
    envelope,
    target: { channel, destination, recipient, key: String(key), options: own },
    origin: originOf(own) ?? recipient,
    request: decodeRouteRequest(request),
  };
}

/**
 * What a row carries, as `options` holds it. Which host the message came from matters at the door only: a recipient who
 * has moved there since is sent there.
 */
export function encodeCarried({ envelope, target, request: { peer: _, ...request } }: Omit<Carried, 'origin'>): string {
  return JSON.stringify({
    envelope: encodeEnvelope(envelope),
    key: target.key,
    target: target.options,
    request: encodeRouteRequest(request),
  });
}

/** What the rows of one message have in common. */
export interface RowTemplate {
  readonly tenant: number;
  readonly message: MessageId;
  readonly sender: string;
  readonly envelope: Envelope;
  readonly request: RouteRequest;
  /** When it was accepted; it is due at once. */
  readonly at: number;
  /** Wall clock: it is not due before. */
  readonly holdUntil: number | undefined;
}

export function rowTemplate(common: Omit<RowTemplate, 'sender'>): RowTemplate {
  return { ...common, sender: formatSender(common.envelope.sender) };
}

export interface NewQueueRow {
  readonly target: Target;
  readonly asked: AskedOfRecipient;
  /** Why it gets nothing now; undefined for one that has not been tried. If it is permanent, the sender gets a report. */
  readonly refusal: Reply | undefined;
  /** Nothing works on it until it is released. */
  readonly heldBy?: HeldBy | undefined;
  /** Nothing is to be delivered any more, and the sender wants to know. */
  readonly done?: Done | undefined;
  readonly prefix?: string | undefined;
}

/** What has become of a recipient, for its sender's report. */
export interface Done {
  readonly action: Exclude<ReportAction, 'failed'>;
  /** Enhanced status. */
  readonly status: string;
  readonly words: string;
}

/** The caller has counted it in the message's `refs`. */
export async function insertQueueRow(tx: Transaction, template: RowTemplate, row: NewQueueRow): Promise<void> {
  const { target, asked, refusal, heldBy, done, prefix } = row;
  const envelope = { ...template.envelope, recipients: [{ ...asked, address: target.recipient }] };
  const { by, priority } = envelope;
  const state = stateOf(row);
  const isWaiting = state === 'waiting' || state === 'held';
  const status = refusal?.enhanced ?? done?.status;
  const words = refusal === undefined ? done?.words : `${refusal.code} ${refusal.enhanced} ${refusal.text}`;
  await tx.run(
    `INSERT INTO queue (tenant, message, channel, destination, sender, recipient, options, state, held_by, action,
       release_at, deliver_by, priority, prefix, created, planned, next_attempt, attempts, waited, lease, status, last_error)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, ?, ?)`,
    template.tenant,
    template.message,
    target.channel,
    target.destination,
    template.sender,
    formatAddress(target.recipient),
    encodeCarried({ envelope, target, request: template.request }),
    state,
    state === 'held' ? heldBy! : null,
    state === 'failed' ? 'failed' : (done?.action ?? null),
    isWaiting ? (template.holdUntil ?? null) : null,
    isWaiting && by !== undefined ? by.at : null,
    priority ?? 0,
    prefix ?? null,
    template.at,
    tx.revision,
    status ?? null,
    words ?? null,
  );
}

function stateOf({ refusal, heldBy, done }: NewQueueRow): QueueState {
  if (done !== undefined) return 'done';
  if (refusal !== undefined && !isTemporary(refusal)) return 'failed';
  return heldBy === undefined ? 'waiting' : 'held';
}

export function queueRow(row: Row): QueueRow {
  const text = (name: string): string | undefined => (row[name] === null ? undefined : String(row[name]));
  const number = (name: string): number | undefined => (row[name] === null ? undefined : Number(row[name]));
  const intent = text('intent');
  return {
    id: idOf(row['id']),
    message: idOf(row['message']),
    channel: String(row['channel']),
    destination: String(row['destination']),
    sender: String(row['sender']),
    recipient: String(row['recipient']),
    options: String(row['options']),
    state: row['state'] as QueueState,
    heldBy: text('held_by') as HeldBy | undefined,
    action: text('action') as ReportAction | undefined,
    releaseAt: number('release_at'),
    deliverBy: number('deliver_by'),
    priority: Number(row['priority']),
    delays: Number(row['delays']),
    isDelayDue: row['delay_due'] === 1,
    prefix: text('prefix') ?? '',
    intent: intent === undefined ? undefined : (JSON.parse(intent) as JsonObject),
    lease: Number(row['lease']),
    createdAt: Number(row['created']),
    planned: idOf(row['planned']),
    nextAttemptAt: Number(row['next_attempt']),
    attempts: Number(row['attempts']),
    lastAttemptAt: number('last_attempt'),
    waitedMs: Number(row['waited']),
    status: text('status'),
    remote: text('remote'),
    lastError: text('last_error'),
  };
}

/** Their ids, for `json_each`. */
export function idsText(rows: readonly Pick<QueueRow, 'id'>[]): string {
  return JSON.stringify(rows.map(({ id }) => id));
}

/** The rows with these ids that are still there, in order of id. */
export async function rowsIn(tx: Transaction, ids: readonly QueueRowId[]): Promise<QueueRow[]> {
  const rows = await tx.all(
    'SELECT * FROM queue WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id',
    JSON.stringify(ids),
  );
  return rows.map(queueRow);
}

/** It is due again at once, with what it carries now. */
export async function continueRow(tx: Transaction, row: QueueRowId, options: string): Promise<void> {
  await tx.run('UPDATE queue SET options = ?, lease = 0, next_attempt = 0 WHERE id = ?', options, row);
}

/** The caller drops the references. */
export async function deleteRows(tx: Transaction, ids: readonly QueueRowId[]): Promise<void> {
  if (ids.length > 0)
    await tx.run('DELETE FROM queue WHERE id IN (SELECT value FROM json_each(?))', JSON.stringify(ids));
}

export const REPORTS = 'reports';
/** Stands in no destination. */
const BETWEEN = '\n';

/** Whether all that is left to do for it is to tell the sender. */
export function isToReport({ state }: Pick<QueueRow, 'state'>): boolean {
  return state === 'failed' || state === 'done';
}

/** What is worked on together, and bounded together: the rows of one destination, or those that are to be reported. */
export function workKey(row: Pick<QueueRow, 'state' | 'channel' | 'destination'>): string {
  return isToReport(row) ? REPORTS : row.channel + BETWEEN + row.destination;
}

/** Undefined for the key of reports. */
export function keyParts(key: string): Pick<QueueRow, 'channel' | 'destination'> | undefined {
  const end = key.lastIndexOf(BETWEEN);
  return end < 0 ? undefined : { channel: key.slice(0, end), destination: key.slice(end + 1) };
}

const DUE = `lease = 0 AND state <> 'held' AND release_at IS NULL`;

/** When the next row that is not due yet will be; undefined when there is none. */
export function nextDueAt(reader: Reader, queueNow: number): number | undefined {
  const row = reader.get(`SELECT min(next_attempt) AS at FROM queue WHERE ${DUE} AND next_attempt > ?`, queueNow);
  const at = row?.['at'];
  return typeof at === 'number' ? at : undefined;
}

/** Rows that wait for a row of the routing tables. */
export type HeldForRow = 'routing' | 'custody';

/** The word stands in the text, so that each has its index. */
const heldFor = (by: HeldForRow, condition: string): string =>
  `FROM queue WHERE held_by = '${by}' ${condition} LIMIT 1`;

/** What held rows wait for, each once in order; undefined behind the last one. */
export function heldDestinationAfter(reader: Reader, by: HeldForRow, destination: string): string | undefined {
  const row = reader.get(`SELECT destination ${heldFor(by, 'AND destination > ? ORDER BY destination')}`, destination);
  return row === undefined ? undefined : String(row['destination']);
}

export function isAnyHeld(reader: Reader, by: HeldForRow): boolean {
  return reader.get(`SELECT 1 ${heldFor(by, '')}`) !== undefined;
}

/** Whether a held row waits for it. */
export function isHeldFor(reader: Reader, by: HeldForRow, destination: string): boolean {
  return reader.get(`SELECT 1 ${heldFor(by, 'AND destination = ?')}`, destination) !== undefined;
}

/** Rows of a channel that have committed what they would do. Reads the whole queue. */
export function rowsWithIntent(reader: Reader, channel: string): QueueRow[] {
  return reader.all('SELECT * FROM queue WHERE intent IS NOT NULL AND channel = ? LIMIT 100000', channel).map(queueRow);
}

/** 0 for an empty queue. */
export function lastRow(reader: Reader): QueueRowId {
  return idOf<QueueRowId>(reader.get('SELECT coalesce(max(id), 0) AS id FROM queue')?.['id']);
}

/** Whether a channel that somebody has made has rows: the index knows no others. */
export async function holdsMail(tx: Transaction, channel: string): Promise<boolean> {
  const row = await tx.get(`SELECT 1 FROM queue WHERE channel = ? AND ${MADE_CHANNEL} LIMIT 1`, channel);
  return row !== undefined;
}

/** What `waypost queue list` prints; the keys of its JSON. */
export interface QueueEntry {
  readonly id: QueueRowId;
  /** The queue id of the message, as in its Received field and the log. */
  readonly message: string;
  readonly channel: string;
  readonly destination: string;
  readonly sender: string;
  readonly recipient: string;
  readonly state: QueueState | 'active';
  /** Of a held row: who may release it. */
  readonly heldBy: HeldBy | null;
  readonly attempts: number;
  /** Null for a held row. */
  readonly nextAttemptAt: string | null;
  readonly lastError: string | null;
  /** Of a row that routing or custody holds: `entry` and a DN, or `route` and a domain. A change of it, or a start, has its recipient resolved again. */
  readonly waitsFor: string | null;
}

function queueEntry(row: Row): QueueEntry {
  const { id, message, channel, destination, sender, recipient, state, attempts, nextAttemptAt, ...rest } =
    queueRow(row);
  const { createdAt, remote, lastError, heldBy, releaseAt, lease } = rest;
  const dueAt = releaseAt ?? (nextAttemptAt === 0 ? createdAt : nextAttemptAt);
  return {
    id,
    message: idText(message),
    channel,
    destination,
    sender,
    recipient,
    state: lease > 0 ? 'active' : state,
    heldBy: heldBy ?? null,
    attempts,
    nextAttemptAt: state === 'held' ? null : new Date(dueAt).toISOString(),
    lastError: remote === undefined ? (lastError ?? null) : `${remote}: ${lastError}`,
    waitsFor: heldBy === 'routing' || heldBy === 'custody' ? destination : null,
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
export function rowIdsOfMessage(reader: Reader, message: MessageId): QueueRowId[] {
  return reader
    .arrays('SELECT id FROM queue WHERE message = ? ORDER BY id', message)
    .map(([id]) => idOf<QueueRowId>(id));
}

export interface ChannelFigures {
  /** Rows that nobody works on, and the others. */
  readonly queued: number;
  readonly active: number;
  /** Epoch ms. */
  readonly oldestAt: number;
}

/** By the name of the channel; one without rows is absent. */
export function channelFigures(reader: Reader): ReadonlyMap<string, ChannelFigures> {
  const rows = reader.all(
    `SELECT channel, count(*) AS n, sum(lease > 0) AS active, min(created) AS oldest FROM queue
     GROUP BY channel LIMIT 10000`,
  );
  return new Map(
    rows.map(({ channel, n, active, oldest }) => [
      String(channel),
      { queued: Number(n) - Number(active), active: Number(active), oldestAt: Number(oldest) },
    ]),
  );
}

export interface QueueFigures {
  readonly rows: number;
  /** When the row was made that was made first, epoch ms; undefined for an empty queue. */
  readonly oldestAt: number | undefined;
}

export function queueFigures(reader: Reader): QueueFigures {
  // Both without reading the rows: these are asked for every few seconds, and a queue may have a million.
  const row = reader.get(
    'SELECT (SELECT count(*) FROM queue) AS n, (SELECT created FROM queue ORDER BY id LIMIT 1) AS oldest',
  );
  const oldest = row?.['oldest'];
  return { rows: Number(row?.['n'] ?? 0), oldestAt: typeof oldest === 'number' ? oldest : undefined };
}
