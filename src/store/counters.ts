// The counters of a mailbox, all of one state. RFC 3501 §6.3.10

import { idOf, type Uid } from '../base/ids.ts';
import type { Reader } from '../database/operation.ts';
import { DELETED } from './flags.ts';
import type { MailboxKey } from './mailbox-key.ts';
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

/** Messages marked \Deleted. */
export interface Deleted {
  readonly messages: number;
  readonly octets: number;
}

const DELETED_PAGE = `SELECT coalesce(sum(flags & ${DELETED} <> 0), 0) AS messages, 
    coalesce(sum(iif(flags & ${DELETED}, size, 0)), 0) AS octets, max(uid) AS last, count(*) AS looked
  FROM (SELECT uid, flags, size FROM mailbox_message WHERE account = ? AND mailbox = ? AND uid > ? ORDER BY uid LIMIT ${PAGE_ROWS})`;

/** Those of one page above a UID; `last` is where the next page begins, undefined at the end. */
export function deletedPage(
  reader: Reader,
  { owner, mailbox }: MailboxKey,
  after: Uid | undefined,
): Deleted & { readonly last: Uid | undefined } {
  const row = reader.get(DELETED_PAGE, owner, mailbox, after ?? 0);
  const isFull = Number(row?.['looked']) === PAGE_ROWS;
  const [messages, octets] = [Number(row?.['messages']), Number(row?.['octets'])];
  return { messages, octets, last: isFull ? idOf<Uid>(row?.['last']) : undefined };
}
