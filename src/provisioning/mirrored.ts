// Entries as another server has them, and all that follows from each, in one transaction.
//
// In      puts and removals, in order; of a source also how far it has been followed then
// Out     how many entries changed here
// Errors  the first entry that cannot stand here throws, and all is undone: who takes a page over gives its entries one by one then
// Names   entries of ours that name a source's entry follow its renames
// Never   asks what callers may do, checks what our own changes must keep to, makes entries along: that is done there

import type { Revision } from '../base/ids.ts';
import { operation, type Transaction } from '../database/operation.ts';
import { entryByUuidIn } from '../directory/entries.ts';
import { applyMirrored, type MirroredChange, type MirrorOptions } from '../directory/mirrored-change.ts';
import { followReferences } from '../directory/references.ts';
import { synchronizeEntry, withdrawEntry } from '../routing/synchronize.ts';
import { followers } from './followers.ts';
import { noteLoginChanges } from './login-changes.ts';
import { noteMirrorCookie } from './tables.ts';
import { ANY_SITE, type ChangeSite } from './write-options.ts';

interface MirroredOptions extends MirrorOptions {
  readonly site: ChangeSite;
  /** See WriteOptions. */
  readonly takenAt?: Revision;
  /** Whose login has asked for it here. */
  readonly login?: Parameters<typeof noteLoginChanges>[2];
}

const NOBODY = { session: undefined, samePassword: false };

export async function takeMirrored(
  tx: Transaction,
  changes: readonly MirroredChange[],
  options: MirroredOptions,
): Promise<number> {
  let count = 0;
  for (const change of changes) {
    const mirrored = await applyMirrored(tx, change, options);
    count += mirrored.length;
    // What is gone may come again; who has another name is known by his UUID.
    const renamed = options.source === '' ? [] : mirrored.filter(({ kind }) => kind === 'rename');
    for (const changed of [...mirrored, ...(await followReferences(tx, renamed, options))]) {
      for (const follow of followers) await follow(tx, changed, options);
      noteLoginChanges(tx, changed, options.login ?? NOBODY);
    }
  }
  return count;
}

export interface MirrorPage {
  /** Of the source's entry. */
  readonly author: string;
  readonly source: string;
  readonly changes: readonly MirroredChange[];
  readonly cookie?: string;
  readonly now: number;
  /** Its entries give up their addresses before the first of them takes any: they may have swapped them. */
  readonly freesAddresses?: boolean;
}

/** What a source's consumer gives: a page and its cookie, whole or not at all. Resolves to how many entries changed. */
export const takeMirrorPage = operation('provisioning.mirror', async (tx, page: MirrorPage): Promise<number> => {
  const { changes, source, author, now, cookie } = page;
  const withdrawn = page.freesAddresses === true ? await withdraw(tx, page) : [];
  const changed = await takeMirrored(tx, changes, { source, author, now, site: ANY_SITE });
  for (const uuid of withdrawn) {
    const after = await entryByUuidIn(tx, uuid);
    // What has not changed was followed by nobody.
    if (after !== undefined)
      await synchronizeEntry(tx, {
        kind: 'modify',
        revision: after.revision,
        before: after,
        after,
        movesMembers: false,
      });
  }
  if (cookie !== undefined) await noteMirrorCookie(tx, source, cookie);
  return changed;
});

/** The UUIDs of those who had addresses to give up. */
async function withdraw(tx: Transaction, { changes, source }: MirrorPage): Promise<string[]> {
  const withdrawn: string[] = [];
  for (const change of changes) {
    if (change.kind !== 'put') continue;
    const entry = await entryByUuidIn(tx, change.entry.uuid);
    if (entry?.source !== source) continue;
    await withdrawEntry(tx, entry);
    withdrawn.push(entry.uuid);
  }
  return withdrawn;
}
