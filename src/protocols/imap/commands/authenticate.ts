// AUTHENTICATE with the mechanisms of auth/sasl.ts. RFC 3501 §6.2.2

import { findMechanism, SaslExchange, type SaslMechanism } from '../../../auth/sasl.ts';
import { type AuthenticateCommand, parseAuthenticate } from '../../../wire/imap/commands/authenticate.ts';
import type { ImapConversation } from '../conversation.ts';
import { type CommandDefinition, LOGGED_OUT } from '../handler.ts';
import { bad, no, type TaggedResponse } from '../reply.ts';
import { logIn } from './login.ts';

export const authenticate: CommandDefinition<AuthenticateCommand> = {
  states: LOGGED_OUT,
  parse: parseAuthenticate,
  run({ mechanism }, session) {
    const found = findMechanism(mechanism);
    return found === undefined ? no('There is no such mechanism') : exchange(session, found);
  },
};

async function exchange(session: ImapConversation, mechanism: SaslMechanism): Promise<TaggedResponse | undefined> {
  const sasl = new SaslExchange(mechanism);
  for (let step = sasl.start(undefined); ; ) {
    switch (step.kind) {
      case 'challenge': {
        session.continuation(step.text);
        const line = await session.line();
        if (line === undefined) return undefined;
        if (line.kind === 'bad-line') return bad('Not an answer to a challenge');
        step = sasl.receive(line.text);
        break;
      }
      case 'credentials':
        return logIn(session, step.login, step.password);
      case 'cancelled':
        return bad('Authentication cancelled');
      default:
        return step satisfies never;
    }
  }
}
