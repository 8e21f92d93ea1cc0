// Every write operation of the transfer unit, for the writer.

import type { Operation } from '../database/operation.ts';
import type { Site } from '../routing/resolve.ts';
import { acceptOperation } from './accept.ts';
import { storeOperation } from './channels/store.ts';
import { pruneJourney } from './housekeeping.ts';
import { beginRun, leaseRows } from './leases.ts';
import { removeRows, retryRows, retrySlice } from './manage.ts';
import { dropFailed, notifyOperation } from './notify.ts';
import { record } from './record.ts';

// biome-ignore lint/suspicious/noExplicitAny: arguments and results differ from operation to operation
export function transferOperations(site: Site): readonly Operation<any, any>[] {
  return [
    acceptOperation(site),
    storeOperation(site),
    notifyOperation(site),
    dropFailed,
    record,
    beginRun,
    leaseRows,
    retryRows,
    retrySlice,
    removeRows,
    pruneJourney,
  ];
}
