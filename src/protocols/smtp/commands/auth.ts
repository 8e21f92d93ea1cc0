// AUTH: a SASL exchange, a line a step. RFC 4954 §4

import { exchangeLines } from '../../../auth/sasl/lines.ts';
import { Failure } from '../../../base/failure.ts';
import { FAILED_LOGINS_MAX, SMTP_AUTH_LINE_BYTES } from '../../../base/limits.ts';
import type { SmtpCommand } from '../../../wire/smtp/commands.ts';
import type { SmtpConversation } from '../conversation.ts';
import { failureStatus } from '../errors.ts';

type Auth = Extract<SmtpCommand, { verb: 'AUTH' }>;

export async function authenticate(session: SmtpConversation, command: Auth): Promise<void> {
  if (session.helloName === undefined || !session.isExtended) return session.error(503, '5.5.1', 'EHLO first');
  if (session.login !== undefined) return session.error(503, '5.5.1', 'You are authenticated already');
  if (session.transaction !== undefined) return session.error(503, '5.5.1', 'Not within a mail transaction');
  const { door, record } = session;
  try {
    const exchange = door.logins.sasl({ door: 'smtp', record }, command.mechanism);
    const login = await exchangeLines(exchange, command.initial, {
      challenge: (text) => session.reply(334, undefined, text),
      line: () => session.line(SMTP_AUTH_LINE_BYTES),
    });
    if (login === undefined) return;
    session.loggedIn(login);
    session.reply(235, '2.7.0', 'Authentication succeeded');
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return failLogin(session, error);
  }
}

/** Of a login, however it was asked for. */
export function failLogin(session: SmtpConversation, failure: Failure): undefined {
  const { door, record } = session;
  if (failure.kind === 'unauthenticated' && ++session.failedLogins >= FAILED_LOGINS_MAX)
    return session.close(421, '4.7.0', `${door.hostname(record)} Too many failed logins, closing connection`);
  switch (failure.kind) {
    case 'unsupported':
      return session.error(504, '5.5.4', failure.message);
    case 'syntax':
      return session.error(501, '5.5.2', failure.message);
    case 'unauthenticated':
      return session.error(...failureStatus(failure), failure.message);
    case 'denied':
      return session.reply(525, '5.7.13', failure.message);
    case 'not-private':
    case 'throttled':
      return session.reply(...failureStatus(failure), failure.message);
    default:
      return session.reply(454, '4.7.0', 'Temporary authentication failure');
  }
}
