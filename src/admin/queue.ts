// queue list, show, retry, remove: what is still to be delivered, why it has not been, and what an administrator does about it.

import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import { type MessageId, parseIdText, type QueueRowId } from '../base/ids.ts';
import type { Reader, Writer } from '../database/operation.ts';
import { MANAGED_ROWS, type Managed, removeRows, retryAll, retryRows } from '../transfer/manage.ts';
import { findQueueEntry, listQueue, type QueueEntry, rowIdsOfMessage } from '../transfer/queue.ts';
import { adminOperation } from './operation.ts';

export const queueList = (parts: { readonly reader: Reader }) =>
  adminOperation(
    'queue.list',
    z.object({ after: z.number().int().min(0).optional(), limit: z.number().int().min(1).max(10_000).optional() }),
    (input): QueueEntry[] => listQueue(parts.reader, input.after, input.limit),
  );

export const queueShow = (parts: { readonly reader: Reader }) =>
  adminOperation('queue.show', z.object({ id: z.number().int().positive() }), (input): QueueEntry => {
    const entry = findQueueEntry(parts.reader, input.id);
    if (entry === undefined) throw new Failure('not-found', `the queue has no row ${input.id}`);
    return entry;
  });

export interface QueueParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly clock: Clock;
}

/** What was done with the rows that the administrator named. */
export interface ManagedQueue {
  readonly dryRun: boolean;
  /** Rows, not ids: a message's queue id stands for all its rows. */
  readonly changed: number;
  /** Ids that no row has, as they were written. */
  readonly unknown: readonly string[];
}

/** A row's number, or the queue id of a message. */
const ids = z.array(z.string().min(1).max(20)).max(100_000);

export const queueRetry = (parts: QueueParts) =>
  adminOperation(
    'queue.retry',
    z.object({ ids: ids.optional(), all: z.boolean().optional() }),
    async (input): Promise<ManagedQueue> => {
      if (input.all === true) return { dryRun: false, changed: await retryAll(parts.writer), unknown: [] };
      return manage(parts.reader, input.ids ?? [], (rows) => parts.writer.execute(retryRows, { rows }));
    },
  );

export const queueRemove = (parts: QueueParts) =>
  adminOperation(
    'queue.remove',
    z.object({ ids, dryRun: z.boolean().optional() }),
    async (input): Promise<ManagedQueue> => {
      const { reader, writer, clock } = parts;
      if (input.dryRun !== true)
        return manage(reader, input.ids, (rows) => writer.execute(removeRows, { rows, at: clock.now() }));
      const would = await manage(reader, input.ids, async (rows) => {
        const unknown = rows.filter((row) => findQueueEntry(reader, row) === undefined);
        return { changed: rows.length - unknown.length, unknown };
      });
      return { ...would, dryRun: true };
    },
  );

/** `change` gets MANAGED_ROWS rows at a time, each once. */
async function manage(
  reader: Reader,
  named: readonly string[],
  change: (rows: readonly QueueRowId[]) => Promise<Managed>,
): Promise<ManagedQueue> {
  const nameOfRow = new Map<QueueRowId, string>();
  const unknown: string[] = [];
  for (const name of new Set(named)) {
    const rows = rowsNamed(reader, name);
    for (const row of rows) nameOfRow.set(row, name);
    if (rows.length === 0) unknown.push(name);
  }
  const rows = [...nameOfRow.keys()];
  let changed = 0;
  for (let at = 0; at < rows.length; at += MANAGED_ROWS) {
    const managed = await change(rows.slice(at, at + MANAGED_ROWS));
    changed += managed.changed;
    unknown.push(...managed.unknown.map((row) => nameOfRow.get(row)!));
  }
  return { dryRun: false, changed, unknown: [...new Set(unknown)] };
}

function rowsNamed(reader: Reader, name: string): QueueRowId[] {
  const number = Number(name);
  // Queue ids have letters, or they are longer than the number of any row.
  const row = Number.isSafeInteger(number) && number > 0 ? findQueueEntry(reader, number) : undefined;
  if (row !== undefined) return [row.id];
  const message = parseIdText<MessageId>(name);
  return message === undefined ? [] : rowIdsOfMessage(reader, message);
}
