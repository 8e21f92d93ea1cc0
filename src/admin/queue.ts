// queue list, show: what is still to be delivered, and why it has not been.

import { z } from 'zod';
import { Failure } from '../base/failure.ts';
import type { Reader } from '../database/operation.ts';
import { findQueueEntry, listQueue, type QueueEntry } from '../transfer/queue.ts';
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
