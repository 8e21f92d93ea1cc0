// How far the provider is followed, and what comes from it, in one transaction each.
//
// In      entries as the provider has them, each at the provider's revision; the cookie up to which all is told then
//         and when names have moved there, with what stood there before
// Out     the directory, and all that follows from it, as it is there; the directory's revision is the provider's, or past it
// Order   each commit has another revision: caches are told by it. One without a cookie takes the next one here, and so does each
//         that brings a change while the provider has not come as far
// Errors  the first entry that cannot stand here yet throws, and all is undone

import { asciiLower } from '../../base/characters.ts';
import type { Revision } from '../../base/ids.ts';
import { TENANT } from '../../base/tenant.ts';
import { type Operation, operation, type Reader, type Transaction, type Value } from '../../database/operation.ts';
import { parseCsn } from '../../directory/csn.ts';
import { entryByUuidIn } from '../../directory/entries.ts';
import type { MirroredChange } from '../../directory/mirrored-change.ts';
import { freeAddresses } from '../../routing/synchronize.ts';
import { takeZoneMarks, type ZoneMark } from '../../zones/marks.ts';
import { leaveZoneState, reachZoneState } from '../../zones/states.ts';
import type { ToldChange } from '../../zones/told.ts';
import { takeMirrored } from '../mirrored.ts';
import { noteMirrorCookie } from '../tables.ts';
import type { ChangeSite } from '../write-options.ts';

/** The name of all that is another server's. */
const ALL = '';

export interface FollowedChange {
  readonly change: MirroredChange;
  /** Of the entry, undefined for one that is gone. */
  readonly revision: Revision | undefined;
  /** When, epoch milliseconds. */
  readonly at: number;
  /** The login that has asked for it here, and goes on. */
  readonly session?: string | undefined;
  /** Its password is the same, stored otherwise. */
  readonly samePassword?: boolean;
}

export interface FollowedPage {
  readonly changes: readonly FollowedChange[];
  /** None of them can stand here before the others: all give up their addresses first. */
  readonly haveSwapped?: boolean;
  /** When names have moved there. */
  readonly zoneMarks?: readonly ZoneMark[];
  /** All up to this revision is told with it. */
  readonly reached: Reached | undefined;
}

export interface Reached {
  readonly cookie: string;
  readonly revision: Revision;
  /** What has changed in the zones there since the cookie before; undefined: it was not told. */
  readonly zoneChanges?: readonly ToldChange[] | undefined;
  /** Something newer was told, perhaps. */
  readonly isBehind?: boolean;
}

export function providedOperation(site: ChangeSite): Operation<FollowedPage, void> {
  return operation('provisioning.follow', async (tx, page) => {
    const { changes, haveSwapped, zoneMarks = [], reached } = page;
    let hasRevision = true;
    const began = tx.revision;
    if (reached !== undefined && reached.revision > tx.revision) await tx.raiseRevision(reached.revision);
    else if (changes.length > 0) await tx.nextRevision();
    else hasRevision = false;
    if (haveSwapped === true) await freeAddresses(tx, await namesHere(tx, changes));
    for (const { change, revision = tx.revision, at, session, samePassword = false } of changes) {
      const login = { session, samePassword };
      const options = { source: ALL, author: authorOf(change), now: at, revision, takenAt: tx.revision, site, login };
      await takeMirrored(tx, [change], options);
    }
    await takeZoneMarks(tx, zoneMarks, async () => {
      if (!hasRevision) await tx.nextRevision();
      hasRevision = true;
      return tx.revision;
    });
    if (reached === undefined) {
      if (changes.length > 0) await leaveZoneState(tx);
      return;
    }
    const { revision, zoneChanges, isBehind = false } = reached;
    const before = revisionOf(await tx.arrays(COOKIE, TENANT, ALL));
    await reachZoneState(tx, { reached: revision, before, began, changes: zoneChanges, isExact: !isBehind });
    await noteMirrorCookie(tx, ALL, reached.cookie);
  });
}

/** For who posts it. */
export const takeProvided = providedOperation({ hostname: 'localhost', mode: 'embedded' });

async function namesHere(tx: Transaction, changes: readonly FollowedChange[]): Promise<string[]> {
  const names: string[] = [];
  for (const { change, revision } of changes) {
    const entry = change.kind === 'put' ? await entryByUuidIn(tx, asciiLower(change.entry.uuid)) : undefined;
    // Nothing follows from one that is as it was.
    if (entry !== undefined && entry.revision !== revision) names.push(entry.normalizedDn);
  }
  return names;
}

function authorOf(change: MirroredChange): string {
  return change.kind === 'put' ? (change.entry.modifiedBy ?? '') : '';
}

const COOKIE = 'SELECT cookie FROM mirror WHERE tenant = ? AND name = ?';

function revisionOf([row]: readonly (readonly Value[])[]): Revision | undefined {
  return positionOf(row && String(row[0]))?.revision;
}

export interface Position {
  readonly cookie: string;
  readonly revision: Revision;
  readonly at: number;
}

/** Undefined for a cookie of no change. */
export function positionOf(cookie: string | undefined): Position | undefined {
  const csn = cookie?.split(',').find((part) => part.startsWith('csn='));
  const position = csn === undefined ? undefined : parseCsn(csn.slice('csn='.length));
  return position && { ...position, cookie: cookie! };
}

/** The provider's cookie; undefined where none was ever followed here. */
export function providerCookie(reader: Reader): string | undefined {
  const [row] = reader.arrays(COOKIE, TENANT, ALL);
  return row === undefined ? undefined : String(row[0]);
}
