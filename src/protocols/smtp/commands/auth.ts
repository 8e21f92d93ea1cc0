// AUTH: a SASL exchange, a line a step. RFC 4954 §4
//
// Never  takes a password in the clear from a peer that others could listen to

import { findMechanism, SaslExchange, type SaslStep } from '../../../auth/sasl.ts';
import { Failure } from '../../../base/failure.ts';
import { SMTP_AUTH_LINE_BYTES } from '../../../base/limits.ts';
import type { SmtpCommand } from '../../../wire/smtp/commands.ts';
import type { SmtpConversation } from '../conversation.ts';

type Auth = Extract<SmtpCommand, { verb: 'AUTH' }>;

export function authenticate(session: SmtpConversation, command: Auth): Promise<void> | undefined {
  if (session.helloName === undefined || !session.isExtended) return session.error(503, '5.5.1', 'EHLO first');
  if (session.login !== undefined) return session.error(503, '5.5.1', 'You are authenticated already');
  if (session.transaction !== undefined) return session.error(503, '5.5.1', 'Not within a mail transaction');
  if (!session.record.isPrivate) return session.reply(538, '5.7.11', 'Encryption is required for authentication');
  const mechanism = findMechanism(command.mechanism);
  if (mechanism === undefined) return session.error(504, '5.5.4', 'Mechanism not supported');
  return exchange(session, new SaslExchange(mechanism), command.initial);
}

async function exchange(session: SmtpConversation, sasl: SaslExchange, initial: string | undefined): Promise<void> {
  let step: SaslStep;
  try {
    step = sasl.start(initial);
    while (step.kind === 'challenge') {
      session.reply(334, undefined, step.text);
      const line = await session.line(SMTP_AUTH_LINE_BYTES);
      if (line === undefined) return;
      // A line that is none is no base64 either: the exchange says so.
      step = sasl.receive(line.kind === 'bad-line' ? '?' : line.text);
    }
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'syntax') throw error;
    return session.error(501, '5.5.2', error.message);
  }
  if (step.kind === 'cancelled') return session.error(501, '5.0.0', 'Authentication cancelled');
  return verify(session, step.login, step.password);
}

async function verify(session: SmtpConversation, login: string, password: Buffer): Promise<void> {
  try {
    session.login = await session.door.login(login, password, session.record.peerAddress);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (error.kind === 'unauthenticated') return session.error(535, '5.7.8', error.message);
    if (error.kind === 'denied') return session.reply(525, '5.7.13', error.message);
    return session.reply(454, '4.7.0', 'Temporary authentication failure');
  }
  session.reply(235, '2.7.0', 'Authentication succeeded');
}
