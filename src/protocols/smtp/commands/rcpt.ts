// RCPT TO: resolved before it is answered, from tables that are never older than the last acknowledged change.
// RFC 5321 §4.1.1.3, §3.3

import { Failure } from '../../../base/failure.ts';
import { isAccepted, isTemporary } from '../../../base/reply.ts';
import type { Awaitable } from '../../../database/operation.ts';
import type { Recipient } from '../../../message/envelope.ts';
import { replies } from '../../../routing/replies.ts';
import type { Resolution } from '../../../routing/resolve.ts';
import { mayLeave } from '../../../transfer/sign/signer.ts';
import type { SmtpCommand } from '../../../wire/smtp/commands.ts';
import { parseRcptParameters } from '../../../wire/smtp/parameters.ts';
import type { MailTransaction, SmtpConversation } from '../conversation.ts';
import type { Arrival } from '../door.ts';
import { refuseRecipient } from '../refused-recipient.ts';
import { EIGHT_BIT } from './mail.ts';

type Rcpt = Extract<SmtpCommand, { verb: 'RCPT' }>;

export function rcpt(session: SmtpConversation, command: Rcpt): Promise<void> | undefined {
  const { door, transaction } = session;
  if (transaction === undefined) return session.error(503, '5.5.1', 'MAIL first');
  if (transaction.recipients.length >= door.limits.recipientsMax)
    return session.reply(452, '4.5.3', 'Too many recipients');
  if (transaction.message !== undefined) return session.error(503, '5.5.1', 'BDAT was given already');
  if (command.isEightBit && transaction.parameters.isUtf8 !== true) return session.error(553, '5.6.7', EIGHT_BIT);
  const asked = parseRcptParameters(command.parameters);
  const recipient = { address: command.recipient, original: command.written, ...asked };
  const resolution = verify(session, transaction, recipient);
  if ('then' in resolution) return settle(session, transaction, recipient, resolution);
  return decide(session, transaction, recipient, resolution);
}

/** Of a list's members one that can be reached is enough. */
function verify({ door }: SmtpConversation, { request }: MailTransaction, recipient: Recipient): Awaitable<Resolution> {
  return door.routing.resolve(recipient.address, request, { verify: true });
}

/** What needs more than the tables that are at hand. */
async function settle(
  session: SmtpConversation,
  transaction: MailTransaction,
  recipient: Recipient,
  resolving: Awaitable<Resolution>,
): Promise<void> {
  await decide(session, transaction, recipient, await resolving);
}

function decide(
  session: SmtpConversation,
  transaction: MailTransaction,
  recipient: Recipient,
  resolution: Resolution,
): Promise<void> | undefined {
  const { arrive } = session.door;
  // Who cannot be asked now may know the domain: nothing is said of it for good.
  if (!resolution.isDefaultRoute || arrive === undefined || isTemporary(resolution.reply))
    return answer(session, transaction, recipient, resolution);
  // A domain that is not defined here, and that no rewrite rule is for: perhaps its MX records name us.
  const arrival = arrive(recipient.address, transaction.request, session.record.peerAddress);
  const asked = { recipient, resolution };
  return 'then' in arrival
    ? arrived(session, transaction, asked, arrival)
    : afterArrival(session, transaction, asked, arrival);
}

interface Asked {
  readonly recipient: Recipient;
  /** Of the domain as a foreign one. */
  readonly resolution: Resolution;
}

async function arrived(
  session: SmtpConversation,
  transaction: MailTransaction,
  asked: Asked,
  arriving: PromiseLike<Arrival>,
): Promise<void> {
  await afterArrival(session, transaction, asked, await arriving);
}

function afterArrival(
  session: SmtpConversation,
  transaction: MailTransaction,
  { recipient, resolution }: Asked,
  arrival: Arrival,
): Promise<void> | undefined {
  switch (arrival.result) {
    case 'arrived':
      return again(session, transaction, recipient);
    case 'custody':
      return answer(session, transaction, recipient, keep(session, transaction, resolution, arrival.waitsFor));
    case 'refused':
      return answer(session, transaction, recipient, { relay: true, reply: arrival.reply });
    case 'foreign': {
      // For who may relay, a domain that has not come is one of the world's.
      const { reply } = transaction.request.mayRelay ? resolution : arrival;
      return answer(session, transaction, recipient, { relay: true, reply });
    }
  }
}

/** Decided again, exactly, when the message is accepted. Who may relay sends to the world. */
function keep(
  { door }: SmtpConversation,
  transaction: MailTransaction,
  { reply }: Resolution,
  domain: string,
): Answered {
  const { mayRelay, sizeBytes = 0 } = transaction.request;
  if (mayRelay) return { relay: true, reply };
  if (!door.hasCustodyRoom(domain, sizeBytes)) return { relay: false, reply: replies.custodyFull };
  transaction.custody.add(domain);
  return { relay: false, reply: replies.accepted };
}

/** Its domain is ours now. */
async function again(session: SmtpConversation, transaction: MailTransaction, recipient: Recipient): Promise<void> {
  const { relay, reply } = await verify(session, transaction, recipient);
  if (relay) throw new Failure('unavailable', 'The domain is being defined, try again later');
  answer(session, transaction, recipient, { relay, reply });
}

type Answered = Pick<Resolution, 'relay' | 'reply'> & Partial<Pick<Resolution, 'targets' | 'isOfList'>>;

function answer(
  session: SmtpConversation,
  transaction: MailTransaction,
  recipient: Recipient,
  answered: Answered,
): undefined {
  const { relay, reply, targets = [], isOfList = false } = answered;
  if (!isAccepted(reply)) return refuseRecipient(session, transaction, reply);
  // Before the message is sent in vain; decided again, exactly, when it is accepted. Of a list one member has been looked at.
  if (
    !isOfList &&
    targets[0]?.options['quota'] !== undefined &&
    !session.door.hasRoom(targets, transaction.request.sizeBytes)
  )
    return session.reply(452, '4.2.2', 'The mailbox is full');
  if (relay && !maySendAbroad(session))
    return session.reply(451, '4.7.1', 'Too many recipients in other domains this hour, try again later');
  transaction.recipients.push(recipient);
  transaction.leaves ||= mayLeave(answered);
  return session.reply(reply.code, reply.enhanced, reply.text);
}

/** Only an account has a limit; a login that is over is told at the end of the message. */
function maySendAbroad({ door, login }: SmtpConversation): boolean {
  const now = login?.now();
  return now === undefined || door.maySendAbroad(now);
}
