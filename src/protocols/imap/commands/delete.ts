// DELETE. RFC 3501 §6.3.4: a mailbox with others below it stays as a name that cannot be selected.

import { canonicalMailboxName, deleteMailbox, findMailbox } from '../../../store/mailboxes.ts';
import { type MailboxCommand, parseMailbox } from '../../../wire/imap/commands/mailbox.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { ok } from '../reply.ts';

export const deleteCommand: CommandDefinition<MailboxCommand<'DELETE'>> = {
  states: LOGGED_IN,
  parse: parseMailbox('DELETE'),
  async run({ mailbox }, session) {
    const { owner, door } = session;
    const name = canonicalMailboxName(mailbox);
    const id = findMailbox(door.reader, owner, name)?.id;
    await door.writer.execute(deleteMailbox, { owner, name });
    // The client that deletes its selected mailbox knows that it is gone: no need to close the connection.
    if (id !== undefined && session.selected?.isOf({ owner, mailbox: id })) session.open(undefined);
    return ok('DELETE completed');
  },
};
