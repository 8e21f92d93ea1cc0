// queue remove: rows go, and nobody is told; or they fail, and their sender is.

import { z } from 'zod';
import { removeRows } from '../../transfer/manage.ts';
import { adminOperation } from '../operation.ts';
import { changeChosen, chosen, type ManagedQueue, type QueueParts } from './selected.ts';

export const queueRemove = (parts: QueueParts) =>
  adminOperation(
    'queue.remove',
    z.strictObject({ ...chosen, report: z.boolean().optional() }),
    ({ report, ...asked }): Promise<ManagedQueue> => {
      const { writer, clock } = parts;
      const told = report === true ? { report } : {};
      return changeChosen(parts, asked, (rows) => writer.execute(removeRows, { rows, at: clock.now(), ...told }));
    },
  );
