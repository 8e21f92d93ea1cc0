// AUTH: a SASL exchange, a line a step. RFC 4954 §4
//
// Never  takes a password in the clear from a peer that is not on this machine, until TLS is offered

import { findMechanism, SaslExchange, type SaslStep } from '../../../auth/sasl.ts';
import { Failure } from '../../../base/failure.ts';
import type { Framer } from '../../../wire/framer.ts';
import type { SmtpCommand } from '../../../wire/smtp/commands.ts';
import type { SmtpSession } from '../session.ts';

type Auth = Extract<SmtpCommand, { verb: 'AUTH' }>;

export function authenticate(session: SmtpSession, command: Auth): Promise<void> | undefined {
  if (session.helloName === undefined || !session.isExtended) return session.error(503, '5.5.1', 'EHLO first');
  if (session.login !== undefined) return session.error(503, '5.5.1', 'You are authenticated already');
  if (session.transaction !== undefined) return session.error(503, '5.5.1', 'Not within a mail transaction');
  if (!session.connection.isPrivate) return session.reply(538, '5.7.11', 'Encryption is required for authentication');
  const mechanism = findMechanism(command.mechanism);
  if (mechanism === undefined) return session.error(504, '5.5.4', 'Mechanism not supported');
  const exchange = new SaslExchange(mechanism);
  return advance(session, exchange, () => exchange.start(command.initial));
}

/** One step; a challenge makes the next line ours. */
function advance(session: SmtpSession, exchange: SaslExchange, take: () => SaslStep): Promise<void> | undefined {
  session.takeInput(undefined);
  let step: SaslStep;
  try {
    step = take();
  } catch (error) {
    if (error instanceof Failure && error.kind === 'syntax') return session.error(501, '5.5.2', error.message);
    throw error;
  }
  switch (step.kind) {
    case 'cancelled':
      return session.error(501, '5.0.0', 'Authentication cancelled');
    case 'credentials':
      return verify(session, step.login, step.password);
    case 'challenge':
      session.takeInput({ take: (framer) => answer(session, exchange, framer) });
      return session.reply(334, undefined, step.text);
  }
}

function answer(session: SmtpSession, exchange: SaslExchange, framer: Framer): Promise<void> | undefined {
  const line = session.authLine(framer);
  if (line === undefined) return undefined;
  return advance(session, exchange, () => exchange.receive(line));
}

async function verify(session: SmtpSession, login: string, password: Buffer): Promise<void> {
  try {
    session.login = await session.door.login(login, password, session.connection.peerAddress);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (error.kind === 'unauthenticated') {
      session.error(535, '5.7.8', error.message);
      return;
    }
    if (error.kind === 'denied') {
      session.reply(525, '5.7.13', error.message);
      return;
    }
    session.reply(454, '4.7.0', 'Temporary authentication failure');
    return;
  }
  session.reply(235, '2.7.0', 'Authentication succeeded');
}
