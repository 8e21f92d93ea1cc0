// UNAUTHENTICATE: the connection goes on without a login, as it was before one; compression ends behind the reply, TLS stays.
// RFC 8437 §3

import { parseSimple, type SimpleCommand } from '../../../wire/imap/commands/simple.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { ok } from '../reply.ts';

export const unauthenticate: CommandDefinition<SimpleCommand<'UNAUTHENTICATE'>> = {
  states: LOGGED_IN,
  parse: parseSimple('UNAUTHENTICATE'),
  run(_, session) {
    session.unauthenticate();
    return { ...ok('UNAUTHENTICATE completed'), next: 'plain' };
  },
};
