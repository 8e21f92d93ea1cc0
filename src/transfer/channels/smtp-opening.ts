// How a conversation with another host begins: its greeting, our name, TLS where it is wanted; what the host offers then.
//
// In      an open connection, our name, how TLS is used
// Out     what is offered, on the connection; HostFailure, TlsFailure
// States  greeting -> EHLO (or HELO) -> (STARTTLS -> EHLO) -> (AUTH); with LMTP: greeting -> LHLO -> (STARTTLS -> LHLO)
// Never   goes on in the clear where TLS is required; believes in TLS what was offered before it
// RFC 5321 §3.1 §4.1.1.1 §4.5.3.2, RFC 2033 §4.1, RFC 3207 §4 §4.2

import {
  type Capabilities,
  ehloCommand,
  heloCommand,
  lhloCommand,
  NO_CAPABILITIES,
  parseCapabilities,
  STARTTLS_COMMAND,
} from '../../wire/smtp/client.ts';
import { type Credentials, logIn } from './outgoing-login.ts';
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

export interface Opening {
  /** LMTP: a reply for each recipient behind the dot. RFC 2033 §4 */
  readonly protocol: 'smtp' | 'lmtp';
  /** Our name, for EHLO. */
  readonly hostname: string;
  /** Undefined: not used, whatever is offered. */
  readonly tls: TlsUse | undefined;
  /** Who logs in, before the first transaction; as a rule nobody. */
  readonly credentials?: Credentials | undefined;
}

/** Once a connection, before its first transaction. */
export async function greet(
  connection: SmtpConnection,
  opening: Opening,
  timeouts: SmtpTimeouts,
): Promise<Capabilities> {
  const greeting = await connection.greeting(timeouts.greeting);
  // A host that takes no mail says 554 here; another host of the domain may. RFC 5321 §3.1
  if (greeting.code !== 220) throw new HostFailure('4.4.1', greeting.said);
  const first = await hello(connection, opening, timeouts);
  const isSecured = opening.tls !== undefined && (await secure(connection, opening.tls, first, timeouts));
  const offered = isSecured ? await hello(connection, opening, timeouts) : first;
  const { credentials } = opening;
  if (credentials !== undefined) await logIn(connection, { credentials, offered }, timeouts.command);
  return offered;
}

async function hello(
  connection: SmtpConnection,
  { protocol, hostname }: Opening,
  timeouts: SmtpTimeouts,
): Promise<Capabilities> {
  const greeting = protocol === 'lmtp' ? lhloCommand(hostname) : ehloCommand(hostname);
  const extended = await connection.command(greeting, timeouts.command);
  if (extended.code === 250) return parseCapabilities(extended.lines);
  // There is no older LMTP. RFC 2033 §4.1
  if (extended.code < 500 || protocol === 'lmtp') throw new HostFailure('4.4.1', extended.said);
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
