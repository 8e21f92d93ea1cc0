// BDAT: so many octets of the message, and with LAST its end and its answer. RFC 3030 §2
//
// Refused  whatever is said, the octets are read and thrown away, and the session goes on: nobody doubts where they end. Behind
//          a chunk that is refused the transaction is over. Without a number of octets the connection closes

import type { Failure } from '../../../base/failure.ts';
import type { Submitted } from '../../../transfer/submit.ts';
import { ChunkReader } from '../../../wire/smtp/chunk.ts';
import type { SmtpCommand } from '../../../wire/smtp/commands.ts';
import type { MailTransaction, SmtpConversation } from '../conversation.ts';
import { failureStatus } from '../errors.ts';
import { answerMessage } from './answer.ts';
import { MessageReceiver, paceOf } from './receive.ts';

type Bdat = Extract<SmtpCommand, { verb: 'BDAT' }>;

/** A message of which some chunks have come. */
export interface ChunkedMessage {
  readonly source: ChunkReader;
  readonly receiver: MessageReceiver;
}

export function bdat(session: SmtpConversation, { octets, isLast, isSound }: Bdat): Promise<void> | undefined {
  if (octets === undefined)
    return session.close(501, '5.5.4', 'BDAT must say how many octets follow, and then perhaps LAST');
  if (!isSound) return refuse(session, octets, [501, '5.5.4', 'Syntax: BDAT OCTETS [LAST]']);
  const { transaction } = session;
  if (transaction === undefined || transaction.recipients.length === 0)
    return refuse(session, octets, [503, '5.5.1', 'MAIL and RCPT first']);
  const message = (transaction.message ??= begin(session, transaction));
  message.source.expect(octets, isLast);
  return take(session, message, octets);
}

function begin(session: SmtpConversation, transaction: MailTransaction): ChunkedMessage {
  const source = new ChunkReader();
  const answer = (submitted: Submitted | Failure): void => answerMessage(session, transaction, submitted);
  return { source, receiver: new MessageReceiver(session, transaction, { source, answer }) };
}

async function take(session: SmtpConversation, { receiver }: ChunkedMessage, octets: number): Promise<void> {
  const came = await receiver.receive();
  // Whole, and answered, or the peer is gone.
  if (came !== 'part') return;
  const { refusal } = receiver;
  if (refusal === undefined) return session.reply(250, '2.0.0', `${octets} octets received`);
  session.transaction = undefined;
  session.reply(...failureStatus(refusal), refusal.message);
}

async function refuse(
  session: SmtpConversation,
  octets: number,
  reply: readonly [code: number, enhanced: string, text: string],
): Promise<void> {
  const pace = paceOf(session);
  for (let left = octets; left > 0; ) {
    const chunk = session.framer.chunk(left);
    if (chunk !== undefined) {
      left -= chunk.length;
      pace(chunk.length);
    } else if (!(await session.more())) return;
  }
  session.error(...reply);
}
