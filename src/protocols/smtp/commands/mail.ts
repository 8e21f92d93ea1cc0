// MAIL FROM: a transaction begins. RFC 5321 §4.1.1.2, RFC 6409 §6.1, RFC 6531 §3.3, RFC 8689 §4.2.1

import { ANONYMOUS } from '../../../directory/caller.ts';
import type { RouteRequest } from '../../../routing/resolve.ts';
import type { SmtpCommand } from '../../../wire/smtp/commands.ts';
import { parseMailParameters } from '../../../wire/smtp/parameters.ts';
import type { SmtpConversation } from '../conversation.ts';
import { maySend } from './sender.ts';

export const EIGHT_BIT = 'An address beyond ASCII is for mail with SMTPUTF8';

type Mail = Extract<SmtpCommand, { verb: 'MAIL' }>;

export function mail(session: SmtpConversation, command: Mail): undefined {
  const { door } = session;
  if (session.helloName === undefined)
    return session.error(503, '5.5.1', session.isLmtp ? 'LHLO first' : 'EHLO or HELO first');
  if (session.isSubmission && session.login === undefined)
    return session.reply(530, '5.7.0', 'Authentication required');
  if (session.transaction !== undefined) return session.error(503, '5.5.1', 'MAIL was given already: RSET first');
  const { sender } = command;
  const { sizeBytes, body, ...parameters } = parseMailParameters(command.parameters, {
    now: door.clock.now(),
    isAuthor: session.login !== undefined,
  });
  if (sizeBytes !== undefined && sizeBytes > door.limits.messageSizeBytes)
    return session.reply(552, '5.3.4', `The message is too large, the limit is ${door.limits.messageSizeBytes} bytes`);
  if (command.isEightBit && parameters.isUtf8 !== true) return session.error(553, '5.6.7', EIGHT_BIT);
  if (parameters.requireTls === true && session.record.tls === undefined)
    return session.reply(530, '5.7.0', 'REQUIRETLS is for connections with TLS');
  if (!maySend(session, sender)) return undefined;
  const login = session.login?.now();
  const request: RouteRequest = {
    sender,
    caller: login?.caller ?? ANONYMOUS,
    // Only who has logged in may send to domains that are not ours.
    mayRelay: session.login !== undefined,
    door: session.isLmtp ? 'lmtp' : session.isSubmission ? 'submission' : 'smtp',
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
    peer: session.record.peerAddress,
    ...(login?.submitChannel === undefined ? {} : { channel: login.submitChannel }),
  };
  session.transaction = { request, parameters, recipients: [], custody: new Set(), leaves: false };
  return session.reply(250, '2.1.0', 'Sender ok');
}
