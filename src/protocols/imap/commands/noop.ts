// NOOP: changes are reported before the reply of every command, so this one has nothing to do. RFC 3501 §6.1.2

import { parseSimple, type SimpleCommand } from '../../../wire/imap/commands/simple.ts';
import { ANY_STATE, type CommandDefinition } from '../handler.ts';
import { ok } from '../reply.ts';

export const noop: CommandDefinition<SimpleCommand<'NOOP'>> = {
  states: ANY_STATE,
  parse: parseSimple('NOOP'),
  run: () => ok('NOOP completed'),
};
