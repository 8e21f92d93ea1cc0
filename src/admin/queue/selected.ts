// Which rows a queue command means, ids or filters, and what is done with them, MANAGED_ROWS in a transaction.
//
// In      ids of rows and queue ids of messages as people write them; or what rows are to have (transfer/selector.ts)
// Out     how many messages and rows were meant, and how many of them have been changed
// Limits  a long queue is looked through in slices, a turn of the thread between two

import { z } from 'zod';
import type { Clock } from '../../base/clock.ts';
import { Failure } from '../../base/failure.ts';
import { type MessageId, parseIdText, type QueueRowId } from '../../base/ids.ts';
import type { Log } from '../../base/log.ts';
import type { Reader, Writer } from '../../database/operation.ts';
import { formatAddress, tryParseAddress, tryParseDomain } from '../../message/address.ts';
import { MANAGED_ROWS, type Managed } from '../../transfer/manage.ts';
import { findQueueEntry, rowIdsOfMessage } from '../../transfer/queue.ts';
import { type QueueSelector, type SelectedRow, selectedRows } from '../../transfer/selector.ts';

export interface QueueParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly log: Log;
}

/** What was done with the rows that the administrator named. */
export interface ManagedQueue {
  readonly dryRun: boolean;
  /** Messages and rows that were meant: a row is a recipient, and the queue id of a message stands for all its rows. */
  readonly messages: number;
  readonly recipients: number;
  /** Of these rows. */
  readonly changed: number;
  /** Rows that a channel works on just now, and which therefore stay as they are. */
  readonly busy: number;
  /** Rows that are held, where this is no matter of theirs. */
  readonly held: number;
  /** Of `queue reroute`: rows of which an attempt has perhaps done something already, and rows of lists, which are read here. */
  readonly begun: number;
  readonly lists: number;
  /** Ids that no row has, as they were written. */
  readonly unknown: readonly string[];
  /** The last row that there was: a later call with it means no row that has come since. */
  readonly upTo: number;
}

/** A row's number, or the queue id of a message. */
export const ids = z.array(z.string().min(1).max(20)).max(100_000).optional();

const text = z.string().max(3000);

export const filters = {
  channel: text.optional(),
  destination: text.optional(),
  domain: text.optional(),
  /** `<>` or '' is the null sender. */
  sender: text.optional(),
  recipient: text.optional(),
  state: z.enum(['waiting', 'held', 'failed', 'done', 'active']).optional(),
  heldBy: z.enum(['routing', 'custody', 'admin', 'moderation', 'suspended']).optional(),
  olderMs: z.number().int().min(0).optional(),
  reason: text.optional(),
};

export const chosen = { ids, ...filters, upTo: z.number().int().min(0).optional(), dryRun: z.boolean().optional() };

const filtersObject = z.strictObject(filters);
const chosenObject = z.strictObject(chosen);
type Filters = z.infer<typeof filtersObject>;
type Chosen = z.infer<typeof chosenObject> & {
  /** Every row. */
  readonly all?: boolean | undefined;
};

/** As rows have it. Undefined: nothing is asked for. */
export function selectorOf(asked: Filters): QueueSelector | undefined {
  const { domain, sender, recipient } = asked;
  const said = Object.entries({
    channel: asked.channel,
    destination: asked.destination,
    domain: domain === undefined ? undefined : domainOf(domain),
    sender: sender === '<>' ? '' : addressOf(sender),
    recipient: addressOf(recipient),
    state: asked.state,
    heldBy: asked.heldBy,
    olderMs: asked.olderMs,
    reason: asked.reason,
  }).filter(([, value]) => value !== undefined);
  return said.length === 0 ? undefined : (Object.fromEntries(said) as QueueSelector);
}

function domainOf(written: string): string {
  const domain = tryParseDomain(written);
  if (domain === undefined) throw new Failure('invalid', `${written} is no domain`);
  return domain;
}

/** What is no address stands as it is: `postmaster`, or the null sender. */
function addressOf(written: string | undefined): string | undefined {
  const address = written === undefined ? undefined : tryParseAddress(written);
  return address === undefined ? written : formatAddress(address);
}

/** There are ids or filters. */
export function saysWhich(asked: Chosen): boolean {
  return asked.ids !== undefined || selectorOf(asked) !== undefined;
}

/** Where to begin and to end; names that no row has are added to `unknown`. */
interface Range {
  readonly after?: number | undefined;
  readonly unknown?: Set<string>;
}

/** The rows that are meant, each once, MANAGED_ROWS at a time at most; between two times the thread does its other work. */
export async function* chosenRows(
  { reader, clock }: Pick<QueueParts, 'reader' | 'clock'>,
  asked: Chosen,
  { after = 0, unknown }: Range = {},
): AsyncGenerator<readonly ChosenRow[]> {
  const { ids: names, all, upTo } = asked;
  const selector = all === true ? {} : selectorOf(asked);
  if ((names === undefined) === (selector === undefined)) throw new Failure('invalid', 'give ids, or filters');
  const rest = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  if (names !== undefined) {
    const named = rowsNamed(reader, names, unknown).filter(({ id }) => id > after);
    for (let at = 0; at < named.length; at += MANAGED_ROWS) {
      yield named.slice(at, at + MANAGED_ROWS);
      await rest();
    }
    return;
  }
  const now = clock.now();
  for (let from: number | undefined = after; from !== undefined; ) {
    const slice = selectedRows(reader, selector!, { after: from, now, ...(upTo === undefined ? {} : { upTo }) });
    if (slice.rows.length > 0) yield slice.rows;
    from = slice.after;
    await rest();
  }
}

const COUNTS = ['changed', 'busy', 'held', 'begun', 'lists'] as const;

/** `change` gets MANAGED_ROWS rows at a time at most, each once; in a dry run it is not called. */
export async function changeChosen(
  parts: Pick<QueueParts, 'reader' | 'clock'>,
  asked: Chosen,
  change: (rows: readonly QueueRowId[]) => Promise<Managed>,
): Promise<ManagedQueue> {
  const messages = new Set<MessageId>();
  const unknown = new Set<string>();
  let [recipients, upTo] = [0, 0];
  const done = { changed: 0, busy: 0, held: 0, begun: 0, lists: 0 };
  for await (const rows of chosenRows(parts, asked, { unknown })) {
    recipients += rows.length;
    for (const { id, message } of rows) {
      messages.add(message);
      upTo = Math.max(upTo, id);
    }
    if (asked.dryRun === true) continue;
    const managed = await change(rows.map(({ id }) => id));
    for (const what of COUNTS) done[what] += managed[what] ?? 0;
    for (const gone of managed.unknown) {
      const { name } = rows.find(({ id }) => id === gone)!;
      if (name !== undefined) unknown.add(name);
    }
  }
  const { dryRun = false } = asked;
  const counts = { messages: messages.size, recipients, ...done, ...(dryRun ? { changed: recipients } : {}) };
  return { dryRun, ...counts, unknown: [...unknown], upTo };
}

/** The rows that one id means, which are to be of one sender: only then they are one message with its envelope. */
export function rowsOfOneSender(reader: Reader, name: string): QueueRowId[] {
  const rows = rowsOf(reader, name).map(({ id }) => id);
  if (rows.length === 0) throw new Failure('not-found', `the queue has no row ${name}`);
  if (new Set(rows.map((row) => findQueueEntry(reader, row)?.sender)).size > 1)
    throw new Failure('invalid', `rows of ${name} have several senders: name one row`);
  return rows;
}

interface ChosenRow extends SelectedRow {
  /** As it was written, where an id was. */
  readonly name?: string;
}

/** Each row once, in order of id. */
function rowsNamed(reader: Reader, names: readonly string[], unknown: Set<string> | undefined): ChosenRow[] {
  const rows = new Map<QueueRowId, ChosenRow>();
  for (const name of new Set(names)) {
    const own = rowsOf(reader, name);
    for (const row of own) rows.set(row.id, { ...row, name });
    if (own.length === 0) unknown?.add(name);
  }
  return [...rows.values()].toSorted((a, b) => a.id - b.id);
}

/** The rows that an id means: a row's number, or the queue id of a message. */
function rowsOf(reader: Reader, name: string): SelectedRow[] {
  const number = Number(name);
  // Queue ids have letters, or they are longer than the number of any row.
  const entry = Number.isSafeInteger(number) && number > 0 ? findQueueEntry(reader, number) : undefined;
  if (entry !== undefined) return [{ id: entry.id, message: parseIdText<MessageId>(entry.message)! }];
  const message = parseIdText<MessageId>(name);
  return message === undefined ? [] : rowIdsOfMessage(reader, message).map((id) => ({ id, message }));
}
