// One mail transaction with another host: envelope, data, and what it says of each recipient.
//
// In      an open connection, new or kept from before; the envelope, the message's bytes piece by piece
// Out     an outcome for each recipient, in order; HostFailure when the conversation ends before that
// States  (greeting, see smtp-opening.ts) -> (RSET) -> MAIL -> RCPT ... -> DATA -> data -> final dot -> a reply, with LMTP one for
//         each recipient that was taken. All up to DATA in one write where PIPELINING is offered
// Never   sends what the host has said it cannot take: too large, or what it does not offer (outgoing-parameters.ts), from 8-bit
//         text and letters beyond ASCII in the header, which are converted (converted.ts), to parameters
// RFC 5321 §3.3 §4.2.3, RFC 1870 §6.1, RFC 2033 §4.2, RFC 2920 §3.1, RFC 6152 §3, RFC 9422 §4.2

import { systemClock } from '../../base/clock.ts';
import { isBeyondAscii } from '../../message/address.ts';
import type { Envelope } from '../../message/envelope.ts';
import {
  type Capabilities,
  type ClientReply,
  DATA_COMMAND,
  DOT,
  mailCommand,
  RSET_COMMAND,
  rcptCommand,
} from '../../wire/smtp/client.ts';
import { DataEncoder } from '../../wire/smtp/client-data.ts';
import { type Outcome, outcome } from '../outcome.ts';
import { converted } from './converted.ts';
import { type Fit, fitOf } from './outgoing-parameters.ts';
import { HostFailure, type SmtpConnection } from './smtp-connection.ts';
import { greet, type Opening, type SmtpTimeouts } from './smtp-opening.ts';

export interface OutgoingMail extends Opening {
  readonly envelope: Envelope;
  /** Fields that are sent before the message, whole lines. */
  readonly prefix: Buffer;
  /** Of the message, without `prefix`. */
  readonly sizeBytes: number;
  /** Bytes from an offset on, at most a piece; empty behind the end. */
  readonly read: (offset: number) => Promise<Buffer>;
  /** What it has become by a conversion, with signatures of ours where it had some. */
  readonly signAnew?: (bytes: Buffer) => Promise<Buffer>;
}

/** `remote` names the host in outcomes. Outcomes of the first recipients alone, where the host takes no more at once. */
export async function transact(
  connection: SmtpConnection,
  given: OutgoingMail,
  remote: string,
  timeouts: SmtpTimeouts,
): Promise<Outcome[]> {
  connection.offered ??= await greet(connection, given, timeouts);
  const { offered, tls } = connection;
  const mail = within(given, offered);
  const all = (shared: Outcome): Outcome[] => mail.envelope.recipients.map(() => shared);
  const tooLarge = tooLargeFor(offered, mail, remote);
  if (tooLarge !== undefined) return all(tooLarge);
  const fit = fitOf(mail.envelope, { offered, tls, now: systemClock.now(), remote });
  if ('refused' in fit) return all(fit.refused);
  const fitting = { ...mail, envelope: { sender: mail.envelope.sender, recipients: fit.recipients, ...fit.send } };
  if (fit.needs === undefined) return forAll(fit, mail, await exchange(connection, fitting, remote, timeouts));
  const changed = await converted(fit.needs, mail, remote);
  if ('refused' in changed) return all(changed.refused);
  try {
    const { sizeBytes, read } = changed;
    // It has grown.
    const tooLargeNow = tooLargeFor(offered, { ...mail, sizeBytes }, remote);
    if (tooLargeNow !== undefined) return all(tooLargeNow);
    return forAll(fit, mail, await exchange(connection, { ...fitting, sizeBytes, read }, remote, timeouts));
  } finally {
    changed.release();
  }
}

/** The outcomes of those that were named, and of those that could not be; and whose the reports are that were asked for. */
function forAll({ others, relayed, traced }: Sendable, mail: OutgoingMail, said: readonly Outcome[]): Outcome[] {
  let next = 0;
  return mail.envelope.recipients.map(({ address, notify }) => {
    const own = others !== undefined && isBeyondAscii(address) ? others : said[next++]!;
    if (own.result !== 'delivered') return own;
    const isRelayed = mail.protocol !== 'lmtp';
    if (traced && isRelayed && notify?.length !== 0) return { ...own, isTraced: true };
    if (notify === undefined) return own;
    // The host has taken them over; or it has none, and by LMTP has delivered.
    if (!relayed) return { ...own, isUntold: true };
    return isRelayed ? own : { ...own, action: 'delivered' };
  });
}

type Sendable = Exclude<Fit, { refused: Outcome }>;

/** RFC 9422 §4.2 */
function within(mail: OutgoingMail, { limits: { rcptMax } }: Capabilities): OutgoingMail {
  const { recipients } = mail.envelope;
  if (rcptMax === undefined || recipients.length <= rcptMax) return mail;
  return { ...mail, envelope: { ...mail.envelope, recipients: recipients.slice(0, rcptMax) } };
}

async function exchange(
  connection: SmtpConnection,
  mail: OutgoingMail,
  remote: string,
  timeouts: SmtpTimeouts,
): Promise<Outcome[]> {
  const { said, ready } = await sendEnvelope(connection, mail, connection.offered!, timeouts);
  const outcomes = said.map((reply) => recipientOutcome(reply, remote));
  const taken = outcomes.filter(({ result }) => result === 'delivered').length;
  if (taken === 0) {
    // Nobody is to get it, and yet data are awaited: their end alone. RFC 2920 §3.1
    if (ready?.code === 354) {
      await connection.command(DOT, timeouts.final);
      connection.isInTransaction = false;
    }
    return outcomes;
  }
  if (ready === undefined) throw new HostFailure('4.5.0', 'no reply to DATA');
  if (ready.code !== 354) {
    const refused = notReady(ready, remote);
    return outcomes.map((own) => (own.result === 'delivered' ? refused : own));
  }
  const last = await sendData(connection, mail, { remote, taken, timeouts });
  let next = 0;
  return outcomes.map((own) => (own.result === 'delivered' ? (last[next++] ?? last[0]!) : own));
}

function tooLargeFor({ sizeBytes }: Capabilities, mail: OutgoingMail, remote: string): Outcome | undefined {
  if (sizeBytes === undefined || sizeBytes === 0 || mail.sizeBytes <= sizeBytes) return undefined;
  return outcome('failed', '5.3.4', `${remote} takes at most ${sizeBytes} bytes, this message has ${mail.sizeBytes}`);
}

/** Replies for each recipient, MAIL's for all when that is refused; the one to DATA, undefined where it was not sent. */
interface EnvelopeReplies {
  readonly said: readonly ClientReply[];
  readonly ready?: ClientReply;
}

async function sendEnvelope(
  connection: SmtpConnection,
  mail: OutgoingMail,
  offered: Capabilities,
  timeouts: SmtpTimeouts,
): Promise<EnvelopeReplies> {
  const { envelope, prefix, sizeBytes } = mail;
  const mailFrom = mailCommand(envelope, prefix.length + sizeBytes, { offered, now: systemClock.now() });
  const recipients = envelope.recipients.map((recipient) => rcptCommand(recipient, offered, envelope.isUtf8));
  // What is left of a transaction that came to no dot.
  const reset = connection.isInTransaction ? [RSET_COMMAND] : [];
  connection.isInTransaction = true;
  connection.isCommitted = false;
  connection.transactions++;
  if (offered.pipelining) {
    const commands = [...reset, mailFrom, ...recipients, DATA_COMMAND];
    const replies = await connection.commands(commands, timeouts.command);
    const [first, ...others] = replies.slice(reset.length);
    const ready = others.pop()!;
    return { said: isDone(first!) ? others : recipients.map(() => first!), ready };
  }
  if (reset.length > 0) await connection.command(RSET_COMMAND, timeouts.command);
  const first = await connection.command(mailFrom, timeouts.command);
  if (!isDone(first)) return { said: recipients.map(() => first) };
  const said: ClientReply[] = [];
  for (const recipient of recipients) said.push(await connection.command(recipient, timeouts.command));
  if (!said.some(isDone)) return { said };
  return { said, ready: await connection.command(DATA_COMMAND, timeouts.data) };
}

function isDone(reply: ClientReply): boolean {
  return reply.code >= 200 && reply.code < 300;
}

function recipientOutcome(reply: ClientReply, remote: string): Outcome {
  // "Too many recipients" in the words of older programs. RFC 5321 §4.5.3.1.10
  if (reply.code === 552 && (reply.enhanced === undefined || reply.enhanced === '5.5.3'))
    return outcome('deferred', '4.5.3', reply.said, remote);
  return replyOutcome(reply, remote);
}

/** What a reply means, where 2xx is success. */
function replyOutcome(reply: ClientReply, remote: string): Outcome {
  const digit = Math.floor(reply.code / 100);
  const status = reply.enhanced ?? `${digit}.0.0`;
  if (digit === 2) return outcome('delivered', status, reply.said, remote);
  if (digit === 4) return outcome('deferred', status, reply.said, remote);
  if (digit === 5) return outcome('failed', status, reply.said, remote);
  throw new HostFailure('4.5.0', `a reply that does not fit: ${reply.said}`);
}

/** DATA was not answered by 354. */
function notReady(reply: ClientReply, remote: string): Outcome {
  if (isDone(reply)) throw new HostFailure('4.5.0', `a reply to DATA that does not fit: ${reply.said}`);
  return replyOutcome(reply, remote);
}

interface Sending {
  readonly remote: string;
  /** Recipients that the host has taken. */
  readonly taken: number;
  readonly timeouts: SmtpTimeouts;
}

/** One outcome for all that were taken; with LMTP one for each. */
async function sendData(connection: SmtpConnection, mail: OutgoingMail, sending: Sending): Promise<Outcome[]> {
  const { timeouts } = sending;
  const encoder = new DataEncoder();
  let waiting = encoder.push(mail.prefix);
  for (let offset = 0; offset < mail.sizeBytes; ) {
    const piece = await mail.read(offset);
    const encoded = encoder.push(piece);
    if (waiting === undefined || encoded === undefined) return unclean(connection);
    offset += piece.length;
    waiting = waiting.length === 0 ? encoded : [...waiting, ...encoded];
    // The last piece goes with the dot, in one write.
    if (offset >= mail.sizeBytes) break;
    await connection.write(waiting, timeouts.block);
    waiting = [];
  }
  const end = encoder.end();
  if (waiting === undefined || end === undefined) return unclean(connection);
  connection.finish([...waiting, end], mail.protocol === 'lmtp' ? sending.taken : 1);
  return mail.protocol === 'lmtp'
    ? eachReply(connection, sending)
    : [replyOutcome(await connection.reply(timeouts.final), sending.remote)];
}

/** Recipients whose reply has come have that, whatever ends the conversation behind it. RFC 2033 §4.2 */
async function eachReply(connection: SmtpConnection, { remote, taken, timeouts }: Sending): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  try {
    while (outcomes.length < taken) outcomes.push(replyOutcome(await connection.reply(timeouts.final), remote));
  } catch (error) {
    if (!(error instanceof HostFailure) || outcomes.length === 0) throw error;
    connection.close();
    const unknown = outcome('deferred', error.status, error.message, remote);
    while (outcomes.length < taken) outcomes.push(unknown);
  }
  return outcomes;
}

/** No dot has been sent, so the host forgets what it has got. */
function unclean(connection: SmtpConnection): Outcome[] {
  connection.close();
  return [outcome('failed', '5.6.0', 'The message has a bare CR, a bare LF or a NUL and cannot be sent by SMTP')];
}
