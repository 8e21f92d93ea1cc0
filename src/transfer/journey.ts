// What happened to a message, event by event. Written where it becomes true, read by `waypost trace`.

import { idOf, idText, idTime, type MessageId, type Revision } from '../base/ids.ts';
import type { Reader, Transaction } from '../database/operation.ts';
import type { Door } from '../routing/resolve.ts';

export type JourneyEventName =
  | 'accepted' // taken from a door: the recipient is the envelope's
  | 'delivered' // into a mailbox of ours
  | 'discarded' // accepted and dropped: no mailbox has it, and nobody gets a report
  | 'queued'
  | 'rerouted' // the tables lead elsewhere by now: other rows, or a mailbox, take the row's place
  | 'forwarded' // by a user, to an address elsewhere: a row for that host takes the row's place
  | 'relayed' // another host has taken it
  | 'deferred'
  | 'failed'
  | 'started' // a program has been run, whatever comes of it
  | 'replied' // automatically, to the sender
  | 'ignored' // nothing was to be done, and why
  | 'held' // by an administrator, or with its sender
  | 'released'
  | 'returned' // mail in custody: in place of a report to a stranger it goes to the site postmaster
  | 'notified' // the sender has got a report
  | 'removed'; // from the queue: by an administrator, or nobody waits for it any more

export interface JourneyEvent {
  readonly event: JourneyEventName;
  readonly recipient: string;
  /** Enhanced status, then words: `2.1.5 ok`. */
  readonly status: string;
  /** Of the first one of a message, which is `accepted`: it holds for all of its recipients. */
  readonly origin?: JourneyOrigin;
}

/** How a message came in, as far as its way depended on it. */
export interface JourneyOrigin {
  /** `''`: the null reverse-path. */
  readonly sender: string;
  /** DN of the account that had logged in. */
  readonly login?: string;
  readonly door: Door;
  readonly sizeBytes: number;
}

/** `trace`'s line. */
export interface TracedEvent {
  readonly at: string;
  readonly queueId: string;
  readonly event: JourneyEventName;
  readonly recipient: string;
  readonly status: string;
}

/** Events of one row beyond this are counted, not kept: a list of 100,000 is one line of a trace, not all of them. */
const EVENTS_MAX = 1000;
/** Rows that a search by address looks through, newest first. */
const SEARCHED_ROWS_MAX = 200_000;
const TRACED_MESSAGES_MAX = 100;
/** Of a page: rows of messages with one recipient are small, those of long lists have a hundred kilobytes. */
const PAGE_ROWS_MIN = 50;
const PAGE_ROWS_MAX = 1000;
const PAGE_MS = 4;

function eventsColumn(events: readonly JourneyEvent[]): string {
  if (events.length <= EVENTS_MAX) return JSON.stringify(events);
  const more = events.length - EVENTS_MAX;
  const last = { event: events[EVENTS_MAX]!.event, recipient: '', status: `and ${more} more` };
  return JSON.stringify([...events.slice(0, EVENTS_MAX), last]);
}

/** The first row of a message. `messageId` without brackets. */
export async function beginJourney(
  tx: Transaction,
  message: MessageId,
  at: number,
  messageId: string | undefined,
  events: readonly JourneyEvent[],
): Promise<void> {
  await tx.run(
    'INSERT INTO journey (message, number, at, revision, message_id, events) VALUES (?, 1, ?, ?, ?, ?)',
    message,
    at,
    tx.revision,
    messageId ?? null,
    eventsColumn(events),
  );
}

export async function continueJourney(
  tx: Transaction,
  message: MessageId,
  at: number,
  events: readonly JourneyEvent[],
): Promise<void> {
  if (events.length === 0) return;
  await tx.run(
    `INSERT INTO journey (message, number, at, revision, events)
     VALUES (?, (SELECT coalesce(max(number), 0) + 1 FROM journey WHERE message = ?), ?, ?, ?)`,
    message,
    message,
    at,
    tx.revision,
    eventsColumn(events),
  );
}

/** Removes at most `limit` rows of messages with ids below `below`. Gives how many. */
export async function deleteJourneys(tx: Transaction, below: number, limit: number): Promise<number> {
  return tx.run(
    `DELETE FROM journey WHERE (message, number) IN
       (SELECT message, number FROM journey WHERE message < ? ORDER BY message LIMIT +?)`,
    below,
    limit,
  );
}

/** The message whose row has `count` newer ones, undefined when there are not so many. Walks them. */
export function journeyRowFromTheEnd(reader: Reader, count: number): number | undefined {
  const row = reader.arrays(
    'SELECT message FROM journey ORDER BY message DESC, number DESC LIMIT 1 OFFSET ?',
    count,
  )[0];
  return row === undefined ? undefined : Number(row[0]);
}

function tracedEvents(rows: readonly (readonly unknown[])[]): TracedEvent[] {
  return rows.flatMap(([message, at, events]) =>
    (JSON.parse(String(events)) as JourneyEvent[]).map((event) => ({
      at: new Date(Number(at)).toISOString(),
      queueId: idText(Number(message)),
      event: event.event,
      recipient: event.recipient,
      status: event.status,
    })),
  );
}

/** When this message was accepted, and how it came in; undefined where the journey is gone, or older than this. */
export function acceptedMessage(
  reader: Reader,
  message: MessageId,
): { readonly revision: Revision; readonly origin: JourneyOrigin } | undefined {
  const row = reader.arrays('SELECT revision, events FROM journey WHERE message = ? AND number = 1', message)[0];
  const origin = row && (JSON.parse(String(row[1])) as JourneyEvent[])[0]?.origin;
  return origin && { revision: idOf<Revision>(row[0]), origin };
}

/** The recipients that its envelope had when it was accepted, as far as they are kept. */
export function acceptedRecipients(reader: Reader, message: MessageId): ReadonlySet<string> {
  const row = reader.arrays('SELECT events FROM journey WHERE message = ? AND number = 1', message)[0];
  const events = row === undefined ? [] : (JSON.parse(String(row[0])) as JourneyEvent[]);
  return new Set(events.filter(({ event }) => event === 'accepted').map(({ recipient }) => recipient));
}

/** The message with this Message-ID, without brackets: the last one, where several have it. */
export function messageWithId(reader: Reader, messageId: string): MessageId | undefined {
  const row = reader.arrays(
    'SELECT message FROM journey WHERE message_id = ? ORDER BY message DESC LIMIT 1',
    messageId,
  )[0];
  return row && idOf<MessageId>(row[0]);
}

const OF_MESSAGE = 'SELECT message, at, events FROM journey WHERE message = ? ORDER BY number';

export function traceMessage(reader: Reader, message: MessageId): TracedEvent[] {
  return tracedEvents(reader.arrays(OF_MESSAGE, message));
}

/** All messages with this Message-ID, without brackets. */
export function traceMessageId(reader: Reader, messageId: string): Promise<TracedEvent[]> {
  const messages = reader.arrays(
    'SELECT message FROM journey WHERE message_id = ? ORDER BY message LIMIT +?',
    messageId,
    TRACED_MESSAGES_MAX,
  );
  return traceMessages(
    reader,
    messages.map(([message]) => idOf<MessageId>(message)),
  );
}

/** A message a turn. */
async function traceMessages(reader: Reader, messages: readonly MessageId[]): Promise<TracedEvent[]> {
  const events: TracedEvent[] = [];
  for (const message of messages) {
    events.push(...traceMessage(reader, message));
    await turn();
  }
  return events;
}

/** Rows before (message, number), newest first, and whether they hold what is searched for. */
const SEARCHED = `SELECT message, number, events LIKE ? ESCAPE '\\' FROM journey
   WHERE (message, number) < (?, ?) ORDER BY message DESC, number DESC LIMIT +?`;

/**
 * The newest messages that name this address as a recipient, oldest first. No index says which: rows are read page after
 * page, of so many rows as take PAGE_MS, a page a turn of the event loop.
 */
export async function traceAddress(reader: Reader, address: string): Promise<TracedEvent[]> {
  const quoted = `%"recipient":${JSON.stringify(address).replace(/[\\%_]/g, '\\$&')}%`;
  const found = new Set<MessageId>();
  let before: readonly [message: number, number: number] = [Number.MAX_SAFE_INTEGER, 0];
  let pageRows = PAGE_ROWS_MIN;
  for (let searched = 0; searched < SEARCHED_ROWS_MAX; ) {
    const began = performance.now();
    const rows = reader.arrays(SEARCHED, quoted, ...before, Math.min(pageRows, SEARCHED_ROWS_MAX - searched));
    for (const [message, , isFound] of rows)
      if (isFound === 1 && found.size < TRACED_MESSAGES_MAX) found.add(idOf(message));
    const last = rows.at(-1);
    if (last === undefined || found.size === TRACED_MESSAGES_MAX) break;
    before = [Number(last[0]), Number(last[1])];
    searched += rows.length;
    pageRows = performance.now() - began > PAGE_MS ? PAGE_ROWS_MIN : Math.min(2 * pageRows, PAGE_ROWS_MAX);
    await turn();
  }
  const messages = [...found].sort((a, b) => idTime(a) - idTime(b) || a - b);
  return traceMessages(reader, messages);
}

/** Whatever else this thread has to do. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
