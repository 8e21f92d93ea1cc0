// Which mailbox is meant, whose it is, and who looks at it. These are in the arguments of all that reads and changes messages.

import { Failure } from '../base/failure.ts';
import type { AccountId, MailboxId, Uid } from '../base/ids.ts';

export interface MailboxKey {
  /** The account whose mailbox it is: first in every key. */
  readonly owner: AccountId;
  readonly mailbox: MailboxId;
}

/** For what shows or changes flags: those of the reader are meant. Until mailboxes are shared, reader and owner are one. */
export interface MailboxAccess extends MailboxKey {
  /** The account that looks at it. */
  readonly reader: AccountId;
}

/** An account looks at a mailbox of its own. */
export function ownMailbox(account: AccountId, mailbox: MailboxId): MailboxAccess {
  return { owner: account, mailbox, reader: account };
}

/** From and to, both included. */
export type UidRange = readonly [from: Uid, to: Uid];

/** The flags in `mailbox_message` are the owner's: another reader must neither see nor change them. */
export function checkOwnFlags({ owner, reader }: MailboxAccess): void {
  if (owner !== reader) throw new Failure('unsupported', 'Only the owner of a mailbox has flags in it');
}
