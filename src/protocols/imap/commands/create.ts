// CREATE. RFC 3501 §6.3.3

import { createMailbox, SEPARATOR } from '../../../store/mailboxes.ts';
import { type MailboxCommand, parseMailbox } from '../../../wire/imap/commands/mailbox.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { newNamedPlace } from '../named-mailbox.ts';
import { ok } from '../reply.ts';

export const create: CommandDefinition<MailboxCommand<'CREATE'>> = {
  states: LOGGED_IN,
  parse: parseMailbox('CREATE'),
  async run({ mailbox }, session) {
    // A separator at the end declares that mailboxes will come below; here every mailbox may have some.
    const name = mailbox.endsWith(SEPARATOR) ? mailbox.slice(0, -SEPARATOR.length) : mailbox;
    await session.door.writer.execute(createMailbox, newNamedPlace(session, name));
    return ok('CREATE completed');
  },
};
