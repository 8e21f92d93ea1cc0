// The hosts that a domain's MX records name, as a sender meets them: an address, a greeting, TLS, and whether the address says the name.
//
// In      the hosts' names, and the port at which a host of ours listens
// Out     a row an address. `missing`: no address, no connection, no STARTTLS or no PTR; `different`: a greeting that takes no mail, a PTR
//         whose name does not lead back; `unknown`: nothing came in time
// Limits  HOSTS_MAX hosts, five seconds a step
// RFC 5321 §3.1 §4.1.1.1, RFC 3207 §4, RFC 1912 §2.1

import { type CheckState, worstOf } from '../../publishing/compare.ts';
import type { Questions } from '../../publishing/questions.ts';
import { HostFailure, SmtpConnection } from '../../transfer/channels/smtp-connection.ts';
import { ehloCommand, parseCapabilities, STARTTLS_COMMAND } from '../../wire/smtp/client.ts';

export interface HostFinding {
  readonly host: string;
  /** Null: it has none. */
  readonly address: string | null;
  /** Its greeting, or why there is none. */
  readonly smtp: string | null;
  /** A handshake came about, whoever signed the certificate. */
  readonly starttls: boolean | null;
  /** The name of the address. */
  readonly ptr: string | null;
  readonly state: CheckState;
}

export interface MxHost {
  readonly name: string;
  readonly port: number;
}

const HOSTS_MAX = 20;
const QUIT_MS = 1000;

export async function checkHosts(
  hosts: readonly MxHost[],
  questions: Questions,
  hostname: string,
): Promise<readonly HostFinding[]> {
  const found = await Promise.all(hosts.slice(0, HOSTS_MAX).map((host) => checkHost(host, questions, hostname)));
  return found.flat();
}

async function checkHost(host: MxHost, questions: Questions, hostname: string): Promise<readonly HostFinding[]> {
  const addresses = await questions.addresses(host.name);
  if (addresses === undefined || addresses.length === 0) {
    const state = addresses === undefined ? 'unknown' : 'missing';
    return [{ host: host.name, address: null, smtp: null, starttls: null, ptr: null, state }];
  }
  return Promise.all(
    addresses.map(async (address): Promise<HostFinding> => {
      const [talk, name] = await Promise.all([
        greeted({ ...host, address }, questions, hostname),
        nameOf(address, questions),
      ]);
      return {
        host: host.name,
        address,
        smtp: talk.smtp,
        starttls: talk.starttls,
        ptr: name.ptr,
        state: worstOf([talk.state, name.state]),
      };
    }),
  );
}

interface Talk {
  smtp: string | null;
  starttls: boolean | null;
  state: CheckState;
}

async function greeted(
  peer: MxHost & { readonly address: string },
  questions: Questions,
  hostname: string,
): Promise<Talk> {
  const talk: Talk = { smtp: null, starttls: null, state: 'unknown' };
  if (questions.leftMs() === 0) return talk;
  let connection: SmtpConnection | undefined;
  try {
    connection = await SmtpConnection.open(peer, questions.leftMs(), new AbortController().signal);
    const greeting = await connection.greeting(Math.max(1, questions.leftMs()));
    talk.smtp = greeting.said;
    talk.state = 'different';
    if (greeting.code !== 220) return talk;
    const hello = await connection.command(ehloCommand(hostname), Math.max(1, questions.leftMs()));
    if (hello.code !== 250) return talk;
    talk.starttls = false;
    talk.state = 'missing';
    if (!parseCapabilities(hello.lines).startTls) return talk;
    const ready = await connection.command(STARTTLS_COMMAND, Math.max(1, questions.leftMs()));
    if (ready.code !== 220) return talk;
    // Who signed the certificate is not asked: senders that do not verify are the rule. RFC 7435
    await connection.startTls({ rejectUnauthorized: false, servername: peer.name }, Math.max(1, questions.leftMs()));
    talk.starttls = true;
    talk.state = 'ok';
  } catch (error) {
    if (!(error instanceof HostFailure)) throw error;
    talk.smtp ??= error.message;
    // Refused is an answer; silence may be a firewall of ours.
    if (error.message.includes('ECONNREFUSED')) talk.state = 'missing';
  } finally {
    connection?.quit(QUIT_MS);
  }
  return talk;
}

/** The name must lead back to the address: many hosts refuse mail from others. */
async function nameOf(address: string, questions: Questions): Promise<{ ptr: string | null; state: CheckState }> {
  const names = await questions.namesOf(address);
  if (names === undefined) return { ptr: null, state: 'unknown' };
  const [ptr] = names;
  if (ptr === undefined) return { ptr: null, state: 'missing' };
  const back = await questions.addresses(ptr);
  if (back === undefined) return { ptr, state: 'unknown' };
  return { ptr, state: back.includes(address) ? 'ok' : 'different' };
}
