// The smtp channel, and lmtp's: recipients of a message at another host, in one transaction with the best host that answers.
//
// In      a delivery: one message, one destination, a hundred recipients at most
// Out     an outcome for each row, or for the first of them as many as the host takes at once; never touches the queue
// Order   hosts by preference, of equals first one with a connection that is kept; their addresses, IPv6 and IPv4 by turns; a host
//         that does not answer, or breaks off before the final dot, is followed by the next; once the dot is sent only that host's
//         reply counts. A kept connection that breaks off before the dot is replaced by a new one
// TLS     where it is offered; a host with which it fails is asked again at once in the clear, unless TLS is required, as it is
//         for a login and for a message that says so
// Limits  HOSTS_MAX hosts, ADDRESSES_MAX addresses each; each has `whole` of the time-outs, and when that time is over for all
//         of them together, no third one is asked
// RFC 5321 §4.5.4.1 §5.1, RFC 2033, RFC 3207 §4.1, RFC 8689 §4.2.1, RFC 9422

import type { Log } from '../../base/log.ts';
import type { Reader } from '../../database/operation.ts';
import type { AddressesAnswer } from '../../net/dns-client.ts';
import { channelNamed } from '../../routing/channels.ts';
import type { ChannelRow } from '../../routing/compile-channel.ts';
import { BLOB_CHUNK_BYTES, type Blobs } from '../../store/blobs.ts';
import { type Outcome, outcome } from '../outcome.ts';
import type { Signer } from '../sign/signer.ts';
import { alternate, type Route } from './alternate.ts';
import type { Channel, Delivered, Delivery } from './channel.ts';
import { ConnectionPool, type PoolKey } from './connection-pool.ts';
import { type ExchangeParts, type Exchanges, findExchanges, type Host } from './exchanges.ts';
import { type Credentials, readCredentials } from './outgoing-login.ts';
import type { OutgoingTls, TlsUse } from './outgoing-tls.ts';
import { HostFailure, SmtpConnection, TlsFailure } from './smtp-connection.ts';
import { type SmtpTimeouts, STANDARD_TIMEOUTS } from './smtp-opening.ts';
import { type OutgoingMail, transact } from './smtp-transaction.ts';

const ADDRESSES_MAX = 4;
/** As many are asked, however long they take. RFC 5321 §5.1 */
const ASKED_MIN = 2;
/** Bytes of a message read at a time. */
const PIECE_BYTES = Math.min(256 * 1024, BLOB_CHUNK_BYTES);

export interface SmtpChannelParts extends ExchangeParts {
  /** `smtp` where nothing is said. */
  readonly kind?: 'smtp' | 'lmtp';
  readonly blobs: Pick<Blobs, 'read'>;
  /** For what channels log in with. */
  readonly reader: Reader;
  readonly resolver: ExchangeParts['resolver'] & { addresses(host: string): Promise<AddressesAnswer> };
  readonly timeouts?: SmtpTimeouts;
  readonly tls: OutgoingTls;
  readonly log: Log;
  readonly signer: Pick<Signer, 'signAnew'>;
}

type Tried =
  | { readonly outcomes: readonly Outcome[]; readonly release: NonNullable<Delivered['release']> }
  /** The next host may be asked, unless it is final. */
  | { readonly outcome: Outcome; readonly isFinal: boolean; readonly isTlsFailure: boolean };

/** Where an attempt goes, and what its connection is kept for. */
interface Way {
  readonly key: PoolKey;
  readonly remote: string;
}

export class SmtpChannel implements Channel {
  /** What is known of it without an instance. */
  static readonly kind = { name: 'smtp', isLocal: false } as const;
  readonly name: 'smtp' | 'lmtp';
  readonly isLocal = SmtpChannel.kind.isLocal;
  /** RFC 5321 §4.5.3.1.8: every server takes a hundred. */
  readonly recipientsMax = 100;
  readonly #parts: SmtpChannelParts;
  readonly #timeouts: SmtpTimeouts;
  readonly #pool: ConnectionPool;

  constructor(parts: SmtpChannelParts) {
    this.name = parts.kind ?? 'smtp';
    this.#parts = parts;
    this.#timeouts = parts.timeouts ?? STANDARD_TIMEOUTS;
    this.#pool = new ConnectionPool(this.#timeouts.quit);
  }

  /**
   * `release` gives the connection back that has taken the message: so a kill between the other host's 250 and our commit
   * repeats no more deliveries than there are connections.
   */
  async deliver(delivery: Delivery, signal: AbortSignal): Promise<Delivered> {
    const all = (shared: Outcome, feedback: Delivered['feedback'] = 'none'): Delivered => ({
      outcomes: delivery.targets.map(() => shared),
      feedback,
    });
    const { destination } = delivery;
    const { channel } = delivery.targets[0]!;
    const exchanges = await findExchanges(this.#parts, { destination, channel });
    if ('outcome' in exchanges) return all(exchanges.outcome);
    const row: Partial<ChannelRow> = channelNamed(this.#parts.settings(), channel) ?? {};
    if (row.loginName !== undefined && row.daemon === undefined) return all(NO_DAEMON);
    // Rules and entries name hosts too: those are not told the secret.
    const words = row.daemon === destination ? row : withoutLogin(row);
    const credentials = readCredentials(this.#parts.reader, words);
    if (credentials === null) return all(NO_SECRET);
    let last: Outcome | undefined;
    let lookUp: Outcome | undefined;
    let asked = 0;
    const until = performance.now() + this.#timeouts.whole;
    for (const host of exchanges.hosts) {
      const found: AddressesAnswer =
        host.addresses === undefined
          ? await this.#parts.resolver.addresses(host.host)
          : { result: 'found', addresses: host.addresses };
      if (found.result !== 'found') {
        lookUp =
          found.result === 'unavailable'
            ? noAddressKnown(host, found.reason)
            : (lookUp ?? noAddress(host, exchanges.source));
        continue;
      }
      const routes = alternate(found.addresses, words.interfaceAddresses ?? []).slice(0, ADDRESSES_MAX);
      if (routes.length === 0) lookUp ??= noFamily(host);
      const tls = await this.#tlsFor(delivery, host, words);
      const mail = this.#mail(delivery, tls, credentials);
      for (const way of this.#waysTo(host, routes, mail)) {
        if (asked >= ASKED_MIN && performance.now() > until) return all(last!, feedbackOf(last));
        asked++;
        const tried = await this.#tryBoth(way, mail, signal);
        if ('outcomes' in tried) return { ...tried, feedback: isAnyTaken(tried.outcomes) ? 'good' : 'none' };
        if (tried.isFinal) return all(tried.outcome, feedbackOf(tried.outcome));
        last = tried.outcome;
      }
    }
    return all(last ?? lookUp!, feedbackOf(last));
  }

  stop(): void {
    this.#pool.stop();
  }

  /** The certificate is verified where a login depends on it, or the sender has asked for it. */
  #tlsFor(
    delivery: Delivery,
    { host }: Host,
    { tls: policy, loginName }: Partial<ChannelRow>,
  ): Promise<TlsUse | undefined> {
    const mustVerify = loginName !== undefined || delivery.envelope.requireTls === true;
    return this.#parts.tls.use(domainsOf(delivery), { host, policy, mustVerify });
  }

  #mail(
    { message, envelope, prefix }: Delivery,
    tls: TlsUse | undefined,
    credentials: Credentials | undefined,
  ): OutgoingMail {
    const { blob, traceBytes } = message;
    return {
      protocol: this.name,
      hostname: this.#parts.hostnames[0]!,
      tls,
      credentials,
      envelope,
      prefix: Buffer.from(prefix),
      // Our Return-Path line is for mailboxes. RFC 5321 §4.4
      sizeBytes: blob.length - traceBytes,
      read: (offset) => this.#parts.blobs.read(blob, traceBytes + offset, PIECE_BYTES),
      signAnew: (bytes) => this.#parts.signer.signAnew(bytes),
    };
  }

  /** To each address; first to one that a connection is kept to. */
  #waysTo({ host, port }: Host, routes: readonly Route[], { tls, credentials }: OutgoingMail): Way[] {
    const ways = routes.map(({ address, source }) => ({
      key: {
        protocol: this.name,
        ...{ host, address, port, source },
        tls: tls === undefined ? 'off' : tls.isRequired ? 'required' : 'may',
        login: credentials?.name ?? '',
      },
      remote: remoteName(host),
    }));
    const kept = ways.findIndex(({ key }) => this.#pool.has(key));
    return kept <= 0 ? ways : [ways[kept]!, ...ways.slice(0, kept), ...ways.slice(kept + 1)];
  }

  /** With TLS, and where that fails in the clear: no mail waits for a certificate that nobody has asked for. */
  async #tryBoth(way: Way, mail: OutgoingMail, signal: AbortSignal): Promise<Tried> {
    const kept = this.#pool.take(way.key);
    if (kept !== undefined) {
      const tried = await this.#attempt(way, mail, signal, kept);
      // It may have been dead for long: a new one tells.
      if ('outcomes' in tried || tried.isFinal || signal.aborted) return tried;
    }
    const tried = await this.#attempt(way, mail, signal);
    if ('outcomes' in tried || !tried.isTlsFailure || mail.tls === undefined || mail.tls.isRequired) return tried;
    return this.#attempt(way, { ...mail, tls: undefined }, signal);
  }

  #logOpened({ key: { host, address, port, source, tls } }: Way): void {
    this.#parts.log.debug('transfer.connect', { kind: this.name, host, address, port, source, tls });
  }

  async #attempt(way: Way, mail: OutgoingMail, signal: AbortSignal, kept?: SmtpConnection): Promise<Tried> {
    const { key, remote } = way;
    let connection = kept;
    const cut = (): void => {
      if (connection !== undefined && !connection.isCommitted) connection.close();
    };
    if (kept !== undefined) kept.isCommitted = false;
    const late = setTimeout(cut, this.#timeouts.whole);
    signal.addEventListener('abort', cut, { once: true });
    try {
      const opened = kept ?? (await SmtpConnection.open(key, this.#timeouts.connect, signal));
      if (kept === undefined) this.#logOpened(way);
      connection = opened;
      const said = await transact(opened, mail, remote, this.#timeouts);
      const over = overText(opened);
      return {
        outcomes: said.map((each) => ({ ...each, over })),
        release: (isMoreDue) => this.#pool.give(key, opened, isMoreDue),
      };
    } catch (error) {
      connection?.close();
      if (!(error instanceof HostFailure)) throw error;
      const where = `${remote} at ${key.address} port ${key.port}`;
      const isTlsFailure = error instanceof TlsFailure;
      const problem = isTlsFailure && mail.tls?.problem !== undefined ? ` (${mail.tls.problem})` : '';
      return {
        outcome: outcome('deferred', error.status, `${where}: ${error.message}${problem}`),
        isFinal: connection?.isCommitted ?? false,
        isTlsFailure,
      };
    } finally {
      clearTimeout(late);
      signal.removeEventListener('abort', cut);
    }
  }
}

const NO_DAEMON = outcome('deferred', '4.7.0', 'The channel says who logs in, and no daemon says at which hosts');
const NO_SECRET = outcome('deferred', '4.7.0', 'The channel says who logs in, and not with which secret');

function withoutLogin({ loginName: _, ...words }: Partial<ChannelRow>): Partial<ChannelRow> {
  return words;
}

/** No answer, or none to its end: what else waits for the host need not be tried at once. */
function feedbackOf(last: Outcome | undefined): 'bad' | 'none' {
  return last?.status === '4.4.1' || last?.status === '4.4.2' ? 'bad' : 'none';
}

function isAnyTaken(outcomes: readonly Outcome[]): boolean {
  return outcomes.some(({ result }) => result === 'delivered');
}

/** Hosts that are named may take the mail of several domains in one transaction. */
function domainsOf({ destination, targets }: Delivery): string[] {
  return [...new Set(targets.map(({ recipient }) => recipient.domain)), destination];
}

/** As RFC 3464 §2.3.5 wants it for `dns`: a name, an address in brackets. */
function remoteName(host: string): string {
  return /^[0-9.]+$|:/.test(host) ? `[${host}]` : host;
}

function overText({ tls }: SmtpConnection): string {
  if (tls === undefined) return 'in the clear';
  return `${tls.protocol}, ${tls.isVerified ? 'verified' : 'not verified'}`;
}

function noAddressKnown({ host }: Host, reason: string): Outcome {
  return outcome('deferred', '4.4.3', `The address of ${host} cannot be looked up (${reason})`);
}

function noAddress({ host }: Host, source: Extract<Exchanges, { hosts: unknown }>['source']): Outcome {
  switch (source) {
    case 'implicit':
      return outcome('failed', '5.1.2', `The domain ${host} has neither an MX nor an address`);
    case 'mx':
      return outcome('failed', '5.4.4', `The mail host ${host} has no address`);
    case 'named':
      // Whoever has named it can correct it, and then the mail can be delivered: it waits.
      return outcome('deferred', '4.4.4', `The host ${host} has no address`);
    default:
      return source satisfies never;
  }
}

function noFamily({ host }: Host): Outcome {
  return outcome('deferred', '4.4.4', `The host ${host} has no address that interfaceaddress can reach`);
}
