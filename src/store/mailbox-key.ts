// Which mailbox is meant, whose it is, and who looks at it. These are in the arguments of all that reads and changes messages.

import type { AccountId, MailboxId, Uid } from '../base/ids.ts';

export interface MailboxKey {
  /** The account whose mailbox it is: first in every key. */
  readonly owner: AccountId;
  readonly mailbox: MailboxId;
}

/** For what shows or changes flags: those of the reader are meant (reader-status.ts). */
export interface MailboxAccess extends MailboxKey {
  /** The account that looks at it. */
  readonly reader: AccountId;
  /**
   * Of a reader who is not the owner: `common`, all have the folder's own flags; `beginning`, those are the reader's until
   * the reader sets others, as in a list's mailbox. Else a reader begins with none.
   */
  readonly status?: 'common' | 'beginning' | undefined;
}

/** An account looks at a mailbox of its own. */
export function ownMailbox(account: AccountId, mailbox: MailboxId): MailboxAccess {
  return { owner: account, mailbox, reader: account };
}

/** From and to, both included. */
export type UidRange = readonly [from: Uid, to: Uid];
