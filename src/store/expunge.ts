// EXPUNGE: messages leave a mailbox, and leave a trace for sessions that number it. RFC 3501 §6.4.3, RFC 1939 §6
//
// Limits  STORE_SLICE_MESSAGES an operation; the session asks again

import { Failure } from '../base/failure.ts';
import { idOf, type MessageId, type Uid } from '../base/ids.ts';
import { STORE_SLICE_MESSAGES } from '../base/limits.ts';
import { operation, type Transaction } from '../database/operation.ts';
import { nextModseq } from './accounts.ts';
import { checkRightsRevision } from './acl.ts';
import { dropReferences } from './deliver.ts';
import { DELETED, SEEN } from './flags.ts';
import type { MailboxKey, UidRange } from './mailbox-key.ts';

export interface ExpungeArguments extends MailboxKey {
  /** At which revision whoever is not the owner had the right to. */
  readonly rightsAt?: number;
  /** Only these UIDs; undefined for all. */
  readonly ranges: readonly UidRange[] | undefined;
  /** False: also what has no \Deleted, for POP3's QUIT. \Deleted is the mailbox's: which session has set it does not matter. */
  readonly deletedOnly: boolean;
}

/** A message that leaves a mailbox. */
export interface Victim {
  readonly uid: Uid;
  readonly message: MessageId;
  readonly flags: number;
  readonly size: number;
}

/** Removes at most STORE_SLICE_MESSAGES; call again while `more`. */
export const expunge = operation('store.expunge', async (tx, args: ExpungeArguments) => {
  await checkRightsRevision(tx, args.rightsAt);
  const { owner, mailbox } = args;
  const found = await tx.get('SELECT 1 AS found FROM mailbox WHERE account = ? AND id = ?', owner, mailbox);
  if (found === undefined) throw new Failure('not-found', 'The mailbox is gone');
  const victims = await findVictims(tx, args);
  await removeMessages(tx, { owner, mailbox }, victims);
  return { expunged: victims.length, more: victims.length >= STORE_SLICE_MESSAGES };
});

/** These messages of one mailbox go, with a trace, and its counters follow. The mailbox is there. */
export async function removeMessages(
  tx: Transaction,
  { owner, mailbox }: MailboxKey,
  victims: readonly Victim[],
): Promise<void> {
  if (victims.length === 0) return;
  const modseq = await nextModseq(tx);
  let bytes = 0;
  let unseen = 0;
  for (const { uid, message, flags, size } of victims) {
    await removeReference(tx, { owner, mailbox, uid, message });
    await tx.run(
      'INSERT INTO vanished (account, mailbox, modseq, uid) VALUES (?, ?, ?, ?)',
      owner,
      mailbox,
      modseq,
      uid,
    );
    bytes += size;
    if ((flags & SEEN) === 0) unseen++;
  }
  await tx.run(
    `UPDATE mailbox SET modseq = ?, messages = messages - ?, unseen = unseen - ?, bytes = bytes - ?
     WHERE account = ? AND id = ?`,
    modseq,
    victims.length,
    unseen,
    bytes,
    owner,
    mailbox,
  );
  tx.afterCommit({ kind: 'mailbox', account: owner, mailbox, modseq });
}

async function findVictims(tx: Transaction, args: ExpungeArguments): Promise<Victim[]> {
  const condition = args.deletedOnly ? `AND flags & ${DELETED} <> 0` : '';
  const victims: Victim[] = [];
  for (const range of args.ranges ?? [[1, Number.MAX_SAFE_INTEGER] as const]) {
    const rows = await tx.arrays(
      `SELECT uid, message, flags, size FROM mailbox_message
       WHERE account = ? AND mailbox = ? AND uid BETWEEN ? AND ? ${condition} ORDER BY uid LIMIT +?`,
      args.owner,
      args.mailbox,
      ...range,
      STORE_SLICE_MESSAGES - victims.length,
    );
    for (const [uid, message, flags, size] of rows)
      victims.push({ uid: idOf(uid), message: idOf(message), flags: Number(flags), size: Number(size) });
    if (victims.length >= STORE_SLICE_MESSAGES) break;
  }
  return victims;
}

export interface Reference extends MailboxKey {
  readonly uid: Uid;
  readonly message: MessageId;
}

/** A mailbox's reference, and the copy with its last one. The caller keeps the mailbox's counters. */
export async function removeReference(tx: Transaction, { owner, mailbox, uid, message }: Reference): Promise<void> {
  await tx.run('DELETE FROM mailbox_message WHERE account = ? AND mailbox = ? AND uid = ?', owner, mailbox, uid);
  await dropReferences(tx, message, 1);
}
