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
import { RCODE } from '../../wire/dns/codes.ts';
import type { Answer } from './answer.ts';
import { QUERY_BYTES, TCP_BAD_QUERIES_MAX, TCP_BYTES, TCP_IDLE_MS, TCP_WAITING_BYTES } from './limits.ts';

export interface DnsTcpParts {
  readonly socket: Socket;
  readonly answer: Answer;
  readonly log: Log;
  readonly peer?: string;
  /** Tests shorten it. */
  readonly idleMs?: number;
}

const LENGTH_BYTES = 2;
const HEADER_BYTES = 12;

export class DnsTcpSession {
  readonly #socket: Socket;
  readonly #answer: Answer;
  readonly #log: Log;
  readonly #peer: string | undefined;
  #received: Buffer = Buffer.alloc(0);
  #badQueries = 0;
  readonly #idle: NodeJS.Timeout;

  /** Takes the socket over: it answers until either side ends, and destroys the socket in the end. */
  constructor({ socket, answer, log, peer, idleMs }: DnsTcpParts) {
    this.#socket = socket;
    this.#answer = answer;
    this.#log = log;
    this.#peer = peer ?? socket.remoteAddress;
    this.#idle = setTimeout(() => socket.destroy(), idleMs ?? TCP_IDLE_MS);
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    // The answers to what came before the client's end are sent all the same.
    socket.on('end', () => this.#end());
    socket.on('drain', () => socket.resume());
    socket.on('error', (error) => log.debug('dns.connection', { peer: this.#peer ?? '', error: error.message }));
    socket.on('close', () => clearTimeout(this.#idle));
    socket.resume();
  }

  /** Ends after the answers that are on their way. */
  close(): void {
    this.#end();
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    try {
      this.#answerAll();
    } catch (error) {
      this.#log.error('dns.failed', { peer: this.#peer ?? '', detail: asFailure(error).detail });
      this.#socket.destroy();
    }
  }

  #answerAll(): void {
    const responses: Uint8Array[] = [];
    let at = 0;
    let open = true;
    while (open) {
      const query = this.#queryAt(at);
      if (query === undefined) break;
      at += LENGTH_BYTES + query.octets.length;
      const octets = this.#answer(query.octets, 'tcp', TCP_BYTES);
      // Who sends a response, or less than a header, does not speak this protocol.
      open = octets !== undefined && query.complete && this.#tolerates(octets);
      if (octets !== undefined) responses.push(lengthOf(octets), octets);
    }
    // A copy, so that a small rest does not hold the whole chunk.
    this.#received = open ? Buffer.from(this.#received.subarray(at)) : Buffer.alloc(0);
    if (responses.length > 0) this.#send(responses);
    if (!open) this.#end();
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

  /** One write a turn, and no more reading while the client does not read. */
  #send(responses: readonly Uint8Array[]): void {
    this.#idle.refresh();
    if (this.#socket.writableEnded || this.#socket.destroyed) return;
    this.#socket.write(Buffer.concat(responses));
    if (this.#socket.writableLength > TCP_WAITING_BYTES) this.#socket.pause();
  }

  #end(): void {
    this.#received = Buffer.alloc(0);
    this.#socket.removeAllListeners('data');
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
