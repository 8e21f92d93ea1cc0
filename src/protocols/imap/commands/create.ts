// CREATE, with what the mailbox is to be for. RFC 3501 §6.3.3, RFC 6154 §3, RFC 8474 §4.1

import { createMailbox, SEPARATOR, specialUses } from '../../../store/mailboxes.ts';
import { type CreateCommand, parseCreate } from '../../../wire/imap/commands/create.ts';
import { mailboxObjectId } from '../../../wire/imap/object-id.ts';
import { ImapFailure } from '../errors.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { newNamedPlace } from '../named-mailbox.ts';
import { whileRightsMove } from '../permitted.ts';
import { ok } from '../reply.ts';

export const create: CommandDefinition<CreateCommand> = {
  states: LOGGED_IN,
  parse: parseCreate,
  async run({ mailbox, uses }, session) {
    // A separator at the end declares that mailboxes will come below; here every mailbox may have some.
    const name = mailbox.endsWith(SEPARATOR) ? mailbox.slice(0, -SEPARATOR.length) : mailbox;
    const wanted = uses === undefined ? {} : { uses: uses.map(knownUse) };
    return whileRightsMove(async () => {
      const place = newNamedPlace(session, name);
      const { mailbox: id } = await session.door.writer.execute(createMailbox, { ...place, ...wanted });
      return ok('CREATE completed', `MAILBOXID (${mailboxObjectId(place.owner, id)})`);
    });
  },
};

/** \All and \Flagged would be views of other mailboxes, which there are none of. */
function knownUse(use: string): string {
  const known = specialUses.find((one) => one.toLowerCase() === use.toLowerCase());
  if (known !== undefined) return known;
  throw new ImapFailure('unsupported', 'No mailbox can be made for that use', 'USEATTR');
}
