// STORE, EXPUNGE and COPY as operations: what sessions do to messages that are there. RFC 3501 §6.4
//
// UIDs come as ranges of existing or vanished messages; what is gone is passed over in silence.
// Limits  STATUS_SLICE messages an operation for what can be cut; the session asks again. COPY is whole or not at all,
//         and has at most COPY_MESSAGES_MAX

import { Failure } from '../base/failure.ts';
import { COPY_MESSAGES_MAX, MAILBOX_MESSAGES_MAX } from '../base/limits.ts';
import { operation, type Transaction } from '../database/operation.ts';
import { nextModseq } from './accounts.ts';
import { registerKeywords } from './deliver.ts';
import { changeFlags, DELETED, type FlagChange, type FlagSet, keywordsColumn, parseKeywords, SEEN } from './flags.ts';
import { getSelectable } from './mailboxes.ts';

/** From and to, both included. */
export type UidRange = readonly [from: number, to: number];

/** Messages of one operation that may be cut: some milliseconds of the writer. */
export const STATUS_SLICE = 2000;

export interface StoreFlagsArguments {
  readonly account: number;
  readonly mailbox: number;
  /** Ascending; the caller cuts them so that at most STATUS_SLICE messages are meant. */
  readonly ranges: readonly UidRange[];
  readonly change: FlagChange;
  readonly by: FlagSet;
}

/** Gives how many messages were changed and their modseq, or the mailbox's own when nothing was. */
export const storeFlags = operation('store.storeFlags', async (tx, args: StoreFlagsArguments) => {
  const { account, mailbox, change, by } = args;
  const row = await tx.get('SELECT modseq FROM mailbox WHERE account = ? AND id = ?', account, mailbox);
  if (row === undefined) throw new Failure('not-found', 'The mailbox is gone');
  const modseq = await nextModseq(tx);
  if (change !== 'remove') await registerKeywords(tx, account, mailbox, by.keywords);
  let changed = 0;
  let seen = 0;
  for (const range of args.ranges) {
    const done =
      by.keywords.length === 0 && change !== 'replace'
        ? await changeBits(tx, account, mailbox, range, change, by.flags, modseq)
        : await changeRows(tx, account, mailbox, range, change, by, modseq);
    changed += done.changed;
    seen += done.seen;
  }
  if (changed === 0) return { modseq: Number(row['modseq']), changed };
  await tx.run(
    'UPDATE mailbox SET modseq = ?, unseen = unseen - ? WHERE account = ? AND id = ?',
    modseq,
    seen,
    account,
    mailbox,
  );
  tx.afterCommit({ kind: 'account', account });
  return { modseq, changed };
});

/** System flags only: one statement a range, whatever its length. `seen`: how many more have \Seen. */
async function changeBits(
  tx: Transaction,
  account: number,
  mailbox: number,
  [from, to]: UidRange,
  change: 'add' | 'remove',
  bits: number,
  modseq: number,
): Promise<{ changed: number; seen: number }> {
  const adds = change === 'add';
  const where = `account = ? AND mailbox = ? AND uid BETWEEN ? AND ? AND flags & ? <> ${adds ? '?' : '0'}`;
  const key = [account, mailbox, from, to];
  let seen = 0;
  if (bits & SEEN) {
    const row = await tx.get(
      `SELECT count(*) AS n FROM mailbox_message
       WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ? AND flags & 1 = ${adds ? 0 : 1}`,
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
  account: number,
  mailbox: number,
  [from, to]: UidRange,
  change: FlagChange,
  by: FlagSet,
  modseq: number,
): Promise<{ changed: number; seen: number }> {
  let changed = 0;
  let seen = 0;
  const rows = await tx.arrays(
    'SELECT uid, flags, keywords FROM mailbox_message WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ?',
    account,
    mailbox,
    from,
    to,
  );
  for (const [uid, flags, keywords] of rows) {
    const before = { flags: Number(flags), keywords: parseKeywords(keywords) };
    const after = changeFlags(before, change, by);
    const column = keywordsColumn(after.keywords);
    if (after.flags === before.flags && column === keywordsColumn(before.keywords)) continue;
    if (after.keywords.length > before.keywords.length && after.keywords.length > 50)
      throw new Failure('too-many', 'Too many keywords on one message');
    await tx.run(
      `UPDATE mailbox_message SET flags = ?, keywords = ?, modseq = ?, touched = 1
       WHERE account = ? AND mailbox = ? AND uid = ?`,
      after.flags,
      column,
      modseq,
      account,
      mailbox,
      uid!,
    );
    changed++;
    seen += (after.flags & SEEN) - (before.flags & SEEN);
  }
  return { changed, seen };
}

export interface ExpungeArguments {
  readonly account: number;
  readonly mailbox: number;
  /** Only these UIDs; undefined for all. */
  readonly ranges: readonly UidRange[] | undefined;
  /** POP3's QUIT removes what it was told to, flagged or not. */
  readonly deletedOnly: boolean;
}

/** Removes at most STATUS_SLICE messages; call again while `more`. */
export const expunge = operation('store.expunge', async (tx, args: ExpungeArguments) => {
  const { account, mailbox } = args;
  const found = await tx.get('SELECT 1 AS found FROM mailbox WHERE account = ? AND id = ?', account, mailbox);
  if (found === undefined) throw new Failure('not-found', 'The mailbox is gone');
  const condition = args.deletedOnly ? `AND flags & ${DELETED} <> 0` : '';
  const victims: { uid: number; message: number; flags: number; size: number }[] = [];
  for (const [from, to] of args.ranges ?? [[1, Number.MAX_SAFE_INTEGER]]) {
    const rows = await tx.arrays(
      `SELECT uid, message, flags, size FROM mailbox_message
       WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ? ${condition} ORDER BY uid LIMIT +?`,
      account,
      mailbox,
      from,
      to,
      STATUS_SLICE - victims.length,
    );
    for (const [uid, message, flags, size] of rows)
      victims.push({ uid: Number(uid), message: Number(message), flags: Number(flags), size: Number(size) });
    if (victims.length >= STATUS_SLICE) break;
  }
  if (victims.length === 0) return { expunged: 0, more: false };
  const modseq = await nextModseq(tx);
  let bytes = 0;
  let unseen = 0;
  for (const victim of victims) {
    await removeReference(tx, account, mailbox, victim.uid, victim.message);
    await tx.run(
      'INSERT INTO vanished (account, mailbox, modseq, uid) VALUES (?, ?, ?, ?)',
      account,
      mailbox,
      modseq,
      victim.uid,
    );
    bytes += victim.size;
    if ((victim.flags & SEEN) === 0) unseen++;
  }
  await tx.run(
    `UPDATE mailbox SET modseq = ?, messages = messages - ?, unseen = unseen - ?, bytes = bytes - ?
     WHERE account = ? AND id = ?`,
    modseq,
    victims.length,
    unseen,
    bytes,
    account,
    mailbox,
  );
  tx.afterCommit({ kind: 'account', account });
  return { expunged: victims.length, more: victims.length >= STATUS_SLICE };
});

/** A mailbox's reference, and the copy with its last one. The caller keeps the mailbox's counters. */
export async function removeReference(
  tx: Transaction,
  account: number,
  mailbox: number,
  uid: number,
  message: number,
): Promise<void> {
  await tx.run('DELETE FROM mailbox_message WHERE account = ? AND mailbox = ? AND uid = ?', account, mailbox, uid);
  const row = await tx.get('UPDATE message SET refs = refs - 1 WHERE id = ? RETURNING refs', message);
  if (row?.['refs'] === 0) await tx.run('DELETE FROM message WHERE id = ?', message);
}

export interface CopyArguments {
  readonly account: number;
  readonly mailbox: number;
  readonly ranges: readonly UidRange[];
  /** Canonical. */
  readonly target: string;
}

/** COPY: references to the same copies, in order, with their flags and dates. RFC 3501 §6.4.7, RFC 4315 §3 */
export const copy = operation('store.copy', async (tx, args: CopyArguments) => {
  const { account } = args;
  const target = await getSelectable(tx, account, args.target);
  const modseq = await nextModseq(tx);
  const sources: number[] = [];
  const keywords = new Map<string, string>();
  let bytes = 0;
  let unseen = 0;
  for (const [from, to] of args.ranges) {
    // What is copied into its own mailbox is not copied again.
    const last = args.mailbox === target.id ? Math.min(to, target.uidNext - 1) : to;
    const key = [account, args.mailbox, from, last];
    const firstUid = target.uidNext + sources.length;
    const rows = await tx.arrays(
      `SELECT uid, flags, keywords, size FROM mailbox_message
       WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ? ORDER BY uid LIMIT +?`,
      ...key,
      COPY_MESSAGES_MAX + 1 - sources.length,
    );
    if (sources.length + rows.length > COPY_MESSAGES_MAX)
      throw new Failure('too-many', `At most ${COPY_MESSAGES_MAX} messages can be copied at once`);
    if (target.messages + sources.length + rows.length > MAILBOX_MESSAGES_MAX)
      throw new Failure('too-many', 'Too many messages in this mailbox');
    for (const [uid, flags, words, size] of rows) {
      for (const word of parseKeywords(words)) keywords.set(word.toLowerCase(), word);
      bytes += Number(size);
      if ((Number(flags) & SEEN) === 0) unseen++;
      sources.push(Number(uid));
    }
    await tx.run(
      `INSERT INTO mailbox_message
         (account, mailbox, uid, message, flags, keywords, modseq, touched, internal_date, saved, size)
       SELECT account, ?, ? + row_number() OVER (ORDER BY uid) - 1, message, flags, keywords, ?, 0, internal_date,
         unixepoch() * 1000, size
       FROM mailbox_message WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ?`,
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
      account,
      target.id,
      firstUid,
      target.uidNext + sources.length - 1,
    );
  }
  if (sources.length > 0) {
    await registerKeywords(tx, account, target.id, [...keywords.values()]);
    await tx.run(
      `UPDATE mailbox SET uidnext = ?, modseq = ?, messages = messages + ?, unseen = unseen + ?, bytes = bytes + ?
       WHERE account = ? AND id = ?`,
      target.uidNext + sources.length,
      modseq,
      sources.length,
      unseen,
      bytes,
      account,
      target.id,
    );
    tx.afterCommit({ kind: 'account', account });
  }
  return { uidValidity: target.uidValidity, sources, firstUid: target.uidNext };
});
