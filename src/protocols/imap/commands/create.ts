// CREATE. RFC 3501 §6.3.3

import { createMailbox, newMailboxName, SEPARATOR } from '../../../store/mailboxes.ts';
import { type MailboxCommand, parseMailbox } from '../../../wire/imap/commands/mailbox.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { ok } from '../reply.ts';

export const create: CommandDefinition<MailboxCommand<'CREATE'>> = {
  states: LOGGED_IN,
  parse: parseMailbox('CREATE'),
  async run({ mailbox }, { owner, door }) {
    // A separator at the end declares that mailboxes will come below; here every mailbox may have some.
    const name = mailbox.endsWith(SEPARATOR) ? mailbox.slice(0, -SEPARATOR.length) : mailbox;
    await door.writer.execute(createMailbox, { owner, name: newMailboxName(name) });
    return ok('CREATE completed');
  },
};
