// UNSELECT: as CLOSE, and nothing is expunged. RFC 3691 §2

import { parseSimple, type SimpleCommand } from '../../../wire/imap/commands/simple.ts';
import { type CommandDefinition, SELECTED } from '../handler.ts';
import { ok } from '../reply.ts';

export const unselect: CommandDefinition<SimpleCommand<'UNSELECT'>> = {
  states: SELECTED,
  parse: parseSimple('UNSELECT'),
  run(_, session) {
    session.open(undefined);
    return ok('UNSELECT completed');
  },
};
