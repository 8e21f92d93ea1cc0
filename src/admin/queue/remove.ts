// queue remove: rows go, and nobody is told.

import { z } from 'zod';
import { removeRows } from '../../transfer/manage.ts';
import { adminOperation } from '../operation.ts';
import { changeChosen, chosen, type ManagedQueue, type QueueParts } from './selected.ts';

export const queueRemove = (parts: QueueParts) =>
  adminOperation('queue.remove', z.object(chosen), (asked): Promise<ManagedQueue> => {
    const { writer, clock } = parts;
    return changeChosen(parts, asked, (rows) => writer.execute(removeRows, { rows, at: clock.now() }));
  });
