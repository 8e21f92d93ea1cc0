// STATUS: counters of one state of the mailbox, selected or not. RFC 3501 §6.3.10

import { Failure } from '../../../base/failure.ts';
import { type MailboxCounters, readCounters } from '../../../store/counters.ts';
import type { Mailbox } from '../../../store/mailboxes.ts';
import { parseStatus, type StatusCommand, type StatusItem } from '../../../wire/imap/commands/status.ts';
import { encodeStatus } from '../../../wire/imap/responses/mailbox.ts';
import type { ImapConversation } from '../conversation.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { namedPlace } from '../named-mailbox.ts';
import { ok } from '../reply.ts';

export const status: CommandDefinition<StatusCommand> = {
  states: LOGGED_IN,
  parse: parseStatus,
  run({ mailbox: name, items }, session) {
    const { reader } = session.door;
    const place = namedPlace(session, name);
    const counters = readCounters(reader, place, items.includes('RECENT'));
    if (counters === undefined || !counters.mailbox.selectable) throw new Failure('not-found', 'No such mailbox');
    const values = items.map((item) => [item, counterOf(item, counters, session)] as const);
    session.write(encodeStatus(counters.mailbox.name, values));
    return ok('STATUS completed');
  },
};

function counterOf(item: StatusItem, { mailbox, unclaimed }: MailboxCounters, session: ImapConversation): number {
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
    default:
      return item satisfies never;
  }
}

/** What this session has claimed as recent. */
function claimedHere({ owner, id }: Mailbox, { selected }: ImapConversation): number {
  return selected?.isOf({ owner, mailbox: id }) === true && !selected.readOnly ? selected.recentCount : 0;
}
