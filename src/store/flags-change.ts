// STORE: flags and keywords of messages that are there. RFC 3501 §6.4.6, RFC 7162 §3.1.3
//
// UIDs come as ranges of existing or vanished messages; what is gone is passed over in silence.
// Limits  STORE_SLICE_MESSAGES an operation; the session asks again

import { Failure } from '../base/failure.ts';
import { idOf, type Modseq, type Uid } from '../base/ids.ts';
import { operation, type Transaction } from '../database/operation.ts';
import { nextModseq } from './accounts.ts';
import { checkRightsRevision } from './acl.ts';
import { registerKeywords } from './deliver.ts';
import {
  ALL_FLAGS,
  changeFlags,
  checkKeywords,
  DELETED,
  type FlagChange,
  type FlagMask,
  type FlagSet,
  flagsWithin,
  keywordsColumn,
  parseKeywords,
  SEEN,
} from './flags.ts';
import type { MailboxAccess, MailboxKey, UidRange } from './mailbox-key.ts';
import { changeReaderStatus, countReader, hasOwnStatus, readerFlagsIn } from './reader-status.ts';

export interface StoreFlagsArguments extends MailboxAccess {
  /** Ascending; the caller cuts them so that at most STORE_SLICE_MESSAGES are meant. */
  readonly ranges: readonly UidRange[];
  readonly change: FlagChange;
  readonly by: FlagSet;
  /** Messages that have changed above it stay as they are. RFC 7162 §3.1.3 */
  readonly unchangedSince?: number;
  /** The flags that may be changed, others stay; undefined: all. */
  readonly may?: FlagMask;
  /** At which revision the reader had the right to. */
  readonly rightsAt?: number;
}

/** What is done to one range of a mailbox, and the modseq that it gets. */
interface RangeChange extends MailboxKey {
  readonly range: UidRange;
  readonly modseq: Modseq;
  /** Where nothing was said it is above all. */
  readonly unchangedSince: number;
}

/** `seen`: how many more have \Seen. */
interface Changed {
  readonly changed: number;
  readonly seen: number;
}

interface Stored {
  readonly modseq: Modseq;
  readonly changed: number;
  readonly modified: readonly Uid[];
}

/**
 * Gives how many messages were changed and their modseq, or the mailbox's own when nothing was; and which ones stayed because they had
 * changed since, ascending.
 */
export const storeFlags = operation('store.storeFlags', async (tx, args: StoreFlagsArguments): Promise<Stored> => {
  await checkRightsRevision(tx, args.rightsAt);
  if (hasOwnStatus(args)) return storeReaderFlags(tx, args);
  const { owner, mailbox, change, may = ALL_FLAGS, unchangedSince = Number.MAX_SAFE_INTEGER } = args;
  const by = flagsWithin(args.by, may);
  const row = await tx.get('SELECT modseq FROM mailbox WHERE account = ? AND id = ?', owner, mailbox);
  if (row === undefined) throw new Failure('not-found', 'The mailbox is gone');
  const modseq = await nextModseq(tx);
  if (change !== 'remove') await registerKeywords(tx, args, by.keywords);
  let changed = 0;
  let seen = 0;
  const modified: Uid[] = [];
  for (const range of args.ranges) {
    const where = { owner, mailbox, range, modseq, unchangedSince };
    if (args.unchangedSince !== undefined) modified.push(...(await changedAbove(tx, where)));
    const done =
      by.keywords.length === 0 && change !== 'replace'
        ? await changeBits(tx, where, change, by.flags)
        : await changeRows(tx, where, { change, by, may });
    changed += done.changed;
    seen += done.seen;
  }
  if (changed === 0) return { modseq: idOf<Modseq>(row['modseq']), changed, modified };
  await tx.run(
    'UPDATE mailbox SET modseq = ?, unseen = unseen - ? WHERE account = ? AND id = ?',
    modseq,
    seen,
    owner,
    mailbox,
  );
  tx.afterCommit({ kind: 'mailbox', account: owner, mailbox, modseq });
  return { modseq, changed, modified };
});

/** \Deleted is changed in the folder, all else in what is the reader's own. */
async function storeReaderFlags(tx: Transaction, args: StoreFlagsArguments): Promise<Stored> {
  const { owner, mailbox, unchangedSince = Number.MAX_SAFE_INTEGER } = args;
  const row = await tx.get('SELECT modseq FROM mailbox WHERE account = ? AND id = ?', owner, mailbox);
  if (row === undefined) throw new Failure('not-found', 'The mailbox is gone');
  const modseq = await nextModseq(tx);
  const modified: Uid[] = [];
  const sum = { changed: 0, own: 0, deleted: 0, seen: 0 };
  for (const range of args.ranges)
    for (const before of await readerFlagsIn(tx, args, range)) {
      if (before.modseq > unchangedSince) {
        modified.push(before.uid);
        continue;
      }
      const after = changeFlags(before, args.change, args.by, args.may);
      const isOwn = await changeReaderStatus(tx, args, { before, after, modseq });
      const isDeleted = ((after.flags ^ before.flags) & DELETED) !== 0;
      if (isDeleted)
        await tx.run(
          `UPDATE mailbox_message SET flags = (flags & ~${DELETED}) | ?, modseq = ?, touched = 1
           WHERE account = ? AND mailbox = ? AND uid = ?`,
          ...[after.flags & DELETED, modseq, owner, mailbox, before.uid],
        );
      sum.own += isOwn ? 1 : 0;
      sum.deleted += isDeleted ? 1 : 0;
      sum.changed += isOwn || isDeleted ? 1 : 0;
      sum.seen += (after.flags & SEEN) - (before.flags & SEEN);
    }
  if (sum.changed === 0) return { modseq: idOf<Modseq>(row['modseq']), changed: 0, modified };
  const moved = 'UPDATE mailbox SET modseq = ? WHERE account = ? AND id = ?';
  if (sum.deleted > 0) await tx.run(moved, modseq, owner, mailbox);
  if (sum.own > 0) await countReader(tx, args, sum.seen, modseq);
  tx.afterCommit({ kind: 'mailbox', account: owner, mailbox, modseq });
  return { modseq, changed: sum.changed, modified };
}

async function changedAbove(
  tx: Transaction,
  { owner, mailbox, range, unchangedSince }: RangeChange,
): Promise<readonly Uid[]> {
  const rows = await tx.arrays(
    `SELECT uid FROM mailbox_message WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ? AND modseq > ?`,
    owner,
    mailbox,
    ...range,
    unchangedSince,
  );
  return rows.map(([uid]) => idOf<Uid>(uid));
}

/** System flags only: one statement a range, whatever its length. */
async function changeBits(
  tx: Transaction,
  { owner, mailbox, range, modseq, unchangedSince }: RangeChange,
  change: 'add' | 'remove',
  bits: number,
): Promise<Changed> {
  const adds = change === 'add';
  const where = `account = ? AND mailbox = ? AND uid BETWEEN ? AND ? AND modseq <= ? AND flags & ? <> ${adds ? '?' : '0'}`;
  const key = [owner, mailbox, ...range, unchangedSince];
  let seen = 0;
  if (bits & SEEN) {
    const row = await tx.get(
      `SELECT count(*) AS n FROM mailbox_message
       WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ? AND modseq <= ? AND flags & 1 = ${adds ? 0 : 1}`,
      ...key,
    );
    seen = adds ? Number(row?.['n']) : -Number(row?.['n']);
  }
  const set = adds ? 'flags | ?' : 'flags & ~?';
  const changed = await tx.run(
    `UPDATE mailbox_message SET flags = ${set}, modseq = ?, touched = 1 WHERE ${where}`,
    bits,
    modseq,
    ...key,
    bits,
    ...(adds ? [bits] : []),
  );
  return { changed, seen };
}

async function changeRows(
  tx: Transaction,
  { owner, mailbox, range, modseq, unchangedSince }: RangeChange,
  { change, by, may }: Required<Pick<StoreFlagsArguments, 'change' | 'by' | 'may'>>,
): Promise<Changed> {
  let changed = 0;
  let seen = 0;
  const rows = await tx.arrays(
    `SELECT uid, flags, keywords FROM mailbox_message
     WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ? AND modseq <= ?`,
    owner,
    mailbox,
    ...range,
    unchangedSince,
  );
  for (const [uid, flags, keywords] of rows) {
    const before = { flags: Number(flags), keywords: parseKeywords(keywords) };
    const after = changeFlags(before, change, by, may);
    const column = keywordsColumn(after.keywords);
    if (after.flags === before.flags && column === keywordsColumn(before.keywords)) continue;
    if (after.keywords.length > before.keywords.length) checkKeywords(after.keywords);
    await tx.run(
      `UPDATE mailbox_message SET flags = ?, keywords = ?, modseq = ?, touched = 1
       WHERE account = ? AND mailbox = ? AND uid = ?`,
      after.flags,
      column,
      modseq,
      owner,
      mailbox,
      uid!,
    );
    changed++;
    seen += (after.flags & SEEN) - (before.flags & SEEN);
  }
  return { changed, seen };
}
