// ID: our name, and nothing that helps an attacker choose. What the client says is not kept. RFC 2971

import { type IdCommand, parseId } from '../../../wire/imap/commands/id.ts';
import { encodeId } from '../../../wire/imap/responses/mailbox.ts';
import { ANY_STATE, type CommandDefinition } from '../handler.ts';
import { ok } from '../reply.ts';

export const id: CommandDefinition<IdCommand> = {
  states: ANY_STATE,
  parse: parseId,
  run(_, session) {
    session.write(encodeId([['name', 'Waypost']]));
    return ok('ID completed');
  },
};
