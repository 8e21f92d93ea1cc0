// The counters of a mailbox, all of one state. RFC 3501 §6.3.10

import { idOf, type Uid } from '../base/ids.ts';
import type { Reader } from '../database/operation.ts';
import { findMailbox, type Mailbox, type MailboxName } from './mailboxes.ts';
import { PAGE_ROWS, uidsAfter } from './messages.ts';

export interface MailboxCounters {
  readonly mailbox: Mailbox;
  /** Messages that no session has claimed as recent; 0 unless they were asked for. */
  readonly unclaimed: number;
}

/** Undefined when there is no mailbox of this name. `withUnclaimed` walks over the messages that it counts. */
export function readCounters(
  reader: Reader,
  { owner, name }: MailboxName,
  withUnclaimed: boolean,
): MailboxCounters | undefined {
  return reader.snapshot(() => {
    const mailbox = findMailbox(reader, owner, name);
    return mailbox && { mailbox, unclaimed: withUnclaimed ? countUnclaimed(reader, mailbox) : 0 };
  });
}

function countUnclaimed(reader: Reader, { owner, id, recentFrom, uidNext }: Mailbox): number {
  let count = 0;
  if (recentFrom >= uidNext) return count;
  for (let after = idOf<Uid>(recentFrom - 1); ; ) {
    const page = uidsAfter(reader, { owner, mailbox: id }, after);
    count += page.length;
    if (page.length < PAGE_ROWS) return count;
    after = page[page.length - 1]!;
  }
}
