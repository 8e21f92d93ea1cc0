// COPY and MOVE: references to the same copies, in order, with their flags and dates.
//
// MOVE    the references themselves change the mailbox: no row of `message` is written. What went leaves the same trace as
//         what is expunged. Into its own mailbox too: the messages have new UIDs from then on
// Limits  COPY_MESSAGES_MAX an operation, MAILBOX_MESSAGES_MAX in the mailbox: it is whole or not at all
// Quota   what moves within an account needs no more room than before
// RFC 3501 §6.4.7, RFC 4315 §3, RFC 6851 §3

import { Failure } from '../base/failure.ts';
import { type AccountId, idOf, type Modseq, type Uid } from '../base/ids.ts';
import { COPY_MESSAGES_MAX, MAILBOX_MESSAGES_MAX } from '../base/limits.ts';
import { operation, type Transaction, type Value } from '../database/operation.ts';
import { nextModseq } from './accounts.ts';
import { checkRightsRevision } from './acl.ts';
import { registerKeywords } from './deliver.ts';
import { ALL_FLAGS, DELETED, type FlagMask, flagsWithin, keywordsColumn, parseKeywords, SEEN } from './flags.ts';
import type { MailboxAccess, MailboxKey, UidRange } from './mailbox-key.ts';
import { getSelectable, type Mailbox } from './mailboxes.ts';
import { checkRoom, type Quota } from './quota.ts';
import { beginReaderStatus, hasOwnStatus, readerFlagsIn } from './reader-status.ts';

export interface CopyArguments extends MailboxAccess {
  readonly ranges: readonly UidRange[];
  /** Canonical; a mailbox of the reader's, or of the account that is named beside it. */
  readonly target: string;
  readonly targetOwner?: AccountId;
  readonly targetStatus?: MailboxAccess['status'];
  /** The flags that the reader may set there; undefined: all. */
  readonly may?: FlagMask;
  /** What the target's account may hold. */
  readonly quota?: Quota;
  /** At which revision the reader had the right to. */
  readonly rightsAt?: number;
}

/** What has been copied so far. */
interface Copied {
  /** The UIDs that were copied; the copies have the target's next ones in the same order. */
  readonly sources: Uid[];
  /** By lower case. */
  readonly keywords: Map<string, string>;
  bytes: number;
  /** Of the source's folder, and of the target's. */
  unseen: number;
  unseenThere: number;
}

export const copy = operation('store.copy', async (tx, args: CopyArguments) => {
  await checkRightsRevision(tx, args.rightsAt);
  const target = await getSelectable(tx, args.targetOwner ?? args.reader, args.target);
  const modseq = await nextModseq(tx);
  const copied = await copyRanges(tx, { args, target, modseq });
  const { sources, bytes } = copied;
  if (sources.length > 0) {
    await checkRoom(tx, target.owner, args.quota, { octets: bytes, messages: sources.length });
    await addReferencesOf(tx, target, sources.length);
    await countCopied(tx, { args, target, modseq }, copied);
  }
  return { uidValidity: target.uidValidity, sources, firstUid: target.uidNext };
});

export const move = operation('store.move', async (tx, args: CopyArguments) => {
  await checkRightsRevision(tx, args.rightsAt);
  const target = await getSelectable(tx, args.targetOwner ?? args.reader, args.target);
  const modseq = await nextModseq(tx);
  const moved = await copyRanges(tx, { args, target, modseq });
  const { sources, bytes } = moved;
  if (sources.length > 0) {
    if (target.owner !== args.owner)
      await checkRoom(tx, target.owner, args.quota, { octets: bytes, messages: sources.length });
    await countCopied(tx, { args, target, modseq }, moved);
    await removeMoved(tx, { args, target, modseq }, moved);
  }
  return { uidValidity: target.uidValidity, sources, firstUid: target.uidNext };
});

interface MailboxCopy {
  readonly args: CopyArguments;
  /** As it was before. */
  readonly target: Mailbox;
  readonly modseq: Modseq;
}

async function copyRanges(tx: Transaction, { args, target, modseq }: MailboxCopy): Promise<Copied> {
  const copied: Copied = { sources: [], keywords: new Map(), bytes: 0, unseen: 0, unseenThere: 0 };
  for (const range of args.ranges) await copyRange(tx, { args, range, target, modseq }, copied);
  return copied;
}

/** Keywords and counters of the target. */
async function countCopied(tx: Transaction, { target, modseq }: MailboxCopy, copied: Copied): Promise<void> {
  const { sources, keywords, bytes, unseenThere } = copied;
  await registerKeywords(tx, { owner: target.owner, mailbox: target.id }, [...keywords.values()]);
  await tx.run(
    `UPDATE mailbox SET uidnext = ?, modseq = ?, messages = messages + ?, unseen = unseen + ?, bytes = bytes + ?
     WHERE account = ? AND id = ?`,
    target.uidNext + sources.length,
    modseq,
    sources.length,
    unseenThere,
    bytes,
    target.owner,
    target.id,
  );
  tx.afterCommit({ kind: 'mailbox', account: target.owner, mailbox: target.id, modseq });
}

/** One more for each of the new rows, which begin at the target's next UID. */
async function addReferencesOf(tx: Transaction, target: Mailbox, count: number): Promise<void> {
  await tx.run(
    `UPDATE message SET refs = refs + copied.count FROM
       (SELECT message, count(*) AS count FROM mailbox_message
        WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ? GROUP BY message) AS copied
     WHERE message.id = copied.message`,
    target.owner,
    target.id,
    target.uidNext,
    target.uidNext + count - 1,
  );
}

/** The old references go, with a trace; the copies that they meant stay, since the new ones mean them. */
async function removeMoved(tx: Transaction, { args, target, modseq }: MailboxCopy, moved: Copied): Promise<void> {
  for (const range of args.ranges) {
    const key = [args.owner, args.mailbox, ...sourceRange(args, range, target)];
    await tx.run(
      `INSERT INTO vanished (account, mailbox, modseq, uid)
       SELECT account, mailbox, ?, uid FROM mailbox_message WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ?`,
      modseq,
      ...key,
    );
    await tx.run('DELETE FROM mailbox_message WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ?', ...key);
  }
  await tx.run(
    `UPDATE mailbox SET modseq = ?, messages = messages - ?, unseen = unseen - ?, bytes = bytes - ?
     WHERE account = ? AND id = ?`,
    modseq,
    moved.sources.length,
    moved.unseen,
    moved.bytes,
    args.owner,
    args.mailbox,
  );
  tx.afterCommit({ kind: 'mailbox', account: args.owner, mailbox: args.mailbox, modseq });
}

/** What is copied into its own mailbox is not copied again. */
function sourceRange(source: MailboxKey, [from, to]: UidRange, target: Mailbox): UidRange {
  const isOwn = source.owner === target.owner && source.mailbox === target.id;
  return [from, isOwn ? idOf(Math.min(to, target.uidNext - 1)) : to];
}

interface RangeCopy extends MailboxCopy {
  readonly range: UidRange;
}

async function copyRange(tx: Transaction, { args, range, target, modseq }: RangeCopy, copied: Copied): Promise<void> {
  const key = [args.owner, args.mailbox, ...sourceRange(args, range, target)];
  const firstUid = target.uidNext + copied.sources.length;
  const rows = await tx.arrays(
    `SELECT uid, flags, keywords, size FROM mailbox_message
     WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ? ORDER BY uid LIMIT +?`,
    ...key,
    COPY_MESSAGES_MAX + 1 - copied.sources.length,
  );
  const isOther = hasOwnStatus(args) || hasOwnStatus(accessOf(args, target)) || args.may !== undefined;
  count(rows, target, copied, isOther);
  await tx.run(
    `INSERT INTO mailbox_message
       (account, mailbox, uid, message, flags, keywords, modseq, touched, internal_date, saved, size)
     SELECT ?, ?, ? + row_number() OVER (ORDER BY uid) - 1, message, flags, keywords, ?, 0, internal_date,
       unixepoch() * 1000, size
     FROM mailbox_message WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ?`,
    target.owner,
    target.id,
    firstUid,
    modseq,
    ...key,
  );
  if (isOther) await setFlagsThere(tx, { args, range, target, modseq }, firstUid, copied);
}

/** The reader at the target. */
function accessOf(args: CopyArguments, { owner, id }: Mailbox): MailboxAccess {
  return { owner, mailbox: id, reader: args.reader, status: args.targetStatus };
}

/** What the reader sees at the source is what the reader sees of the copies, as far as flags may be set there. */
async function setFlagsThere(
  tx: Transaction,
  { args, range, target, modseq }: RangeCopy,
  firstUid: number,
  copied: Copied,
): Promise<void> {
  const access = accessOf(args, target);
  const isOwn = !hasOwnStatus(access);
  const messages = await readerFlagsIn(tx, args, sourceRange(args, range, target));
  for (const [index, message] of messages.entries()) {
    const uid = idOf<Uid>(firstUid + index);
    const { flags, keywords } = flagsWithin(message, args.may ?? ALL_FLAGS);
    await tx.run(
      'UPDATE mailbox_message SET flags = ?, keywords = ? WHERE account = ? AND mailbox = ? AND uid = ?',
      isOwn ? flags : flags & DELETED,
      isOwn ? keywordsColumn(keywords) : null,
      target.owner,
      target.id,
      uid,
    );
    if (isOwn) for (const word of keywords) copied.keywords.set(word.toLowerCase(), word);
    else await beginReaderStatus(tx, access, { flags, keywords, uid }, modseq);
    if (!isOwn || (flags & SEEN) === 0) copied.unseenThere++;
  }
}

/** Adds [uid, flags, keywords, size] of the rows of a range, without their flags where those are `isOther` in the target; throws `too-many` where a bound is passed. */
function count(rows: readonly Value[][], target: Mailbox, copied: Copied, isOther: boolean): void {
  const { sources, keywords } = copied;
  if (sources.length + rows.length > COPY_MESSAGES_MAX)
    throw new Failure('too-many', `At most ${COPY_MESSAGES_MAX} messages can be copied at once`);
  if (target.messages + sources.length + rows.length > MAILBOX_MESSAGES_MAX)
    throw new Failure('too-many', 'Too many messages in this mailbox');
  for (const [uid, flags, words, size] of rows) {
    if (!isOther) for (const word of parseKeywords(words)) keywords.set(word.toLowerCase(), word);
    copied.bytes += Number(size);
    const isUnseen = (Number(flags) & SEEN) === 0;
    if (isUnseen) copied.unseen++;
    if (isUnseen && !isOther) copied.unseenThere++;
    sources.push(idOf(uid));
  }
}
