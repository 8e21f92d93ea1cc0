// queue show: one row with all that is known of it.

import { z } from 'zod';
import { Failure } from '../../base/failure.ts';
import { findQueueEntry, type QueueEntry } from '../../transfer/queue.ts';
import { adminOperation } from '../operation.ts';
import type { QueueParts } from './selected.ts';

export const queueShow = (parts: Pick<QueueParts, 'reader'>) =>
  adminOperation('queue.show', z.strictObject({ id: z.number().int().positive() }), (input): QueueEntry => {
    const entry = findQueueEntry(parts.reader, input.id);
    if (entry === undefined) throw new Failure('not-found', `the queue has no row ${input.id}`);
    return entry;
  });
