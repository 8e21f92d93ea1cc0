// LOGIN. RFC 3501 §6.2.3

import type { StandingLogin } from '../../../auth/standing-login.ts';
import type { AccountId } from '../../../base/ids.ts';
import { type LoginCommand, parseLogin } from '../../../wire/imap/commands/login.ts';
import type { ImapConversation } from '../conversation.ts';
import { type CommandDefinition, LOGGED_OUT } from '../handler.ts';
import { ok, type TaggedResponse } from '../reply.ts';

export const login: CommandDefinition<LoginCommand> = {
  states: LOGGED_OUT,
  parse: parseLogin,
  async run(command, session) {
    const { door, record } = session;
    const name = Buffer.from(command.login, 'latin1').toString('utf8');
    const password = Buffer.from(command.password, 'latin1');
    return loggedIn(session, await door.logins.login({ door: 'imap', record }, name, password));
  },
};

/** What LOGIN and every mechanism of AUTHENTICATE end in. */
export function loggedIn(
  session: ImapConversation,
  login: StandingLogin<{ readonly account: AccountId }>,
): TaggedResponse {
  session.loggedIn(login);
  return ok('Logged in', session.capabilities());
}
