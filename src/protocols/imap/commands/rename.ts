// RENAME. RFC 3501 §6.3.5: INBOX gives away its messages and stays.

import { canonicalMailboxName, newMailboxName, renameMailbox } from '../../../store/mailboxes.ts';
import { parseRename, type RenameCommand } from '../../../wire/imap/commands/rename.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { ok } from '../reply.ts';

export const rename: CommandDefinition<RenameCommand> = {
  states: LOGGED_IN,
  parse: parseRename,
  async run({ from, to }, { owner, door }) {
    const names = { from: canonicalMailboxName(from), to: newMailboxName(to) };
    await door.writer.execute(renameMailbox, { owner, ...names });
    return ok('RENAME completed');
  },
};
