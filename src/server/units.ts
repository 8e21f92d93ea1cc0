// Every unit's tables, and every operation that the writer knows by name.

import type { Unit } from '../database/format.ts';
import type { Operation } from '../database/operation.ts';
import type { Site } from '../routing/resolve.ts';
import { routingUnit } from '../routing/tables.ts';
import { closeAllSegments, closeSegment, collect, openSegment } from '../store/collect.ts';
import { append } from '../store/deliver.ts';
import {
  claimRecent,
  createMailbox,
  deleteMailbox,
  renameMailbox,
  subscribe,
  unsubscribe,
} from '../store/mailboxes.ts';
import { copy, expunge, storeFlags } from '../store/status.ts';
import { storeUnit } from '../store/tables.ts';
import { acceptOperation } from '../transfer/accept.ts';
import { transferUnit } from '../transfer/tables.ts';

export const units: readonly Unit[] = [storeUnit, routingUnit, transferUnit];

// biome-ignore lint/suspicious/noExplicitAny: arguments and results differ from operation to operation
export type AnyOperation = Operation<any, any>;

export function operationsFor(site: Site): readonly AnyOperation[] {
  return [
    openSegment,
    closeSegment,
    closeAllSegments,
    collect,
    append,
    createMailbox,
    deleteMailbox,
    renameMailbox,
    subscribe,
    unsubscribe,
    claimRecent,
    storeFlags,
    expunge,
    copy,
    acceptOperation(site),
  ];
}
