// The mailboxes that a filter means: own ones, each once.
//
// Out     selectable mailboxes in the order in which the filter names them; what does not exist is passed over
// RFC 5465 §6, RFC 7377 §2.2

import { INBOX } from '../../store/accounts.ts';
import { listMailboxes, listSubscriptions, type Mailbox, SEPARATOR } from '../../store/mailboxes.ts';
import type { MailboxFilter } from '../../wire/imap/mailbox-filter.ts';
import type { ImapConversation } from './conversation.ts';
import { findNamed, isOwnName, namedPlace } from './named-mailbox.ts';

export function filteredMailboxes(session: ImapConversation, filters: readonly MailboxFilter[]): Mailbox[] {
  const found = new Map<string, Mailbox>();
  let all: readonly Mailbox[] | undefined;
  const own = (): readonly Mailbox[] => (all ??= listMailboxes(session.door.reader, session.owner));
  const add = (mailboxes: Iterable<Mailbox | undefined>): void => {
    for (const mailbox of mailboxes)
      if (mailbox?.selectable === true) found.set(`${mailbox.owner}/${mailbox.id}`, mailbox);
  };
  for (const filter of filters) {
    switch (filter.kind) {
      case 'SELECTED':
        add(own().filter(({ owner, id }) => session.selected?.isOf({ owner, mailbox: id })));
        break;
      case 'INBOXES':
        // Where deliveries go.
        add(own().filter(({ id }) => id === INBOX));
        break;
      case 'PERSONAL':
        add(own());
        break;
      case 'SUBSCRIBED': {
        const subscribed = new Set(listSubscriptions(session.door.reader, session.reader));
        add(own().filter(({ name }) => subscribed.has(name)));
        break;
      }
      case 'MAILBOXES':
        add(filter.names.filter(isOwnName).map((name) => findNamed(session, name)));
        break;
      case 'SUBTREE':
      case 'SUBTREE-ONE':
        for (const name of filter.names.filter(isOwnName))
          add(below(own(), namedPlace(session, name).name, filter.kind === 'SUBTREE-ONE' ? 1 : undefined));
        break;
      default:
        filter satisfies never;
    }
  }
  return [...found.values()];
}

/** The mailbox itself and those below it, `levels` deep. */
function below(mailboxes: readonly Mailbox[], root: string, levels: number | undefined): Mailbox[] {
  const prefix = `${root}${SEPARATOR}`;
  return mailboxes.filter(({ name }) => {
    if (name === root) return true;
    if (!name.startsWith(prefix)) return false;
    return levels === undefined || name.slice(prefix.length).split(SEPARATOR).length <= levels;
  });
}
