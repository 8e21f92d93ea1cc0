// queue retry: rows are tried now, whenever they would have been due; who is held stays so (queue release).

import { z } from 'zod';
import { retryAll, retryRows } from '../../transfer/manage.ts';
import { adminOperation } from '../operation.ts';
import { changeChosen, chosen, type ManagedQueue, type QueueParts } from './selected.ts';

export const queueRetry = (parts: QueueParts) =>
  adminOperation(
    'queue.retry',
    z.strictObject({ ...chosen, all: z.boolean().optional() }),
    async (asked): Promise<ManagedQueue> => {
      const { writer } = parts;
      if (asked.all !== true || asked.dryRun === true)
        return changeChosen(parts, asked, (rows) => writer.execute(retryRows, { rows }));
      const counted = await changeChosen(parts, { ...asked, dryRun: true }, () =>
        Promise.reject(new Error('counts only')),
      );
      return { ...counted, dryRun: false, changed: await retryAll(writer) };
    },
  );
