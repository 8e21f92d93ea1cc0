// MAIL FROM: a transaction begins. RFC 5321 §4.1.1.2, RFC 6409 §6.1

import { ANONYMOUS } from '../../../directory/caller.ts';
import { addressKey } from '../../../message/address.ts';
import type { RouteRequest } from '../../../routing/resolve.ts';
import type { SmtpCommand } from '../../../wire/smtp/commands.ts';
import type { SmtpConversation } from '../conversation.ts';

type Mail = Extract<SmtpCommand, { verb: 'MAIL' }>;

export function mail(session: SmtpConversation, command: Mail): undefined {
  const { door } = session;
  if (session.helloName === undefined) return session.error(503, '5.5.1', 'EHLO or HELO first');
  if (session.isSubmission && session.login === undefined)
    return session.reply(530, '5.7.0', 'Authentication required');
  if (session.transaction !== undefined) return session.error(503, '5.5.1', 'MAIL was given already: RSET first');
  if (command.sizeBytes !== undefined && command.sizeBytes > door.limits.messageSizeBytes)
    return session.reply(552, '5.3.4', `The message is too large, the limit is ${door.limits.messageSizeBytes} bytes`);
  // An author may use any of the account's addresses, and no other's.
  if (
    session.login !== undefined &&
    command.sender !== undefined &&
    !session.login.addresses.includes(addressKey(command.sender))
  )
    return session.reply(553, '5.7.1', 'Sender is not one of your addresses');
  const { sender, sizeBytes } = command;
  const request: RouteRequest = {
    sender,
    caller: session.login?.caller ?? ANONYMOUS,
    // Only who has logged in may send to domains that are not ours.
    mayRelay: session.login !== undefined,
    door: session.isSubmission ? 'submission' : 'smtp',
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
  };
  session.transaction = { request, recipients: [] };
  return session.reply(250, '2.1.0', 'Sender ok');
}
