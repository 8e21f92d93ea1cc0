// STATUS: counters of one state of the mailbox, selected or not; as LIST gives them, too.
// RFC 3501 §6.3.10, RFC 5819 §2, RFC 7162 §3.1.7, RFC 7889 §5, RFC 8438 §2, RFC 8474 §4.3, RFC 9051 §6.3.11,
// RFC 9208 §4.3

import { Failure } from '../../../base/failure.ts';
import type { Uid } from '../../../base/ids.ts';
import { asReaderFinds } from '../../../store/changes.ts';
import { type Deleted, deletedPage, type MailboxCounters, readCounters } from '../../../store/counters.ts';
import type { Mailbox } from '../../../store/mailboxes.ts';
import { parseStatus, type StatusCommand, type StatusItem } from '../../../wire/imap/commands/status.ts';
import { mailboxObjectId } from '../../../wire/imap/object-id.ts';
import { encodeStatus } from '../../../wire/imap/responses/mailbox.ts';
import type { ImapConversation } from '../conversation.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { namedPlace, shownName, spelledFor } from '../named-mailbox.ts';
import { accessTo, rightsIn } from '../permitted.ts';
import { ok } from '../reply.ts';

export const status: CommandDefinition<StatusCommand> = {
  states: LOGGED_IN,
  parse: parseStatus,
  async run({ mailbox: name, items }, session) {
    const place = namedPlace(session, name, 'r');
    const counters = readCounters(session.door.reader, place, items.includes('RECENT'));
    if (counters === undefined || !counters.mailbox.selectable) throw new Failure('not-found', 'No such mailbox');
    await write(session, counters, shownName(session, place, name), items);
    return ok('STATUS completed');
  },
};

/** Of a mailbox whose row has been read; nothing where it is gone meanwhile. */
export async function writeStatus(
  session: ImapConversation,
  mailbox: Mailbox,
  name: string,
  items: readonly StatusItem[],
): Promise<void> {
  if (!rightsIn(session, { owner: mailbox.owner, mailbox: mailbox.id }).rights.includes('r')) return;
  const counters = items.includes('RECENT')
    ? readCounters(session.door.reader, mailbox, true)
    : { mailbox, unclaimed: 0 };
  if (counters !== undefined) await write(session, counters, name, items);
}

async function write(
  session: ImapConversation,
  counters: MailboxCounters,
  name: string,
  items: readonly StatusItem[],
): Promise<void> {
  const { id, owner } = counters.mailbox;
  const access = accessTo(session, { owner, mailbox: id });
  const mailbox = asReaderFinds(session.door.reader, access, counters.mailbox);
  if (items.includes('HIGHESTMODSEQ')) session.enable('CONDSTORE');
  const asksForDeleted = items.includes('DELETED') || items.includes('DELETED-STORAGE');
  const deleted = asksForDeleted ? await countDeleted(session, mailbox) : undefined;
  const values = items.map((item) => [item, statusOf(item, { ...counters, mailbox, deleted }, session)] as const);
  session.write(encodeStatus(spelledFor(session, name), values));
}

async function countDeleted(session: ImapConversation, { owner, id }: Mailbox): Promise<Deleted> {
  const found = { messages: 0, octets: 0 };
  for (let after: Uid | undefined = undefined; ; ) {
    const page = deletedPage(session.door.reader, { owner, mailbox: id }, after);
    found.messages += page.messages;
    found.octets += page.octets;
    if (page.last === undefined || session.gone) return found;
    after = page.last;
    await session.breathe();
  }
}

function statusOf(
  item: StatusItem,
  { mailbox, unclaimed, deleted }: MailboxCounters & { readonly deleted: Deleted | undefined },
  session: ImapConversation,
): number | string {
  switch (item) {
    case 'MESSAGES':
      return mailbox.messages;
    case 'RECENT':
      return unclaimed + claimedHere(mailbox, session);
    case 'UIDNEXT':
      return mailbox.uidNext;
    case 'UIDVALIDITY':
      return mailbox.uidValidity;
    case 'UNSEEN':
      return mailbox.unseen;
    case 'SIZE':
      return mailbox.bytes;
    case 'DELETED':
      return deleted?.messages ?? 0;
    case 'DELETED-STORAGE':
      return deleted?.octets ?? 0;
    case 'APPENDLIMIT':
      return session.door.limits.messageSizeBytes;
    case 'MAILBOXID':
      return `(${mailboxObjectId(mailbox.owner, mailbox.id)})`;
    case 'HIGHESTMODSEQ':
      return mailbox.modseq;
    default:
      return item satisfies never;
  }
}

/** What this session has claimed as recent. */
function claimedHere({ owner, id }: Mailbox, { selected }: ImapConversation): number {
  return selected?.isOf({ owner, mailbox: id }) === true && !selected.readOnly ? selected.recentCount : 0;
}
