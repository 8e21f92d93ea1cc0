// How far the provider is followed, and what comes from it, in one transaction each.
//
// In      entries as the provider has them, each at the provider's revision; the cookie up to which all is told then
//         and when names have moved there
// Out     the directory, and all that follows from it, as it is there; the directory's revision is the provider's, or past it
// Order   each commit has another revision: caches are told by it. One without a cookie takes the next one here, and so does each
//         that brings a change while the provider has not come as far
// Errors  the first entry that cannot stand here yet throws, and all is undone

import { asciiLower } from '../../base/characters.ts';
import type { Revision } from '../../base/ids.ts';
import { TENANT } from '../../base/tenant.ts';
import { type Operation, operation, type Reader, type Transaction } from '../../database/operation.ts';
import { entryByUuidIn } from '../../directory/entries.ts';
import type { MirroredChange } from '../../directory/mirrored-change.ts';
import { freeAddresses } from '../../routing/synchronize.ts';
import { takeZoneMarks, type ZoneMark } from '../../zones/marks.ts';
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
  readonly reached: { readonly cookie: string; readonly revision: Revision } | undefined;
}

export function providedOperation(site: ChangeSite): Operation<FollowedPage, void> {
  return operation('provisioning.follow', async (tx, page) => {
    const { changes, haveSwapped, zoneMarks = [], reached } = page;
    let hasRevision = true;
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
    if (reached !== undefined) await noteMirrorCookie(tx, ALL, reached.cookie);
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

/** The provider's cookie; undefined where none was ever followed here. */
export function providerCookie(reader: Reader): string | undefined {
  const [row] = reader.arrays('SELECT cookie FROM mirror WHERE tenant = ? AND name = ?', TENANT, ALL);
  return row === undefined ? undefined : String(row[0]);
}
