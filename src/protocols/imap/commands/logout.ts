// LOGOUT. RFC 3501 §6.1.3

import { parseSimple, type SimpleCommand } from '../../../wire/imap/commands/simple.ts';
import { encodeUntagged } from '../../../wire/imap/responses/status.ts';
import { ANY_STATE, type CommandDefinition } from '../handler.ts';
import { ok } from '../reply.ts';

export const logout: CommandDefinition<SimpleCommand<'LOGOUT'>> = {
  states: ANY_STATE,
  parse: parseSimple('LOGOUT'),
  run(_, session) {
    session.logOut();
    session.write(encodeUntagged('BYE', 'Logging out'));
    return ok('LOGOUT completed');
  },
};
