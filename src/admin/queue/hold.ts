// queue hold, release: rows that nothing works on, and those that are let go: due at once, and their expiry counted anew.

import { z } from 'zod';
import type { LogFields } from '../../base/log.ts';
import { authorOf, type Caller } from '../../directory/caller.ts';
import { holdRows, releaseRows } from '../../transfer/hold.ts';
import { adminOperation } from '../operation.ts';
import { changeChosen, chosen, type ManagedQueue, type QueueParts } from './selected.ts';

export const queueHold = (parts: QueueParts) =>
  adminOperation('queue.hold', z.strictObject(chosen), async (asked, caller, peer): Promise<ManagedQueue> => {
    const { writer, clock, log } = parts;
    const managed = await changeChosen(parts, asked, (rows) =>
      writer.execute(holdRows, { rows, by: 'admin', at: clock.now() }),
    );
    if (isDone(managed)) log.info('transfer.hold', fieldsOf(managed, caller, peer));
    return managed;
  });

/** Whoever holds them. */
export const queueRelease = (parts: QueueParts) =>
  adminOperation('queue.release', z.strictObject(chosen), async (asked, caller, peer): Promise<ManagedQueue> => {
    const { writer, clock, log } = parts;
    const managed = await changeChosen(parts, asked, (rows) => writer.execute(releaseRows, { rows, at: clock.now() }));
    if (isDone(managed)) log.info('transfer.release', fieldsOf(managed, caller, peer));
    return managed;
  });

function isDone({ dryRun, changed }: ManagedQueue): boolean {
  return !dryRun && changed > 0;
}

function fieldsOf({ changed }: ManagedQueue, caller: Caller, peer: string): LogFields {
  return { rows: changed, by: authorOf(caller), peer };
}
