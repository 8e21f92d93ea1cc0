// RENAME. RFC 3501 §6.3.5: INBOX gives away its messages and stays.

import { renameMailbox } from '../../../store/mailboxes.ts';
import { parseRename, type RenameCommand } from '../../../wire/imap/commands/rename.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { namedPlace, newNamedPlace } from '../named-mailbox.ts';
import { ok } from '../reply.ts';

export const rename: CommandDefinition<RenameCommand> = {
  states: LOGGED_IN,
  parse: parseRename,
  async run({ from, to }, session) {
    const { owner, name } = namedPlace(session, from);
    await session.door.writer.execute(renameMailbox, { owner, from: name, to: newNamedPlace(session, to).name });
    return ok('RENAME completed');
  },
};
