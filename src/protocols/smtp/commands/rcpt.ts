// RCPT TO: resolved before it is answered, from tables that are never older than the last acknowledged change.
// RFC 5321 §4.1.1.3, §3.3

import { Failure } from '../../../base/failure.ts';
import { isAccepted, type Reply } from '../../../base/reply.ts';
import type { Address } from '../../../message/address.ts';
import { replies } from '../../../routing/replies.ts';
import type { SmtpCommand } from '../../../wire/smtp/commands.ts';
import type { SmtpConversation } from '../conversation.ts';

type Rcpt = Extract<SmtpCommand, { verb: 'RCPT' }>;

export function rcpt(session: SmtpConversation, command: Rcpt): Promise<void> | undefined {
  const { door, transaction } = session;
  if (transaction === undefined) return session.error(503, '5.5.1', 'MAIL first');
  if (transaction.recipients.length >= door.limits.recipientsMax)
    return session.reply(452, '4.5.3', 'Too many recipients');
  const resolution = door.routing.verify(command.recipient);
  if (!resolution.relay) return answer(session, command, resolution.reply);
  // A domain that nobody has defined: perhaps its MX names us.
  if (door.arrive !== undefined) return arrive(session, command, door.arrive);
  return answer(session, command, foreign(session, resolution.reply));
}

/** Only who has logged in may send to domains that are not ours. */
function foreign(session: SmtpConversation, reply: Reply): Reply {
  return session.login === undefined ? replies.relayDenied : reply;
}

async function arrive(
  session: SmtpConversation,
  command: Rcpt,
  bring: (address: Address, peer: string) => ReturnType<NonNullable<SmtpConversation['door']['arrive']>>,
): Promise<void> {
  const arrival = await bring(command.recipient, session.record.peerAddress);
  if (arrival.result === 'refused') {
    // What stays foreign may be relayed for who has logged in.
    answer(
      session,
      command,
      arrival.reply === replies.relayDenied ? foreign(session, replies.accepted) : arrival.reply,
    );
    return;
  }
  const resolution = session.door.routing.verify(command.recipient);
  if (resolution.relay) throw new Failure('unavailable', 'The domain is being defined, try again later');
  answer(session, command, resolution.reply);
}

function answer(session: SmtpConversation, command: Rcpt, reply: Reply): undefined {
  if (isAccepted(reply)) session.transaction?.recipients.push({ address: command.recipient, written: command.written });
  return session.reply(reply.code, reply.enhanced, reply.text);
}
