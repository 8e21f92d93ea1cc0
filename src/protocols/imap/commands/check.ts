// CHECK: all that was acknowledged is on disk already. RFC 3501 §6.4.1

import { parseSimple, type SimpleCommand } from '../../../wire/imap/commands/simple.ts';
import { type CommandDefinition, SELECTED } from '../handler.ts';
import { ok } from '../reply.ts';

export const check: CommandDefinition<SimpleCommand<'CHECK'>> = {
  states: SELECTED,
  parse: parseSimple('CHECK'),
  run: () => ok('CHECK completed'),
};
