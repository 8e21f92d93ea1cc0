// One DNS message to one server, and what comes back for it: over UDP from a port of its own, or over TCP.
//
// In      the octets of a message; a judge that takes an answer, or passes over what is none to this message
// Out     what the judge took, or why nothing came
// Limits  a time for each; what the judge passes over does not lengthen it
// Never   listens to another address or port than the one that was asked: the socket is connected
// RFC 1035 §4.2, RFC 5452 §9, RFC 7766

import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { DnsFramer } from '../wire/dns/framer.ts';
import { errorCode } from './listen.ts';

export interface DnsServer {
  /** An IP address. */
  readonly address: string;
  readonly port: number;
}

export interface Exchange<T> {
  readonly server: DnsServer;
  readonly octets: Uint8Array;
  readonly timeoutMs: number;
  /** Ends the wait; its reason is what is said then. */
  readonly signal: AbortSignal;
  /** The address that it leaves from. */
  readonly source?: string;
  readonly take: (octets: Uint8Array) => T | undefined;
}

export type Exchanged<T> = { readonly taken: T } | { readonly failed: string };

const MESSAGE_BYTES = 65_535;

export function exchangeUdp<T>(exchange: Exchange<T>): Promise<Exchanged<T>> {
  const { server, octets, source, take } = exchange;
  return new Promise((resolve) => {
    const socket = createSocket(server.address.includes(':') ? 'udp6' : 'udp4');
    const end = ending(exchange, (outcome: Exchanged<T>) => {
      socket.close();
      resolve(outcome);
    });
    const failed = (error: Error): void => end({ failed: errorCode(error) });
    socket.on('error', failed);
    socket.on('message', (received) => {
      const taken = take(received);
      if (taken !== undefined) end({ taken });
    });
    // A port that the system chooses, another each time.
    socket.bind({ port: 0, ...(source === undefined ? {} : { address: source }) }, () => {
      if (end.isOver()) return;
      socket.connect(server.port, server.address, () => {
        if (!end.isOver()) socket.send(octets, (error) => error !== null && failed(error));
      });
    });
  });
}

export function exchangeTcp<T>(exchange: Exchange<T>): Promise<Exchanged<T>> {
  const { server, octets, source, take } = exchange;
  return new Promise((resolve) => {
    const from = source === undefined ? {} : { localAddress: source };
    const socket = connect({ host: server.address, port: server.port, noDelay: true, ...from });
    const framer = new DnsFramer();
    const end = ending(exchange, (outcome: Exchanged<T>) => {
      socket.destroy();
      resolve(outcome);
    });
    socket.on('error', (error) => end({ failed: errorCode(error) }));
    socket.on('close', () => end({ failed: 'ECONNRESET' }));
    socket.on('connect', () => socket.write(withLength(octets)));
    socket.on('data', (chunk: Buffer) => {
      framer.push(chunk);
      for (let frame = framer.next(MESSAGE_BYTES); frame !== undefined; frame = framer.next(MESSAGE_BYTES)) {
        const taken = take(frame.octets);
        if (taken === undefined) continue;
        end({ taken });
        return;
      }
    });
  });
}

interface End<T> {
  (outcome: Exchanged<T>): void;
  isOver(): boolean;
}

/** The first outcome counts; time and signal are outcomes. */
function ending<T>({ timeoutMs, signal }: Exchange<T>, done: (outcome: Exchanged<T>) => void): End<T> {
  let isOver = false;
  const end = (outcome: Exchanged<T>): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    signal.removeEventListener('abort', aborted);
    done(outcome);
  };
  const aborted = (): void => end({ failed: String(signal.reason) });
  const timer = setTimeout(() => end({ failed: 'ETIMEOUT' }), timeoutMs);
  signal.addEventListener('abort', aborted);
  return Object.assign(end, { isOver: () => isOver });
}

/** RFC 1035 §4.2.2 */
export function withLength(message: Uint8Array): Buffer {
  const octets = Buffer.allocUnsafe(2 + message.length);
  octets.writeUInt16BE(message.length);
  octets.set(message, 2);
  return octets;
}
