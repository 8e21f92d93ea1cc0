// A recipient that does not get 250: said as routing says it, until there are so many that somebody is trying out names.
//
// In      the reply of routing
// Out     that reply; or 421 and the end of the connection; or 450 where the transaction has recipients that are to get their mail
// Limits  50 on a connection since its last accepted message; of a client what the door counts, in all connections together.
//         This machine's own clients have none
// Never   touches a recipient that is accepted. A temporary refusal is not counted: it says nothing about names
// RFC 5321 §3.5.3, §7.3

import { isTemporary, type Reply } from '../../base/reply.ts';
import { isThisMachine } from '../../net/client-of.ts';
import type { MailTransaction, SmtpConversation } from './conversation.ts';

const REFUSED_ON_A_CONNECTION = 50;

export function refuseRecipient(session: SmtpConversation, transaction: MailTransaction, reply: Reply): undefined {
  const { door, record } = session;
  if (isTemporary(reply) || isThisMachine(record) || isWithinLimits(session))
    return session.reply(reply.code, reply.enhanced, reply.text);
  if (transaction.recipients.length > 0)
    return session.reply(450, '4.7.1', 'Too many recipients were refused, try this one again later');
  return session.close(421, '4.7.0', `${door.hostname(record)} Too many recipients were refused, closing connection`);
}

function isWithinLimits(session: SmtpConversation): boolean {
  return ++session.refusedRecipients <= REFUSED_ON_A_CONNECTION && session.door.mayRefuse(session.record.peerAddress);
}
