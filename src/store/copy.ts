// COPY: references to the same copies, in order, with their flags and dates. RFC 3501 §6.4.7, RFC 4315 §3
//
// Limits  COPY_MESSAGES_MAX an operation, MAILBOX_MESSAGES_MAX in the mailbox: it is whole or not at all

import { Failure } from '../base/failure.ts';
import { idOf, type Modseq, type Uid } from '../base/ids.ts';
import { COPY_MESSAGES_MAX, MAILBOX_MESSAGES_MAX } from '../base/limits.ts';
import { operation, type Transaction, type Value } from '../database/operation.ts';
import { nextModseq } from './accounts.ts';
import { registerKeywords } from './deliver.ts';
import { parseKeywords, SEEN } from './flags.ts';
import { checkOwnFlags, type MailboxAccess, type UidRange } from './mailbox-key.ts';
import { getSelectable, type Mailbox } from './mailboxes.ts';
import { checkRoom, type Quota } from './quota.ts';

export interface CopyArguments extends MailboxAccess {
  readonly ranges: readonly UidRange[];
  /** Canonical; a mailbox of the reader's. */
  readonly target: string;
  /** What the reader's account may hold. */
  readonly quota?: Quota;
}

/** What has been copied so far. */
interface Copied {
  /** The UIDs that were copied; the copies have the target's next ones in the same order. */
  readonly sources: Uid[];
  /** By lower case. */
  readonly keywords: Map<string, string>;
  bytes: number;
  unseen: number;
}

export const copy = operation('store.copy', async (tx, args: CopyArguments) => {
  checkOwnFlags(args);
  const target = await getSelectable(tx, args.reader, args.target);
  const modseq = await nextModseq(tx);
  const copied: Copied = { sources: [], keywords: new Map(), bytes: 0, unseen: 0 };
  for (const range of args.ranges) await copyRange(tx, { args, range, target, modseq }, copied);
  const { sources, keywords, bytes, unseen } = copied;
  if (sources.length > 0) {
    await checkRoom(tx, target.owner, args.quota, { octets: bytes, messages: sources.length });
    await registerKeywords(tx, { owner: target.owner, mailbox: target.id }, [...keywords.values()]);
    await tx.run(
      `UPDATE mailbox SET uidnext = ?, modseq = ?, messages = messages + ?, unseen = unseen + ?, bytes = bytes + ?
       WHERE account = ? AND id = ?`,
      target.uidNext + sources.length,
      modseq,
      sources.length,
      unseen,
      bytes,
      target.owner,
      target.id,
    );
    tx.afterCommit({ kind: 'account', account: target.owner });
  }
  return { uidValidity: target.uidValidity, sources, firstUid: target.uidNext };
});

interface RangeCopy {
  readonly args: CopyArguments;
  readonly range: UidRange;
  readonly target: Mailbox;
  readonly modseq: Modseq;
}

async function copyRange(
  tx: Transaction,
  { args, range: [from, to], target, modseq }: RangeCopy,
  copied: Copied,
): Promise<void> {
  // What is copied into its own mailbox is not copied again.
  const isOwn = args.owner === target.owner && args.mailbox === target.id;
  const last = isOwn ? Math.min(to, target.uidNext - 1) : to;
  const key = [args.owner, args.mailbox, from, last];
  const firstUid = target.uidNext + copied.sources.length;
  const rows = await tx.arrays(
    `SELECT uid, flags, keywords, size FROM mailbox_message
     WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ? ORDER BY uid LIMIT +?`,
    ...key,
    COPY_MESSAGES_MAX + 1 - copied.sources.length,
  );
  count(rows, target, copied);
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
  await tx.run(
    `UPDATE message SET refs = refs + copied.count FROM
       (SELECT message, count(*) AS count FROM mailbox_message
        WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ? GROUP BY message) AS copied
     WHERE message.id = copied.message`,
    target.owner,
    target.id,
    firstUid,
    target.uidNext + copied.sources.length - 1,
  );
}

/** Adds [uid, flags, keywords, size] of the rows of a range; throws `too-many` where a bound is passed. */
function count(rows: readonly Value[][], target: Mailbox, copied: Copied): void {
  const { sources, keywords } = copied;
  if (sources.length + rows.length > COPY_MESSAGES_MAX)
    throw new Failure('too-many', `At most ${COPY_MESSAGES_MAX} messages can be copied at once`);
  if (target.messages + sources.length + rows.length > MAILBOX_MESSAGES_MAX)
    throw new Failure('too-many', 'Too many messages in this mailbox');
  for (const [uid, flags, words, size] of rows) {
    for (const word of parseKeywords(words)) keywords.set(word.toLowerCase(), word);
    copied.bytes += Number(size);
    if ((Number(flags) & SEEN) === 0) copied.unseen++;
    sources.push(idOf(uid));
  }
}
