// RENAME. RFC 3501 §6.3.5: INBOX gives away its messages and stays.

import { Failure } from '../../../base/failure.ts';
import { renameMailbox } from '../../../store/mailboxes.ts';
import { parseRename, type RenameCommand } from '../../../wire/imap/commands/rename.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { namedPlace, newNamedPlace } from '../named-mailbox.ts';
import { bothPermitted, whileRightsMove } from '../permitted.ts';
import { ok } from '../reply.ts';

export const rename: CommandDefinition<RenameCommand> = {
  states: LOGGED_IN,
  parse: parseRename,
  async run({ from, to }, session) {
    await whileRightsMove(async () => {
      const { owner, name, ...permitted } = namedPlace(session, from, 'x');
      const place = newNamedPlace(session, to);
      if (place.owner !== owner) throw new Failure('unsupported', 'A mailbox stays with its owner; copy what is in it');
      if (owner !== session.reader && name === 'INBOX')
        throw new Failure('unsupported', "Nobody else's INBOX is renamed");
      await session.door.writer.execute(renameMailbox, {
        owner,
        from: name,
        to: place.name,
        ...bothPermitted(permitted, place),
      });
    });
    return ok('RENAME completed');
  },
};
