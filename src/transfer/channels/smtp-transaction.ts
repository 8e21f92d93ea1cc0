// One mail transaction with another host: greeting, envelope, data, and what it says of each recipient.
//
// In      an open connection, the envelope, the message's bytes piece by piece, how TLS is used
// Out     an outcome for each recipient, in order; HostFailure when the conversation ends before that
// States  greeting -> EHLO (or HELO) -> (STARTTLS -> EHLO) -> MAIL -> RCPT ... -> DATA -> data -> final dot
// Never   sends what the host has said it cannot take: too large, or 8-bit without 8BITMIME; sends in the clear where TLS is
//         required; believes in TLS what was offered before it
// RFC 5321 §3.3 §4.2.3 §4.5.3.2, RFC 1870 §6.1, RFC 2920, RFC 3207 §4 §4.2, RFC 6152 §3

import type { Envelope } from '../../message/envelope.ts';
import {
  type Capabilities,
  type ClientReply,
  DATA_COMMAND,
  ehloCommand,
  heloCommand,
  mailCommand,
  NO_CAPABILITIES,
  parseCapabilities,
  rcptCommand,
  STARTTLS_COMMAND,
} from '../../wire/smtp/client.ts';
import { DataEncoder } from '../../wire/smtp/client-data.ts';
import { type Outcome, outcome } from '../outcome.ts';
import type { TlsUse } from './outgoing-tls.ts';
import { HostFailure, type SmtpConnection, TlsFailure } from './smtp-connection.ts';

/** Milliseconds. */
export interface SmtpTimeouts {
  readonly connect: number;
  readonly greeting: number;
  /** EHLO, MAIL, RCPT: a reply. */
  readonly command: number;
  /** A TLS handshake. */
  readonly handshake: number;
  /** The reply to DATA. */
  readonly data: number;
  /** A piece of the message to be taken. */
  readonly block: number;
  /** The reply to the final dot. */
  readonly final: number;
  readonly quit: number;
  /** From the connection to the final dot, whatever progress is made. */
  readonly whole: number;
}

/** RFC 5321 §4.5.3.2. One address has `whole` plus `final`, however slowly it talks; for all of them see smtp.ts. */
export const STANDARD_TIMEOUTS: SmtpTimeouts = {
  connect: 30_000,
  greeting: 300_000,
  command: 300_000,
  handshake: 60_000,
  data: 120_000,
  block: 180_000,
  final: 600_000,
  quit: 5000,
  whole: 1_800_000,
};

export interface OutgoingMail {
  /** Our name, for EHLO. */
  readonly hostname: string;
  /** Undefined: not used, whatever is offered. */
  readonly tls: TlsUse | undefined;
  readonly envelope: Envelope;
  readonly sizeBytes: number;
  /** Bytes from an offset on, at most a piece; empty behind the end. */
  readonly read: (offset: number) => Promise<Buffer>;
}

/** `remote` names the host in outcomes. */
export async function transact(
  connection: SmtpConnection,
  mail: OutgoingMail,
  remote: string,
  timeouts: SmtpTimeouts,
): Promise<Outcome[]> {
  const offered = await greet(connection, mail, timeouts);
  const unfit = unfitFor(offered, mail, remote);
  if (unfit !== undefined) return mail.envelope.recipients.map(() => unfit);
  const said = await sendEnvelope(connection, mail, offered, timeouts);
  const outcomes = said.map((reply) => recipientOutcome(reply, remote));
  if (!outcomes.some(({ result }) => result === 'delivered')) return outcomes;
  const ready = await connection.command(DATA_COMMAND, timeouts.data);
  const last = ready.code === 354 ? await sendData(connection, mail, remote, timeouts) : notReady(ready, remote);
  return outcomes.map((own) => (own.result === 'delivered' ? last : own));
}

async function greet(connection: SmtpConnection, mail: OutgoingMail, timeouts: SmtpTimeouts): Promise<Capabilities> {
  const greeting = await connection.greeting(timeouts.greeting);
  // A host that takes no mail says 554 here; another host of the domain may. RFC 5321 §3.1
  if (greeting.code !== 220) throw new HostFailure('4.4.1', greeting.said);
  const offered = await hello(connection, mail.hostname, timeouts);
  if (mail.tls === undefined || !(await secure(connection, mail.tls, offered, timeouts))) return offered;
  return hello(connection, mail.hostname, timeouts);
}

async function hello(connection: SmtpConnection, hostname: string, timeouts: SmtpTimeouts): Promise<Capabilities> {
  const extended = await connection.command(ehloCommand(hostname), timeouts.command);
  if (extended.code === 250) return parseCapabilities(extended.lines);
  if (extended.code < 500) throw new HostFailure('4.4.1', extended.said);
  const plain = await connection.command(heloCommand(hostname), timeouts.command);
  if (plain.code !== 250) throw new HostFailure('4.4.1', plain.said);
  return NO_CAPABILITIES;
}

/** STARTTLS where it is offered. False: it goes on in the clear, on the same connection. */
async function secure(
  connection: SmtpConnection,
  tls: TlsUse,
  offered: Capabilities,
  timeouts: SmtpTimeouts,
): Promise<boolean> {
  if (!offered.startTls) {
    if (tls.isRequired) throw new TlsFailure('TLS is required, and this host offers none');
    return false;
  }
  const ready = await connection.command(STARTTLS_COMMAND, timeouts.command);
  if (ready.code !== 220) {
    if (tls.isRequired) throw new TlsFailure(`TLS is required, and this host says: ${ready.said}`);
    if (ready.code < 400) throw new HostFailure('4.5.0', `a reply to STARTTLS that does not fit: ${ready.said}`);
    return false;
  }
  await connection.startTls(tls.options, timeouts.handshake);
  return true;
}

function unfitFor({ sizeBytes, eightBitMime }: Capabilities, mail: OutgoingMail, remote: string): Outcome | undefined {
  if (sizeBytes !== undefined && sizeBytes > 0 && mail.sizeBytes > sizeBytes)
    return outcome('failed', '5.3.4', `${remote} takes at most ${sizeBytes} bytes, this message has ${mail.sizeBytes}`);
  if (mail.envelope.body === '8BITMIME' && !eightBitMime)
    return outcome('failed', '5.6.3', `${remote} takes no 8-bit text, and this message has some`);
  return undefined;
}

/** A reply for each recipient; MAIL's for all when that is refused. */
async function sendEnvelope(
  connection: SmtpConnection,
  mail: OutgoingMail,
  offered: Capabilities,
  timeouts: SmtpTimeouts,
): Promise<ClientReply[]> {
  const mailFrom = mailCommand(mail.envelope, mail.sizeBytes, offered);
  const recipients = mail.envelope.recipients.map(rcptCommand);
  if (offered.pipelining) {
    const [first, ...others] = await connection.commands([mailFrom, ...recipients], timeouts.command);
    return isDone(first!) ? others : recipients.map(() => first!);
  }
  const first = await connection.command(mailFrom, timeouts.command);
  if (!isDone(first)) return recipients.map(() => first);
  const replies: ClientReply[] = [];
  for (const recipient of recipients) replies.push(await connection.command(recipient, timeouts.command));
  return replies;
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

async function sendData(
  connection: SmtpConnection,
  mail: OutgoingMail,
  remote: string,
  timeouts: SmtpTimeouts,
): Promise<Outcome> {
  const encoder = new DataEncoder();
  for (let offset = 0; offset < mail.sizeBytes; ) {
    const piece = await mail.read(offset);
    const encoded = encoder.push(piece);
    if (encoded === undefined) return unclean(connection);
    await connection.write(encoded, timeouts.block);
    offset += piece.length;
  }
  const end = encoder.end();
  if (end === undefined) return unclean(connection);
  return replyOutcome(await connection.finish(end, timeouts.final), remote);
}

/** No dot has been sent, so the host forgets what it has got. */
function unclean(connection: SmtpConnection): Outcome {
  connection.close();
  return outcome('failed', '5.6.0', 'The message has a bare CR, a bare LF or a NUL and cannot be sent by SMTP');
}
