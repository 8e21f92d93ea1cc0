// CAPABILITY. RFC 3501 §6.1.1

import { parseSimple, type SimpleCommand } from '../../../wire/imap/commands/simple.ts';
import { ANY_STATE, type CommandDefinition } from '../handler.ts';
import { ok } from '../reply.ts';

export const capability: CommandDefinition<SimpleCommand<'CAPABILITY'>> = {
  states: ANY_STATE,
  parse: parseSimple('CAPABILITY'),
  run(_, session) {
    session.write(`* ${session.capabilities()}\r\n`);
    return ok('CAPABILITY completed');
  },
};
