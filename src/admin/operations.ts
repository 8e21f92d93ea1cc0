// All of the administrator's operations, and their types by name: what goes over the admin socket, and what comes back.

import type { Reader } from '../database/operation.ts';
import type { ZoneSite } from '../zones/settings.ts';
import { type AuditParts, auditList } from './audit.ts';
import { type CertificateParts, certReload, certShow } from './cert.ts';
import { channelList, channelPause, channelResume, channelShow } from './channel.ts';
import { directoryDiff } from './directory.ts';
import { directoryAccess } from './directory-access.ts';
import { directoryChange } from './directory-change.ts';
import { directoryChanges, directoryExport, directorySearch } from './directory-export.ts';
import {
  type DirectoryImportParts,
  directoryImport,
  directoryRehearse,
  directoryRehearsed,
} from './directory-import.ts';
import { directoryProbe } from './directory-probe.ts';
import { directoryCheck, directorySchema } from './directory-schema.ts';
import { dkimImport, dkimList, dkimRotate } from './dkim.ts';
import { dnsRecords } from './dns.ts';
import { type DnsCheckParts, dnsCheck } from './dns-check/check.ts';
import { dnsPublish } from './dns-publish.ts';
import { domainAdd, domainList, domainRemove, domainShow } from './domain.ts';
import { domainApprove, domainPending, domainRefuse, domainToken } from './domain-pending.ts';
import { type DomainRenameParts, domainRename } from './domain-rename.ts';
import type { EntryParts } from './entries.ts';
import { groupAdd, groupList, groupRemove, groupShow } from './group.ts';
import { type HostParts, hostAdd, hostList, hostRemove } from './host.ts';
import { type CheckParts, mailboxCheck, mailboxRepair } from './mailbox.ts';
import { mailboxAclRemove, mailboxAclSet, mailboxAclShow } from './mailbox-acl.ts';
import { type ExpireParts, mailboxExpire } from './mailbox-expire.ts';
import { mailboxReaders } from './mailbox-readers.ts';
import { queueHold, queueRelease } from './queue/hold.ts';
import { type ImportingParts, queueImport } from './queue/import.ts';
import { queueDestinations, queueList } from './queue/list.ts';
import { queueRaw } from './queue/raw.ts';
import { queueRemove } from './queue/remove.ts';
import { queueReroute } from './queue/reroute.ts';
import { queueRetry } from './queue/retry.ts';
import { queueShow } from './queue/show.ts';
import { route } from './route.ts';
import { ruleList, ruleTest } from './rule.ts';
import { type StatusParts, status } from './status.ts';
import {
  type SyncParts,
  syncDigest,
  syncDomain,
  syncFromDns,
  syncFromZone,
  syncFull,
  syncRows,
  syncSource,
  syncStatus,
  syncVerify,
} from './sync.ts';
import { tokenAdd, tokenList, tokenRemove } from './token.ts';
import { trace } from './trace.ts';
import { userAdd, userList, userRemove, userShow } from './user.ts';
import { userMove } from './user-move.ts';
import { userSet } from './user-set.ts';
import { userSuspend } from './user-suspend.ts';

export interface AdminParts
  extends EntryParts,
    StatusParts,
    CheckParts,
    ExpireParts,
    CertificateParts,
    AuditParts,
    SyncParts,
    ImportingParts,
    DnsCheckParts,
    DomainRenameParts,
    DirectoryImportParts,
    HostParts {
  readonly reader: Reader;
  readonly zoneSite: ZoneSite;
}

export function adminOperations(parts: AdminParts) {
  return [...peopleAndPlaces(parts), ...directoryAndTables(parts), ...mailAndDoors(parts)] as const;
}

function peopleAndPlaces(parts: AdminParts) {
  return [
    status(parts),
    domainAdd(parts),
    domainList(parts),
    domainShow(parts),
    domainRename(parts),
    domainRemove(parts),
    domainPending(parts),
    domainApprove(parts),
    domainRefuse(parts),
    domainToken(parts),
    userAdd(parts),
    userList(parts),
    userShow(parts),
    userRemove(parts),
    userMove(parts),
    userSet(parts),
    userSuspend(parts),
    groupAdd(parts),
    groupList(parts),
    groupShow(parts),
    groupRemove(parts),
    hostAdd(parts),
    hostList(parts),
    hostRemove(parts),
    tokenAdd(parts),
    tokenList(parts),
    tokenRemove(parts),
  ] as const;
}

function directoryAndTables(parts: AdminParts) {
  return [
    route(parts),
    ruleList(parts),
    ruleTest(parts),
    directoryChange(parts),
    directoryDiff(parts),
    directoryAccess(parts),
    directorySchema(parts),
    directoryCheck(parts),
    directoryProbe(parts),
    directoryExport(parts),
    directoryChanges(parts),
    directorySearch(parts),
    directoryImport(parts),
    directoryRehearse(parts),
    directoryRehearsed(parts),
    syncStatus(parts),
    syncFull(parts),
    syncDomain(parts),
    syncVerify(parts),
    syncDigest(parts),
    syncRows(parts),
    syncFromDns(parts),
    syncSource(parts),
    syncFromZone(parts),
  ] as const;
}

function mailAndDoors(parts: AdminParts) {
  return [
    dkimList(parts),
    dkimRotate(parts),
    dkimImport(parts),
    dnsRecords(parts),
    dnsCheck(parts),
    dnsPublish(parts),
    channelList(parts),
    channelShow(parts),
    channelPause(parts),
    channelResume(parts),
    queueList(parts),
    queueDestinations(parts),
    queueShow(parts),
    queueRaw(parts),
    queueRetry(parts),
    queueHold(parts),
    queueRelease(parts),
    queueReroute(parts),
    queueRemove(parts),
    queueImport(parts),
    mailboxCheck(parts),
    mailboxRepair(parts),
    mailboxExpire(parts),
    mailboxAclShow(parts),
    mailboxAclSet(parts),
    mailboxAclRemove(parts),
    mailboxReaders(parts),
    trace(parts),
    auditList(parts),
    certShow(parts),
    certReload(parts),
  ] as const;
}

type Operation = ReturnType<typeof adminOperations>[number];

/** `user.add` -> its operation. */
type ByName = { readonly [Each in Operation as Each['name']]: Each };

export type AdminName = keyof ByName;
export type AdminInput<Name extends AdminName> = Parameters<ByName[Name]['run']>[0];
export type AdminOutput<Name extends AdminName> = Awaited<ReturnType<ByName[Name]['run']>>;
