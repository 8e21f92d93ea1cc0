// queue hold, release: rows that nothing works on, and those that are let go: due at once, and their expiry counted anew.

import { z } from 'zod';
import { holdRows, releaseRows } from '../../transfer/hold.ts';
import { adminOperation } from '../operation.ts';
import { changeChosen, chosen, type ManagedQueue, type QueueParts } from './selected.ts';

export const queueHold = (parts: QueueParts) =>
  adminOperation('queue.hold', z.object(chosen), (asked): Promise<ManagedQueue> => {
    const { writer, clock } = parts;
    return changeChosen(parts, asked, (rows) => writer.execute(holdRows, { rows, by: 'admin', at: clock.now() }));
  });

/** Whoever holds them. */
export const queueRelease = (parts: QueueParts) =>
  adminOperation('queue.release', z.object(chosen), (asked): Promise<ManagedQueue> => {
    const { writer, clock } = parts;
    return changeChosen(parts, asked, (rows) => writer.execute(releaseRows, { rows, at: clock.now() }));
  });
