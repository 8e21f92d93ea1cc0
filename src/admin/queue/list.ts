// queue list: what is still to be delivered and why it has not been, row by row or by destination.

import { z } from 'zod';
import { type MessageId, parseIdText } from '../../base/ids.ts';
import { tryParseAddress } from '../../message/address.ts';
import type { RoutingCache } from '../../routing/cache.ts';
import { queuedDestinations } from '../../transfer/destinations.ts';
import { acceptedRecipients } from '../../transfer/journey.ts';
import { findQueueEntry, listQueue, type QueueEntry } from '../../transfer/queue.ts';
import { type Administered, administersOnly } from '../audience.ts';
import { adminOperation, forDomains } from '../operation.ts';
import { chosenRows, filters, ids, type QueueParts, saysWhich, selectorOf } from './selected.ts';

const LIMIT = 1000;

type Parts = Pick<QueueParts, 'reader' | 'clock'> & { readonly routing: Pick<RoutingCache, 'route'> };

/**
 * Whether a row is of whoever administers domains alone: mail to their people, and what goes to the world in their people's names. Not where
 * other domains here send it on, or what their lists make of it.
 */
function isOfDomains({ reader, routing }: Parts, only: Administered): (row: QueueEntry) => boolean {
  let last: { readonly message: string; readonly recipients: ReadonlySet<string> } | undefined;
  return ({ message, sender, recipient }) => {
    if (only.has(recipient)) return true;
    const domain = tryParseAddress(recipient)?.domain;
    if (!only.has(sender) || domain === undefined || routing.route(domain) !== undefined) return false;
    if (last?.message !== message)
      last = { message, recipients: acceptedRecipients(reader, parseIdText<MessageId>(message)!) };
    return last.recipients.has(recipient);
  };
}

export const queueList = (parts: Parts) =>
  forDomains(
    adminOperation(
      'queue.list',
      /** Ids, filters, or neither: all rows. */
      z.strictObject({
        ids,
        ...filters,
        after: z.number().int().min(0).optional(),
        limit: z.number().int().min(1).max(10_000).optional(),
      }),
      async ({ after, limit = LIMIT, ...asked }, caller): Promise<QueueEntry[]> => {
        const only = administersOnly(parts.reader, caller);
        const isTheirs = only === undefined ? () => true : isOfDomains(parts, only);
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
  adminOperation('queue.destinations', z.strictObject(filters), (asked) =>
    queuedDestinations(reader, selectorOf(asked) ?? {}, clock.now()),
  );
