// DATA: the message up to the dot, and one answer for all of it, 250 after its commit. RFC 5321 §4.1.1.4
//
// Refused  a bare CR, a bare LF or a NUL in the data: 550 5.5.2, and the connection closes, because servers disagree where
//          such a message ends (SMTP smuggling)

import type { Failure } from '../../../base/failure.ts';
import type { Submitted } from '../../../transfer/submit.ts';
import { DataReader } from '../../../wire/smtp/data.ts';
import type { SmtpConversation } from '../conversation.ts';
import { answerMessage, answerMessageWith } from './answer.ts';
import { MessageReceiver } from './receive.ts';

export function data(session: SmtpConversation): Promise<unknown> | undefined {
  const { transaction } = session;
  if (transaction === undefined) return session.error(503, '5.5.1', 'MAIL and RCPT first');
  if (transaction.message !== undefined)
    return session.error(503, '5.5.1', 'BDAT was given already: go on with it, or RSET');
  if (transaction.recipients.length === 0)
    return session.error(session.isLmtp ? 503 : 554, '5.5.1', 'No valid recipients');
  session.reply(354, undefined, 'Send the message, end with a dot on a line of its own');
  const source = new DataReader();
  const answer = (submitted: Submitted | Failure): void => {
    if (source.bad === undefined) {
      answerMessage(session, transaction, submitted);
      return;
    }
    // All but the last, which closes.
    if (session.isLmtp) answerMessageWith(session, transaction.recipients.length - 1, BAD);
    session.close(...BAD);
  };
  return new MessageReceiver(session, transaction, { source, answer }).receive();
}

const BAD = [550, '5.5.2', 'Bare CR, bare LF and NUL are not allowed in a message'] as const;
