// LOGIN. RFC 3501 §6.2.3

import { Failure } from '../../../base/failure.ts';
import { type LoginCommand, parseLogin } from '../../../wire/imap/commands/login.ts';
import type { ImapConversation } from '../conversation.ts';
import { ImapFailure } from '../errors.ts';
import { type CommandDefinition, LOGGED_OUT } from '../handler.ts';
import { ok, type TaggedResponse } from '../reply.ts';

export const login: CommandDefinition<LoginCommand> = {
  states: LOGGED_OUT,
  parse: parseLogin,
  run: (command, session) =>
    logIn(session, Buffer.from(command.login, 'latin1').toString('utf8'), Buffer.from(command.password, 'latin1')),
};

/** What LOGIN and every mechanism of AUTHENTICATE end in. */
export async function logIn(session: ImapConversation, name: string, password: Buffer): Promise<TaggedResponse> {
  if (!session.passwordsAllowed)
    throw new ImapFailure('unauthenticated', 'Passwords are not taken in the clear', 'PRIVACYREQUIRED');
  try {
    session.loggedIn(await session.door.login(name, password, session.record.peerAddress));
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'denied') throw error;
    throw new ImapFailure('denied', error.message, 'AUTHORIZATIONFAILED');
  }
  return ok('Logged in', session.capabilities());
}
