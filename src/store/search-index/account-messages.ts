// What an account has, as whoever keeps its index looks at it: how far its mailboxes are, and numbers of messages.

import { type AccountId, idOf, type MailboxId, type MessageId, type Modseq, type Uid } from '../../base/ids.ts';
import type { Reader } from '../../database/operation.ts';

/** Of the whole store: where it is the same, nothing has changed. */
export function lastModseq(reader: Reader): Modseq {
  return idOf(reader.get("SELECT value FROM counter WHERE name = 'modseq'")?.['value'] ?? 0);
}

export interface MailboxHeight {
  readonly mailbox: MailboxId;
  readonly uidNext: Uid;
  readonly modseq: Modseq;
}

/** As many as an account may have mailboxes. */
export function mailboxHeights(reader: Reader, account: AccountId): MailboxHeight[] {
  return reader
    .arrays('SELECT id, uidnext, modseq FROM mailbox WHERE account = ?', account)
    .map(([mailbox, uidNext, modseq]) => ({ mailbox: idOf(mailbox), uidNext: idOf(uidNext), modseq: idOf(modseq) }));
}

export interface MessagePlace {
  readonly mailbox: MailboxId;
  readonly uid: Uid;
  readonly message: MessageId;
}

/** In the order of mailboxes and UIDs, at most `limit` behind a place. */
export function accountMessagesAfter(
  reader: Reader,
  account: AccountId,
  after: Omit<MessagePlace, 'message'>,
  limit: number,
): MessagePlace[] {
  return reader
    .arrays(
      `SELECT mailbox, uid, message FROM mailbox_message
       WHERE account = ? AND (mailbox, uid) > (?, ?) ORDER BY mailbox, uid LIMIT +?`,
      account,
      after.mailbox,
      after.uid,
      limit,
    )
    .map(([mailbox, uid, message]) => ({ mailbox: idOf(mailbox), uid: idOf(uid), message: idOf(message) }));
}
