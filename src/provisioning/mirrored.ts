// Entries as another server has them, and all that follows from each, in one transaction.
//
// In      puts and removals, in order; of a source also how far it has been followed then
// Out     how many entries changed here
// Errors  the first entry that cannot stand here throws, and all is undone: who takes a page over gives its entries one by one then
// Names   entries of ours that name a source's entry follow its renames
// Never   asks what callers may do, checks what our own changes must keep to, makes entries along: that is done there

import type { Revision } from '../base/ids.ts';
import { operation, type Transaction } from '../database/operation.ts';
import type { ChangedEntry } from '../directory/entry.ts';
import {
  applyMirrored,
  type MirroredChange,
  type MirrorOptions,
  type MovedSlice,
  moveSliceBelow,
} from '../directory/mirrored-change.ts';
import { followReferences } from '../directory/references.ts';
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
  for (const change of changes) count += await follow(tx, await applyMirrored(tx, change, options), options);
  return count;
}

async function follow(tx: Transaction, mirrored: readonly ChangedEntry[], options: MirroredOptions): Promise<number> {
  // What is gone may come again; who has another name is known by his UUID.
  const renamed = options.source === '' ? [] : mirrored.filter(({ kind }) => kind === 'rename');
  for (const changed of [...mirrored, ...(await followReferences(tx, renamed, options))]) {
    for (const each of followers) await each(tx, changed, options);
    noteLoginChanges(tx, changed, options.login ?? NOBODY);
  }
  return mirrored.length;
}

export interface MirrorPage {
  /** Of the source's entry. */
  readonly author: string;
  readonly source: string;
  readonly changes: readonly MirroredChange[];
  readonly cookie?: string;
  readonly now: number;
}

/** What a source's consumer gives: a page and its cookie, whole or not at all. Resolves to how many entries changed. */
export const takeMirrorPage = operation('provisioning.mirror', async (tx, page: MirrorPage): Promise<number> => {
  const { changes, source, author, now, cookie } = page;
  const changed = await takeMirrored(tx, changes, { source, author, now, site: ANY_SITE });
  if (cookie !== undefined) await noteMirrorCookie(tx, source, cookie);
  return changed;
});

export interface MirrorMove extends MovedSlice {
  readonly author: string;
  readonly source: string;
  readonly now: number;
}

/** Before an entry with many below it gets another name: a slice of those. Resolves to how many entries changed, 0 where none is left. */
export const moveMirroredBelow = operation(
  'provisioning.mirror-move',
  async (tx, { source, author, now, ...moved }: MirrorMove): Promise<number> => {
    const options = { source, author, now, site: ANY_SITE };
    return follow(tx, await moveSliceBelow(tx, moved, options), options);
  },
);
