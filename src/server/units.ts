// Every unit's tables, what is derived from entries, and every operation that the writer knows by name.

import { forgetClients, noteKnownClient } from '../auth/known-clients.ts';
import { scramCount, scramOperations } from '../auth/scram-counter.ts';
import { authUnit } from '../auth/tables.ts';
import { beginDerived, type Derived } from '../database/derived.ts';
import type { Unit } from '../database/format.ts';
import { type Operation, probe } from '../database/operation.ts';
import { checkAnywhere } from '../directory/access/check-change.ts';
import { pruneChangeLog } from '../directory/change-log.ts';
import { beginIndex, directoryIndex, indexSlice, memberSlice } from '../directory/rebuild-index.ts';
import { directoryUnit } from '../directory/tables.ts';
import { makeOperation } from '../provisioning/arrival/make.ts';
import { bootstrap, prepareHost } from '../provisioning/bootstrap.ts';
import { changeOperation } from '../provisioning/change.ts';
import { diff } from '../provisioning/diff.ts';
import { keyOperations } from '../provisioning/dkim/keys.ts';
import { domainRenameOperations } from '../provisioning/domain-rename/operations.ts';
import { importOperation } from '../provisioning/import.ts';
import { keepHost, renameHost } from '../provisioning/keep-host.ts';
import { learnPassword } from '../provisioning/learn-password.ts';
import { apexMarks, markAll } from '../provisioning/mark-apexes.ts';
import { moveMirroredBelow, takeMirrorPage } from '../provisioning/mirrored.ts';
import { decideOperations } from '../provisioning/pending/decide.ts';
import { forgetPending, seePending } from '../provisioning/pending/entries.ts';
import { providedOperation } from '../provisioning/replica/position.ts';
import { recorded } from '../provisioning/replica/recorded.ts';
import { provisioningUnit } from '../provisioning/tables.ts';
import { addToken, removeToken } from '../provisioning/token.ts';
import type { ChangeSite } from '../provisioning/write-options.ts';
import { observedOperation, unwatch } from '../publishing/observed.ts';
import { publishingOperations } from '../publishing/outbox-operations.ts';
import { servedAs, spreadSlice } from '../publishing/spread.ts';
import { nameHost } from '../routing/host-names.ts';
import { pruneHistory } from '../routing/prune-history.ts';
import { rebuildOperations, routingTables } from '../routing/rebuild.ts';
import type { Site } from '../routing/resolve.ts';
import { noteCheck } from '../routing/sync-runs.ts';
import { syncOperations } from '../routing/synchronize-domain.ts';
import { routingUnit } from '../routing/tables.ts';

import { setAcl } from '../store/acl.ts';
import { closeAllSegments, closeSegment, closeSegmentsOf, collect, openSegment } from '../store/collect.ts';
import { copy, move } from '../store/copy.ts';
import { append } from '../store/deliver.ts';
import { expire } from '../store/expire.ts';
import { expunge } from '../store/expunge.ts';
import { makeFirstFolders } from '../store/first-folders.ts';
import { storeFlags } from '../store/flags-change.ts';
import {
  claimRecent,
  createMailbox,
  deleteMailbox,
  renameMailbox,
  subscribe,
  unsubscribe,
} from '../store/mailboxes.ts';
import { setMetadata, setServerMetadata } from '../store/metadata.ts';
import { assignQuotaRoot } from '../store/quota.ts';
import { repair } from '../store/repairs.ts';
import { endReparse, storeReparsed } from '../store/reparse.ts';
import { replace } from '../store/replace.ts';
import { searchIndexOperations } from '../store/search-index/searched.ts';
import { countSegments, endRewrite, endSegments, leavePlain, moveMessages } from '../store/space.ts';
import { storeUnit } from '../store/tables.ts';
import { makeUrlKeys, resetUrlKeys } from '../store/url-keys.ts';
import { keepUsedChannel } from '../transfer/channel-guard.ts';
import { transferOperations } from '../transfer/operations.ts';
import { placeParts } from '../transfer/place-parts.ts';
import { transferUnit } from '../transfer/tables.ts';
import { pruneZoneChanges } from '../zones/changes.ts';
import { zoneOperations, zoneTable } from '../zones/rebuild.ts';
import { zonesUnit } from '../zones/tables.ts';
import { changeSite } from './change-site.ts';

export const units: readonly Unit[] = [
  directoryUnit,
  storeUnit,
  zonesUnit,
  routingUnit,
  authUnit,
  provisioningUnit,
  transferUnit,
];

/** What the units derive from entries, in the order in which it is derived anew. */
export const derived: readonly Derived[] = [directoryIndex(), zoneTable(), routingTables(), scramCount(), apexMarks()];

// biome-ignore lint/suspicious/noExplicitAny: arguments and results differ from operation to operation
export type AnyOperation = Operation<any, any>;

/** `warnPercent`: see placeParts. */
export function operationsFor(site: Site, warnPercent?: number): readonly AnyOperation[] {
  const writeSite = changeSite(site);
  const own = ownOperations(site, writeSite, warnPercent);
  // What changes the directory is handed on.
  return site.defaultHost === undefined ? own : [providedOperation(writeSite), ...own.map(recorded)];
}

function ownOperations(site: Site, writeSite: ChangeSite, warnPercent: number | undefined): readonly AnyOperation[] {
  return [
    openSegment,
    closeSegment,
    closeSegmentsOf,
    closeAllSegments,
    collect,
    countSegments,
    endSegments,
    moveMessages,
    endRewrite,
    leavePlain,
    storeReparsed,
    endReparse,
    append,
    assignQuotaRoot,
    createMailbox,
    setAcl,
    makeUrlKeys,
    resetUrlKeys,
    setMetadata,
    setServerMetadata,
    deleteMailbox,
    ...searchIndexOperations,
    renameMailbox,
    subscribe,
    unsubscribe,
    claimRecent,
    makeFirstFolders,
    repair,
    replace,
    storeFlags,
    expunge,
    expire,
    copy,
    move,
    probe,
    beginDerived,
    checkAnywhere,
    pruneChangeLog,
    noteKnownClient,
    forgetClients,
    beginIndex,
    indexSlice,
    memberSlice,
    bootstrap,
    changeOperation([keepUsedChannel], writeSite),
    importOperation([keepUsedChannel], writeSite),
    ...keyOperations(writeSite),
    addToken,
    removeToken,
    makeOperation(site, writeSite),
    seePending,
    forgetPending,
    ...decideOperations(writeSite),
    ...domainRenameOperations(writeSite),
    learnPassword,
    takeMirrorPage,
    moveMirroredBelow,
    markAll,
    diff,
    prepareHost,
    keepHost,
    renameHost,
    nameHost,
    pruneHistory,
    ...rebuildOperations,
    ...syncOperations,
    noteCheck,
    ...scramOperations,
    ...zoneOperations,
    pruneZoneChanges,
    ...publishingOperations(writeSite),
    observedOperation(writeSite),
    unwatch,
    spreadSlice,
    servedAs,
    ...transferOperations(placeParts(site, warnPercent)),
  ];
}
