// queue list: what is still to be delivered and why it has not been, row by row or by destination.

import { z } from 'zod';
import { queuedDestinations } from '../../transfer/destinations.ts';
import { findQueueEntry, listQueue, type QueueEntry } from '../../transfer/queue.ts';
import { adminOperation } from '../operation.ts';
import { chosenRows, filters, ids, type QueueParts, saysWhich, selectorOf } from './selected.ts';

const LIMIT = 1000;

export const queueList = (parts: Pick<QueueParts, 'reader' | 'clock'>) =>
  adminOperation(
    'queue.list',
    /** Ids, filters, or neither: all rows. */
    z.object({
      ids,
      ...filters,
      after: z.number().int().min(0).optional(),
      limit: z.number().int().min(1).max(10_000).optional(),
    }),
    async ({ after, limit = LIMIT, ...asked }): Promise<QueueEntry[]> => {
      if (!saysWhich(asked)) return listQueue(parts.reader, after, limit);
      const entries: QueueEntry[] = [];
      for await (const rows of chosenRows(parts, asked, { after }))
        for (const { id } of rows) {
          const entry = findQueueEntry(parts.reader, id);
          if (entry !== undefined) entries.push(entry);
          if (entries.length === limit) return entries;
        }
      return entries;
    },
  );

export const queueDestinations = ({ reader, clock }: Pick<QueueParts, 'reader' | 'clock'>) =>
  adminOperation('queue.destinations', z.object(filters), (asked) =>
    queuedDestinations(reader, selectorOf(asked) ?? {}, clock.now()),
  );
