// The smtp channel: recipients of a message at another host, in one transaction with the best host that answers.
//
// In      a delivery: one message, one destination, RECIPIENTS_MAX recipients at most
// Out     an outcome for each row; never touches the queue
// Order   hosts by preference, their addresses in the resolver's order; a host that does not answer, or breaks off before
//         the final dot, is followed by the next; once the dot is sent only that host's reply counts
// Limits  HOSTS_MAX hosts, ADDRESSES_MAX addresses each, `whole` of the time-outs
// RFC 5321 §4.5.4.1 §5.1

import { Failure } from '../../base/failure.ts';
import type { Reader } from '../../database/operation.ts';
import type { AddressesAnswer } from '../../net/resolver.ts';
import { BLOB_CHUNK_BYTES, type Blobs } from '../../store/blobs.ts';
import { getMessage, type MessageRow } from '../../store/messages.ts';
import { type Outcome, outcome } from '../outcome.ts';
import type { QueueRow } from '../queue.ts';
import { type ExchangeParts, type Exchanges, findExchanges, type Host } from './exchanges.ts';
import { HostFailure, SmtpConnection } from './smtp-connection.ts';
import { type OutgoingMail, type SmtpTimeouts, STANDARD_TIMEOUTS, transact } from './smtp-transaction.ts';

/** RFC 5321 §4.5.3.1.8: every server takes a hundred. */
export const RECIPIENTS_MAX = 100;
const ADDRESSES_MAX = 4;
/** Bytes of a message read at a time. */
const PIECE_BYTES = Math.min(256 * 1024, BLOB_CHUNK_BYTES);

export interface SmtpChannelParts extends ExchangeParts {
  readonly reader: Reader;
  readonly blobs: Pick<Blobs, 'read'>;
  readonly resolver: ExchangeParts['resolver'] & { addresses(host: string): Promise<AddressesAnswer> };
  readonly timeouts?: SmtpTimeouts;
}

export interface RemoteResult {
  /** One for each row, in order. */
  readonly outcomes: readonly Outcome[];
  /** No host of the destination could be talked to: others need not try it now. */
  readonly isUnreachable: boolean;
  /**
   * Says QUIT; undefined when no connection is open. To be called when the outcomes are committed: so a kill between the
   * other host's 250 and our commit meets an open connection, and repeats no more deliveries than there are of these.
   */
  readonly leave: (() => void) | undefined;
}

export class SmtpChannel {
  readonly #parts: SmtpChannelParts;
  readonly #timeouts: SmtpTimeouts;

  constructor(parts: SmtpChannelParts) {
    this.#parts = parts;
    this.#timeouts = parts.timeouts ?? STANDARD_TIMEOUTS;
  }

  /**
   * `rows`: of one message, one sender and one destination. Aborting ends what has not sent its final dot; such an
   * outcome is `deferred`, and whoever aborted knows what it is worth.
   */
  async deliver(rows: readonly QueueRow[], signal: AbortSignal): Promise<RemoteResult> {
    const all = (came: Outcome, isUnreachable = false): RemoteResult => ({
      outcomes: rows.map(() => came),
      isUnreachable,
      leave: undefined,
    });
    const first = rows[0]!;
    const message = this.#message(first.message);
    if (message === undefined) return all(outcome('failed', '5.3.0', 'The message is not in the store any more'));
    const exchanges = await findExchanges(this.#parts, first.destination);
    if ('outcome' in exchanges) return all(exchanges.outcome);
    const mail = this.#mail(rows, message);
    let last: Outcome | undefined;
    let lookUp: Outcome | undefined;
    for (const host of exchanges.hosts) {
      const found = await this.#parts.resolver.addresses(host.host);
      if (found.result !== 'found') {
        lookUp =
          found.result === 'unavailable'
            ? noAddressKnown(host, found.reason)
            : (lookUp ?? noAddress(host, exchanges.source));
        continue;
      }
      for (const address of found.addresses.slice(0, ADDRESSES_MAX)) {
        const came = await this.#attempt(host, address, mail, signal);
        if ('outcomes' in came) return { ...came, isUnreachable: false };
        if (came.isFinal) return all(came.outcome);
        last = came.outcome;
      }
    }
    return all(last ?? lookUp!, last?.status === '4.4.1');
  }

  #message(id: number): MessageRow | undefined {
    try {
      return getMessage(this.#parts.reader, id);
    } catch (error) {
      if (error instanceof Failure && error.kind === 'not-found') return undefined;
      throw error;
    }
  }

  #mail(rows: readonly QueueRow[], { blob, traceBytes }: MessageRow): OutgoingMail {
    const { sender, options } = rows[0]!;
    return {
      hostname: this.#parts.hostnames[0]!,
      sender,
      recipients: rows.map(({ recipient }) => recipient),
      // Our Return-Path line is for mailboxes. RFC 5321 §4.4
      sizeBytes: blob.length - traceBytes,
      body: options.body,
      read: (offset) => this.#parts.blobs.read(blob, traceBytes + offset, PIECE_BYTES),
    };
  }

  async #attempt(
    { host, port }: Host,
    address: string,
    mail: OutgoingMail,
    signal: AbortSignal,
  ): Promise<
    | { readonly outcomes: Outcome[]; readonly leave: () => void }
    | { readonly outcome: Outcome; readonly isFinal: boolean }
  > {
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
      const outcomes = await transact(opened, mail, remoteName(host), this.#timeouts);
      return { outcomes, leave: () => opened.quit(quitMs) };
    } catch (error) {
      connection?.close();
      if (!(error instanceof HostFailure)) throw error;
      const where = `${remoteName(host)} at ${address} port ${port}`;
      return {
        outcome: outcome('deferred', error.status, `${where}: ${error.message}`),
        isFinal: connection?.isCommitted ?? false,
      };
    } finally {
      clearTimeout(late);
      signal.removeEventListener('abort', cut);
    }
  }
}

/** As RFC 3464 §2.3.5 wants it for `dns`: a name, an address in brackets. */
function remoteName(host: string): string {
  return /^[0-9.]+$|:/.test(host) ? `[${host}]` : host;
}

function noAddressKnown({ host }: Host, reason: string): Outcome {
  return outcome('deferred', '4.4.3', `The address of ${host} cannot be looked up (${reason})`);
}

function noAddress({ host }: Host, source: Extract<Exchanges, { hosts: unknown }>['source']): Outcome {
  switch (source) {
    case 'implicit':
      return outcome('failed', '5.1.2', `The domain ${host} has neither an MX nor an address`);
    case 'mx':
    case 'literal':
      return outcome('failed', '5.4.4', `The mail host ${host} has no address`);
    case 'configured':
      // A slip in waypost.toml is to be mended, not paid for with mail.
      return outcome('deferred', '4.4.4', `The next hop ${host} of the configuration has no address`);
    default:
      return source satisfies never;
  }
}
