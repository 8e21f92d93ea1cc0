// One DNS connection over TCP: queries with their length before them, answered in order, as many as the client sends.
//
// In      a connected socket, unread
// States  reading -> (waiting for the client to read) -> ... -> closed
// Limits  limits.ts: a query, bad queries, answers not read; idle time runs from one complete query to the next, so a
//         client that sends an octet now and then does not stay
// Never   keeps more than one query and the chunk it came in
// RFC 1035 §4.2.2, RFC 7766 §6 §8

import type { Socket } from 'node:net';
import { asFailure } from '../../base/failure.ts';
import type { Log } from '../../base/log.ts';
import type { ConnectionRecord } from '../../net/connection.ts';
import { RCODE } from '../../wire/dns/codes.ts';
import type { Answer } from './answer.ts';
import {
  QUERY_BYTES,
  TCP_BAD_QUERIES_MAX,
  TCP_BYTES,
  TCP_IDLE_MS,
  TCP_QUERIES_A_TURN,
  TCP_WAITING_BYTES,
} from './limits.ts';

/** What a DNS connection needs of the server. */
export interface DnsDoor {
  readonly answer: Answer;
  readonly log: Log;
  /** Tests shorten it. */
  readonly idleMs?: number;
}

const LENGTH_BYTES = 2;
const HEADER_BYTES = 12;

export class DnsTcpSession {
  readonly #door: DnsDoor;
  readonly #socket: Socket;
  readonly #peer: string;
  #received: Buffer = Buffer.alloc(0);
  #badQueries = 0;
  #scheduled = false;
  #peerEnded = false;
  readonly #idle: NodeJS.Timeout;

  /** Takes the socket over: it answers until either side ends, and destroys the socket in the end. */
  constructor(door: DnsDoor, socket: Socket, connection: ConnectionRecord) {
    this.#door = door;
    this.#socket = socket;
    this.#peer = connection.peerAddress;
    this.#idle = setTimeout(() => socket.destroy(), door.idleMs ?? TCP_IDLE_MS);
    socket.setNoDelay(true);
    socket.on('data', this.#receive);
    // The answers to what came before the client's end are sent all the same.
    socket.allowHalfOpen = true;
    socket.on('end', () => {
      this.#peerEnded = true;
      this.#proceed();
    });
    socket.on('drain', () => this.#proceed());
    socket.on('error', (error) => door.log.debug('dns.connection', { peer: this.#peer, error: error.message }));
    socket.on('close', () => clearTimeout(this.#idle));
    socket.resume();
  }

  readonly #receive = (chunk: Buffer): void => {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    this.#proceed();
  };

  /** Answers what is here, a few queries a turn, and reads on when all are answered and the client reads too. */
  #proceed(): void {
    const socket = this.#socket;
    if (this.#scheduled || socket.destroyed || socket.writableEnded) return;
    try {
      const more = socket.writableLength <= TCP_WAITING_BYTES && this.#answerSome();
      if (socket.writableEnded) return;
      const waits = socket.writableLength > TCP_WAITING_BYTES;
      if (more || waits) socket.pause();
      else if (this.#peerEnded) this.#end();
      else if (socket.isPaused()) socket.resume();
      // Where the client does not read, `drain` goes on.
      if (!more || waits) return;
    } catch (error) {
      this.#door.log.error('dns.failed', { peer: this.#peer, detail: asFailure(error).detail });
      socket.destroy();
      return;
    }
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#proceed();
    });
  }

  /** Whether another query is here. */
  #answerSome(): boolean {
    const responses: Uint8Array[] = [];
    let at = 0;
    let open = true;
    let query = this.#queryAt(at);
    for (let count = 0; open && query !== undefined && count < TCP_QUERIES_A_TURN; count++) {
      at += LENGTH_BYTES + query.octets.length;
      const octets = this.#door.answer(query.octets, 'tcp', TCP_BYTES);
      // Who sends a response, or less than a header, does not speak this protocol.
      open = octets !== undefined && query.complete && this.#tolerates(octets);
      if (octets !== undefined) responses.push(lengthOf(octets), octets);
      query = this.#queryAt(at);
    }
    // A copy, so that a small rest does not hold the whole chunk.
    this.#received = query === undefined ? Buffer.from(this.#received.subarray(at)) : this.#received.subarray(at);
    if (responses.length > 0) this.#send(responses);
    if (!open) this.#end();
    return open && query !== undefined;
  }

  /** The query that begins there, undefined while it is not all here. Of one that is too large the header is enough. */
  #queryAt(at: number): { readonly octets: Buffer; readonly complete: boolean } | undefined {
    const received = this.#received;
    if (received.length < at + LENGTH_BYTES) return undefined;
    const length = received.readUInt16BE(at);
    const complete = length <= QUERY_BYTES;
    const start = at + LENGTH_BYTES;
    const end = start + (complete ? length : HEADER_BYTES);
    return received.length < end ? undefined : { octets: received.subarray(start, end), complete };
  }

  #tolerates(response: Uint8Array): boolean {
    if ((response[3]! & 0x0f) !== RCODE.FORMERR) return true;
    return ++this.#badQueries < TCP_BAD_QUERIES_MAX;
  }

  #send(responses: readonly Uint8Array[]): void {
    this.#idle.refresh();
    this.#socket.write(Buffer.concat(responses));
  }

  #end(): void {
    this.#received = Buffer.alloc(0);
    this.#socket.off('data', this.#receive);
    // What still comes is read and dropped, so that the answers are not lost with a reset.
    this.#socket.resume();
    this.#socket.end();
  }
}

function lengthOf(octets: Uint8Array): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt16BE(octets.length);
  return length;
}
