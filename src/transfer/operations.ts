// Every write operation of the transfer unit, for the writer.

import type { Operation } from '../database/operation.ts';
import { acceptOnceOperation, forgetOnce } from './accept-once.ts';
import { acceptOperation } from './accept-operation.ts';
import { endCustody } from './custody-watch.ts';
import { FORWARD, forward } from './forward.ts';
import { expireModeration, futureSlice } from './future.ts';
import { holdRows, releaseRows, rerouteRows } from './hold.ts';
import { pruneJourney } from './housekeeping.ts';
import { noteIntent } from './intend.ts';
import { beginRun, leaseRows, returnRows } from './leases.ts';
import { LIST, listOperation } from './list/decide.ts';
import { forgetLists } from './list-progress.ts';
import { removeRows, retryRows, retrySlice } from './manage.ts';
import { quotaWarningOperation } from './quota-warning.ts';
import { type RecordParts, recordOperation } from './record.ts';
import { releaseSlice } from './release.ts';
import { forgetReplied, REPLY, reply } from './replied.ts';
import { dropReports } from './reports/drop.ts';
import { reportOperation } from './reports/send.ts';
import { delayUntried } from './reports/untried.ts';
import { failSuspended } from './suspension.ts';

/** With what the outcomes of the local channels name, a line each. */
export function recordAll(parts: RecordParts): ReturnType<typeof recordOperation> {
  const localOperations = new Map([
    ...(parts.localOperations ?? []),
    [FORWARD, forward(parts)] as const,
    [LIST, listOperation] as const,
    [REPLY, reply] as const,
  ]);
  return recordOperation({ ...parts, localOperations });
}

// biome-ignore lint/suspicious/noExplicitAny: arguments and results differ from operation to operation
export function transferOperations(parts: RecordParts): readonly Operation<any, any>[] {
  return [
    acceptOperation(parts),
    acceptOnceOperation(parts),
    quotaWarningOperation(parts),
    recordAll(parts),
    reportOperation(parts),
    dropReports,
    beginRun,
    leaseRows,
    returnRows,
    noteIntent,
    releaseSlice,
    retryRows,
    retrySlice,
    removeRows,
    futureSlice,
    expireModeration,
    endCustody,
    delayUntried,
    holdRows,
    releaseRows,
    rerouteRows,
    pruneJourney,
    forgetOnce,
    forgetLists,
    forgetReplied,
    failSuspended,
  ];
}
