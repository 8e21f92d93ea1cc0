// What is said when a message is whole: by SMTP one reply for all, by LMTP one for each recipient that got 250, in order.
// RFC 5321 §4.2.5, RFC 2033 §4.2

import { Failure } from '../../../base/failure.ts';
import { isAccepted } from '../../../base/reply.ts';
import { formatPath } from '../../../message/envelope.ts';
import { visible } from '../../../message/trace.ts';
import { refusalOf, type Submitted } from '../../../transfer/submit.ts';
import type { MailTransaction, SmtpConversation } from '../conversation.ts';
import { failureStatus } from '../errors.ts';

type Said = readonly [code: number, enhanced: string, text: string];

export function answerMessage(
  session: SmtpConversation,
  { recipients }: MailTransaction,
  submitted: Submitted | Failure,
): void {
  if (submitted instanceof Failure) {
    const count = session.isLmtp ? recipients.length : 1;
    answerMessageWith(session, count, [...failureStatus(submitted), submitted.message]);
  } else if (session.isLmtp) answerEach(session, submitted);
  else answerAll(session, submitted);
}

function answerEach(session: SmtpConversation, { id, results }: Submitted): void {
  for (const { recipient, reply } of results)
    if (isAccepted(reply)) session.reply(250, '2.1.5', `${visible(formatPath(recipient.address))} ${id}`);
    else session.reply(reply.code, reply.enhanced, reply.text);
}

/** The same for so many recipients. */
export function answerMessageWith(session: SmtpConversation, count: number, said: Said): void {
  for (let at = 0; at < count; at++) session.reply(...said);
}

function answerAll(session: SmtpConversation, submitted: Submitted): void {
  const refusal = refusalOf(submitted.results);
  if (refusal === undefined) session.reply(250, '2.0.0', `queued as ${submitted.id}`);
  else session.reply(refusal.code, refusal.enhanced, refusal.text);
}
