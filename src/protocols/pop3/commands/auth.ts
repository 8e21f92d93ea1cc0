// AUTH: a SASL exchange, a line a step. RFC 5034 §4

import { findMechanism, SaslExchange } from '../../../auth/sasl.ts';
import { Failure } from '../../../base/failure.ts';
import { SMTP_AUTH_LINE_BYTES } from '../../../base/limits.ts';
import { encodeContinuation } from '../../../wire/pop3/responses.ts';
import type { Pop3Conversation } from '../conversation.ts';
import { logIn, requirePrivacy } from '../log-in.ts';

export async function authenticate(
  session: Pop3Conversation,
  mechanism: string,
  initial: string | undefined,
): Promise<void> {
  requirePrivacy(session);
  const found = findMechanism(mechanism);
  if (found === undefined) throw new Failure('syntax', 'There is no such mechanism');
  const sasl = new SaslExchange(found);
  for (let step = sasl.start(initial); ; ) {
    switch (step.kind) {
      case 'challenge': {
        session.write(encodeContinuation(step.text));
        const line = await session.line(SMTP_AUTH_LINE_BYTES);
        if (line === undefined) return;
        if (line.kind === 'bad-line') throw new Failure('syntax', 'Not an answer to a challenge');
        step = sasl.receive(line.text);
        break;
      }
      case 'credentials':
        return logIn(session, step.login, step.password);
      case 'cancelled':
        throw new Failure('syntax', 'Authentication cancelled');
      default:
        return step satisfies never;
    }
  }
}
