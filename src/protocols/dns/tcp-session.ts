// One DNS connection over TCP: queries with their length before them, answered in order, as many as the client sends.
//
// In      a connected socket, unread
// States  reading -> (waiting for the client to read) -> ... -> closed
// Limits  limits.ts: a query, bad queries; idle time runs from one complete query to the next, so a client that sends an
//         octet now and then, or does not read, does not stay; net/connection.ts
// RFC 1035 §4.2.2, RFC 5936 §2.2, RFC 7766 §6 §8

import type { Duplex } from 'node:stream';
import { asFailure } from '../../base/failure.ts';
import type { Log } from '../../base/log.ts';
import { Connection, type ConnectionRecord } from '../../net/connection.ts';
import { RCODE } from '../../wire/dns/codes.ts';
import { type DnsFrame, DnsFramer } from '../../wire/dns/framer.ts';
import type { Answer, QueryOrigin, Series } from './answer.ts';
import {
  QUERY_BYTES,
  TCP_BAD_QUERIES_MAX,
  TCP_BYTES,
  TCP_IDLE_MS,
  TCP_TRANSFER_IDLE_MS,
  TRANSFER_TURN_MS,
} from './limits.ts';

/** What a DNS connection needs of the server. */
export interface DnsDoor {
  readonly answer: Answer;
  readonly log: Log;
  /** Tests shorten it. */
  readonly idleMs?: number;
  readonly transferIdleMs?: number;
}

const LENGTH_BYTES = 2;

class DnsTcpSession {
  readonly connection: Connection<DnsFramer>;
  readonly #door: DnsDoor;
  readonly #origin: QueryOrigin;
  #badQueries = 0;
  /** Of a series more is to come. */
  #isMaking = false;

  constructor(door: DnsDoor, socket: Duplex, record: ConnectionRecord) {
    this.#door = door;
    this.#origin = { transport: 'tcp', sizeBytes: TCP_BYTES, peerAddress: record.peerAddress };
    this.connection = new Connection(socket, record, () => new DnsFramer());
    this.#touch();
  }

  /** From the first query to the end of the connection. Never rejects. */
  async converse(): Promise<void> {
    const { connection } = this;
    try {
      do {
        for (let query = this.#next(); query !== undefined; query = this.#next()) {
          const goesOn = this.#answer(query);
          if (!(goesOn === true || (await goesOn))) return connection.end();
          const turn = connection.breathe();
          if (turn !== undefined) await turn;
        }
      } while (await connection.more());
    } catch (error) {
      this.#door.log.error('dns.failed', { peer: connection.record.peerAddress, detail: asFailure(error).detail });
      connection.destroy();
    }
    connection.end();
  }

  #next(): DnsFrame | undefined {
    return this.connection.gone ? undefined : this.connection.framer.next(QUERY_BYTES);
  }

  /** False for the last one: a client that sends a response, or less than a header, does not speak this protocol. */
  #answer({ octets, isWhole }: DnsFrame): boolean | Promise<boolean> {
    const response = this.#door.answer(octets, this.#origin);
    if (response === undefined) return false;
    if (!(response instanceof Uint8Array)) return this.#sendSeries(response);
    this.#send(response);
    return isWhole && this.#tolerates(response);
  }

  /** A message is made when the client has taken those before it; what is made at a time is short, as many as make a turn. */
  async #sendSeries(messages: Series): Promise<boolean> {
    this.#isMaking = true;
    this.#watchProgress(0);
    for (const message of messages) {
      if (this.connection.gone) break;
      if (message !== undefined) {
        this.#send(message);
        this.#watchProgress(this.connection.output.waitingBytes);
      }
      const turn = this.connection.breathe(TRANSFER_TURN_MS);
      if (turn !== undefined) await turn;
    }
    this.#isMaking = false;
    return true;
  }

  #tolerates(response: Uint8Array): boolean {
    if ((response[3]! & 0x0f) !== RCODE.FORMERR) return true;
    return ++this.#badQueries < TCP_BAD_QUERIES_MAX;
  }

  #send(response: Uint8Array): void {
    this.#touch();
    const octets = Buffer.allocUnsafe(LENGTH_BYTES + response.length);
    octets.writeUInt16BE(response.length);
    octets.set(response, LENGTH_BYTES);
    this.connection.output.writeBytes(octets);
  }

  /** Of a series: a client that takes nothing for so long is cut off, one that reads slowly or waits for us is not. */
  #watchProgress(waitingBytes: number): void {
    this.connection.deadline(this.#door.transferIdleMs ?? TCP_TRANSFER_IDLE_MS, () => {
      const left = this.connection.output.waitingBytes;
      const isStalled = left === 0 ? !this.#isMaking : left >= waitingBytes;
      if (isStalled) this.connection.destroy();
      else this.#watchProgress(left);
    });
  }

  #touch(): void {
    this.connection.deadline(this.#door.idleMs ?? TCP_IDLE_MS, this.#late);
  }

  readonly #late = (): void => this.connection.destroy();
}

/** Serves an accepted socket until it is closed. */
export function serveDnsTcp(door: DnsDoor, socket: Duplex, record: ConnectionRecord): DnsTcpSession {
  const session = new DnsTcpSession(door, socket, record);
  void session.converse();
  return session;
}
