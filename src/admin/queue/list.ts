// queue list: what is still to be delivered and why it has not been, row by row or by destination.

import { z } from 'zod';
import { queuedDestinations } from '../../transfer/destinations.ts';
import { findQueueEntry, listQueue, type QueueEntry } from '../../transfer/queue.ts';
import { administersOnly } from '../audience.ts';
import { adminOperation, forDomains } from '../operation.ts';
import { chosenRows, filters, ids, type QueueParts, saysWhich, selectorOf } from './selected.ts';

const LIMIT = 1000;

export const queueList = (parts: Pick<QueueParts, 'reader' | 'clock'>) =>
  forDomains(
    adminOperation(
      'queue.list',
      /** Ids, filters, or neither: all rows. */
      z.object({
        ids,
        ...filters,
        after: z.number().int().min(0).optional(),
        limit: z.number().int().min(1).max(10_000).optional(),
      }),
      async ({ after, limit = LIMIT, ...asked }, caller): Promise<QueueEntry[]> => {
        const only = administersOnly(parts.reader, caller);
        const isTheirs = ({ sender, recipient }: QueueEntry): boolean =>
          only === undefined || only.has(sender) || only.has(recipient);
        const entries: QueueEntry[] = [];
        if (!saysWhich(asked)) {
          for (let page = listQueue(parts.reader, after, limit); page.length > 0; ) {
            entries.push(...page.filter(isTheirs).slice(0, limit - entries.length));
            if (only === undefined || page.length < limit || entries.length === limit) break;
            await new Promise((turn) => setImmediate(turn));
            page = listQueue(parts.reader, page.at(-1)!.id, limit);
          }
          return entries;
        }
        for await (const rows of chosenRows(parts, asked, { after }))
          for (const { id } of rows) {
            const entry = findQueueEntry(parts.reader, id);
            if (entry !== undefined && isTheirs(entry)) entries.push(entry);
            if (entries.length === limit) return entries;
          }
        return entries;
      },
    ),
    () => [],
  );

export const queueDestinations = ({ reader, clock }: Pick<QueueParts, 'reader' | 'clock'>) =>
  adminOperation('queue.destinations', z.object(filters), (asked) =>
    queuedDestinations(reader, selectorOf(asked) ?? {}, clock.now()),
  );
