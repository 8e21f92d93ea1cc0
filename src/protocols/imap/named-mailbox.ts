// From a name in a command to the mailbox that it means: the one way for all commands.
//
// In      a name in Unicode, as the cursor gives it
// Out     whose mailbox it is and its canonical name there; the mailbox's row
// Errors  Failure `invalid` for what can be no name

import {
  canonicalMailboxName,
  findMailbox,
  type Mailbox,
  type MailboxName,
  newMailboxName,
} from '../../store/mailboxes.ts';
import type { ImapConversation } from './conversation.ts';

type Namer = Pick<ImapConversation, 'owner' | 'door'>;

/** Where a name leads, whether or not a mailbox is there. */
export function namedPlace({ owner }: Namer, name: string): MailboxName {
  return { owner, name: canonicalMailboxName(name) };
}

/** The same for a mailbox that is to be. */
export function newNamedPlace({ owner }: Namer, name: string): MailboxName {
  return { owner, name: newMailboxName(name) };
}

/** Undefined when there is none; the caller looks at `selectable`. */
export function findNamed(session: Namer, name: string): Mailbox | undefined {
  const { owner, name: canonical } = namedPlace(session, name);
  return findMailbox(session.door.reader, owner, canonical);
}
