// AUTHENTICATE with the mechanisms of auth/sasl/. RFC 3501 §6.2.2, RFC 4959

import { CancelledFailure, exchangeLines } from '../../../auth/sasl/lines.ts';
import { Failure } from '../../../base/failure.ts';
import { type AuthenticateCommand, parseAuthenticate } from '../../../wire/imap/commands/authenticate.ts';
import type { ImapConversation } from '../conversation.ts';
import { type CommandDefinition, LOGGED_OUT } from '../handler.ts';
import { bad, no, type TaggedResponse } from '../reply.ts';
import { loggedIn } from './login.ts';

export const authenticate: CommandDefinition<AuthenticateCommand> = {
  states: LOGGED_OUT,
  parse: parseAuthenticate,
  async run(command, session): Promise<TaggedResponse | undefined> {
    try {
      const login = await exchange(session, command);
      return login && loggedIn(session, login);
    } catch (error) {
      if (error instanceof CancelledFailure) return bad(error.message);
      if (error instanceof Failure && error.kind === 'unsupported') return no('There is no such mechanism');
      throw error;
    }
  },
};

async function exchange(session: ImapConversation, { mechanism, initial }: AuthenticateCommand) {
  const { door, record } = session;
  return exchangeLines(door.logins.sasl({ door: 'imap', record }, mechanism), initial, {
    challenge: (text) => session.continuation(text),
    line: () => session.line(),
  });
}
