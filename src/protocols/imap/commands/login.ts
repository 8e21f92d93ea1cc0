// LOGIN. RFC 3501 §6.2.3

import type { StandingLogin } from '../../../auth/standing-login.ts';
import { asFailure } from '../../../base/failure.ts';
import { type LoginCommand, parseLogin } from '../../../wire/imap/commands/login.ts';
import type { ImapConversation, ImapLogin } from '../conversation.ts';
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
export async function loggedIn(session: ImapConversation, login: StandingLogin<ImapLogin>): Promise<TaggedResponse> {
  session.loggedIn(login);
  if (login.now()?.isOfList !== true) await makeFirstFolders(session);
  return ok('Logged in', session.capabilities());
}

/** Where they cannot be made, on a full disk say, mail is read all the same. */
async function makeFirstFolders({ door, reader: account, record }: ImapConversation): Promise<void> {
  try {
    await door.makeFirstFolders(account);
  } catch (error) {
    const { message, detail = message } = asFailure(error);
    door.log.warn('imap.first-folders', { account, peer: record.peerAddress, detail });
  }
}
