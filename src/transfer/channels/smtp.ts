// The smtp channel: recipients of a message at another host, in one transaction with the best host that answers.
//
// In      a delivery: one message, one destination, a hundred recipients at most
// Out     an outcome for each row; never touches the queue
// Order   hosts by preference, their addresses in the resolver's order; a host that does not answer, or breaks off before
//         the final dot, is followed by the next; once the dot is sent only that host's reply counts
// TLS     where it is offered; a host with which it fails is asked again at once in the clear, unless TLS is required
// Limits  HOSTS_MAX hosts, ADDRESSES_MAX addresses each; each has `whole` of the time-outs, and when that time is over for all
//         of them together, no third one is asked
// RFC 5321 §4.5.4.1 §5.1, RFC 3207 §4.1

import type { AddressesAnswer } from '../../net/resolver.ts';
import { channelNamed } from '../../routing/channels.ts';
import { BLOB_CHUNK_BYTES, type Blobs } from '../../store/blobs.ts';
import { type Outcome, outcome } from '../outcome.ts';
import type { Channel, Delivered, Delivery } from './channel.ts';
import { type ExchangeParts, type Exchanges, findExchanges, type Host } from './exchanges.ts';
import type { OutgoingTls, TlsUse } from './outgoing-tls.ts';
import { HostFailure, SmtpConnection, TlsFailure } from './smtp-connection.ts';
import { type SmtpTimeouts, STANDARD_TIMEOUTS } from './smtp-opening.ts';
import { type OutgoingMail, transact } from './smtp-transaction.ts';

const ADDRESSES_MAX = 4;
/** As many are asked, however long they take. RFC 5321 §5.1 */
const ASKED_MIN = 2;
/** Bytes of a message read at a time. */
const NO_BYTES = Buffer.alloc(0);
const PIECE_BYTES = Math.min(256 * 1024, BLOB_CHUNK_BYTES);

export interface SmtpChannelParts extends ExchangeParts {
  readonly blobs: Pick<Blobs, 'read'>;
  readonly resolver: ExchangeParts['resolver'] & { addresses(host: string): Promise<AddressesAnswer> };
  readonly timeouts?: SmtpTimeouts;
  readonly tls: OutgoingTls;
}

type Tried =
  | { readonly outcomes: Outcome[]; readonly release: () => void }
  /** The next host may be asked, unless it is final. */
  | { readonly outcome: Outcome; readonly isFinal: boolean; readonly isTlsFailure: boolean };

export class SmtpChannel implements Channel {
  /** What is known of it without an instance. */
  static readonly kind = { name: 'smtp', isLocal: false } as const;
  readonly name = SmtpChannel.kind.name;
  readonly isLocal = SmtpChannel.kind.isLocal;
  /** RFC 5321 §4.5.3.1.8: every server takes a hundred. */
  readonly recipientsMax = 100;
  readonly #parts: SmtpChannelParts;
  readonly #timeouts: SmtpTimeouts;

  constructor(parts: SmtpChannelParts) {
    this.#parts = parts;
    this.#timeouts = parts.timeouts ?? STANDARD_TIMEOUTS;
  }

  /**
   * `release` says QUIT, on the connection that has taken the message: so a kill between the other host's 250 and our
   * commit meets an open connection, and repeats no more deliveries than there are of these.
   */
  async deliver(delivery: Delivery, signal: AbortSignal): Promise<Delivered> {
    const all = (shared: Outcome, isUnreachable = false): Delivered => ({
      outcomes: delivery.targets.map(() => shared),
      isUnreachable,
    });
    const { destination } = delivery;
    const { channel } = delivery.targets[0]!;
    const exchanges = await findExchanges(this.#parts, { destination, channel });
    if ('outcome' in exchanges) return all(exchanges.outcome);
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
      const policy = channelNamed(this.#parts.settings(), channel)?.tls;
      const mail = this.#mail(delivery, await this.#parts.tls.use(domainsOf(delivery), { host: host.host, policy }));
      for (const address of found.addresses.slice(0, ADDRESSES_MAX)) {
        if (asked >= ASKED_MIN && performance.now() > until) return all(last!);
        asked++;
        const tried = await this.#tryBoth(host, address, mail, signal);
        if ('outcomes' in tried) return tried;
        if (tried.isFinal) return all(tried.outcome);
        last = tried.outcome;
      }
    }
    return all(last ?? lookUp!, last?.status === '4.4.1');
  }

  #mail({ message, envelope }: Delivery, tls: TlsUse | undefined): OutgoingMail {
    const { blob, traceBytes } = message;
    return {
      protocol: this.name,
      hostname: this.#parts.hostnames[0]!,
      tls,
      prefix: NO_BYTES,
      envelope,
      // Our Return-Path line is for mailboxes. RFC 5321 §4.4
      sizeBytes: blob.length - traceBytes,
      read: (offset) => this.#parts.blobs.read(blob, traceBytes + offset, PIECE_BYTES),
    };
  }

  /** With TLS, and where that fails in the clear: no mail waits for a certificate that nobody has asked for. */
  async #tryBoth(host: Host, address: string, mail: OutgoingMail, signal: AbortSignal): Promise<Tried> {
    const tried = await this.#attempt(host, address, mail, signal);
    if ('outcomes' in tried || !tried.isTlsFailure || mail.tls === undefined || mail.tls.isRequired) return tried;
    return this.#attempt(host, address, { ...mail, tls: undefined }, signal);
  }

  async #attempt({ host, port }: Host, address: string, mail: OutgoingMail, signal: AbortSignal): Promise<Tried> {
    let connection: SmtpConnection | undefined;
    const quitMs = this.#timeouts.quit;
    const cut = (): void => {
      if (connection !== undefined && !connection.isCommitted) connection.close();
    };
    const late = setTimeout(cut, this.#timeouts.whole);
    signal.addEventListener('abort', cut, { once: true });
    try {
      const opened = await SmtpConnection.open(address, port, this.#timeouts.connect, signal);
      connection = opened;
      const said = await transact(opened, mail, remoteName(host), this.#timeouts);
      const over = overText(opened);
      const outcomes = said.map((each) => ({ ...each, over }));
      return { outcomes, release: () => opened.quit(quitMs) };
    } catch (error) {
      connection?.close();
      if (!(error instanceof HostFailure)) throw error;
      const where = `${remoteName(host)} at ${address} port ${port}`;
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
