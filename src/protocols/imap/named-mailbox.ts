// From a name in a command to the mailbox that it means: the one way for all commands.
//
// In      a name in Unicode, as the cursor gives it
// Out     whose mailbox it is and its canonical name there; the mailbox's row; back again, a name as the client has it spelled
// Errors  Failure `invalid` for what can be no name

import { Failure } from '../../base/failure.ts';
import {
  canonicalMailboxName,
  FOREIGN_NAMES,
  findMailbox,
  type Mailbox,
  type MailboxName,
  newMailboxName,
  SEPARATOR,
} from '../../store/mailboxes.ts';
import { encodeMailboxName, encodeUtf8Name } from '../../wire/imap/mailbox-name.ts';
import type { ImapConversation } from './conversation.ts';
import type { EnableName } from './enabled.ts';

type Namer = Pick<ImapConversation, 'owner' | 'door'>;

/** Where a name leads, whether or not a mailbox is there. */
export function namedPlace({ owner }: Namer, name: string): MailboxName {
  return { owner, name: canonicalMailboxName(name) };
}

/** The same for a mailbox that is to be. Throws `denied` for what would be other people's. */
export function newNamedPlace({ owner }: Namer, name: string): MailboxName {
  const canonical = newMailboxName(name);
  const isForeign = FOREIGN_NAMES.some((prefix) => canonical === prefix || canonical.startsWith(prefix + SEPARATOR));
  if (isForeign) throw new Failure('denied', 'Names that begin so are of other people');
  return { owner, name: canonical };
}

/** Undefined when there is none; the caller looks at `selectable`. */
export function findNamed(session: Namer, name: string): Mailbox | undefined {
  const { owner, name: canonical } = namedPlace(session, name);
  return findMailbox(session.door.reader, owner, canonical);
}

/** As octets in latin1: UTF-8 for who has enabled that, else modified UTF-7. RFC 6855 §3 */
export function spelledFor({ enabled }: Pick<ImapConversation, 'enabled'>, name: string): string {
  return namesAreUtf8(enabled) ? encodeUtf8Name(name) : encodeMailboxName(name);
}

/** Also in commands. */
export function namesAreUtf8(enabled: ReadonlySet<EnableName>): boolean {
  return enabled.has('UTF8=ACCEPT') || enabled.has('IMAP4REV2');
}
