// DELETE. RFC 3501 §6.3.4: a mailbox with others below it stays as a name that cannot be selected.

import { deleteMailbox } from '../../../store/mailboxes.ts';
import { type MailboxCommand, parseMailbox } from '../../../wire/imap/commands/mailbox.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { findNamed, namedPlace } from '../named-mailbox.ts';
import { whileRightsMove } from '../permitted.ts';
import { ok } from '../reply.ts';

export const deleteCommand: CommandDefinition<MailboxCommand<'DELETE'>> = {
  states: LOGGED_IN,
  parse: parseMailbox('DELETE'),
  async run({ mailbox }, session) {
    const row = findNamed(session, mailbox, 'x');
    await whileRightsMove(() => session.door.writer.execute(deleteMailbox, namedPlace(session, mailbox, 'x')));
    // The client that deletes its selected mailbox knows that it is gone: no need to close the connection.
    if (row !== undefined && session.selected?.isOf({ owner: row.owner, mailbox: row.id })) session.open(undefined);
    return ok('DELETE completed');
  },
};
