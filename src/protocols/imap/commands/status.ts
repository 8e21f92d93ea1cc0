// STATUS: counters of one state of the mailbox, selected or not. RFC 3501 §6.3.10

import { Failure } from '../../../base/failure.ts';
import { canonicalMailboxName, findMailbox, type Mailbox } from '../../../store/mailboxes.ts';
import { PAGE_ROWS, uidsAfter } from '../../../store/messages.ts';
import { parseStatus, type StatusCommand, type StatusItem } from '../../../wire/imap/commands/status.ts';
import { encodeStatus } from '../../../wire/imap/responses/mailbox.ts';
import type { ImapConversation } from '../conversation.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { ok } from '../reply.ts';

export const status: CommandDefinition<StatusCommand> = {
  states: LOGGED_IN,
  parse: parseStatus,
  run({ mailbox: name, items }, session) {
    const { reader } = session.door;
    return reader.snapshot(() => {
      const mailbox = findMailbox(reader, session.owner, canonicalMailboxName(name));
      if (mailbox === undefined || !mailbox.selectable) throw new Failure('not-found', 'No such mailbox');
      const values = items.map((item) => [item, counterOf(item, mailbox, session)] as const);
      session.write(encodeStatus(mailbox.name, values));
      return ok('STATUS completed');
    });
  },
};

function counterOf(item: StatusItem, mailbox: Mailbox, session: ImapConversation): number {
  switch (item) {
    case 'MESSAGES':
      return mailbox.messages;
    case 'RECENT':
      return countRecent(mailbox, session);
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

/** What no session has claimed as recent, and what this one has. */
function countRecent(mailbox: Mailbox, { door, selected }: ImapConversation): number {
  const key = { owner: mailbox.owner, mailbox: mailbox.id };
  let count = selected?.isOf(key) === true && !selected.readOnly ? selected.recentCount : 0;
  if (mailbox.recentFrom >= mailbox.uidNext) return count;
  for (let after = mailbox.recentFrom - 1; ; ) {
    const page = uidsAfter(door.reader, key, after);
    count += page.length;
    if (page.length < PAGE_ROWS) return count;
    after = page[page.length - 1]!;
  }
}
