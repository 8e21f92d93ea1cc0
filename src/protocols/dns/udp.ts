// The UDP side of the DNS door: one datagram in, one out.
//
// In      datagrams of one bound socket; several sockets may share one `answer`
// Limits  octets that wait to be sent (limits.ts); beyond it answers are dropped, as the network would
// Never   waits: an answer is made and handed to the kernel in the turn of its query; sends a series of messages (a zone
//         transfer over UDP is not defined, and the first message alone would pass for a whole one): refused
// RFC 1035 §4.2.1, RFC 5936 §4.2, RFC 8085 §3

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { asFailure } from '../../base/failure.ts';
import type { Log } from '../../base/log.ts';
import { type Answer, refusal } from './answer.ts';
import { UDP_BYTES_MAX, UDP_RECEIVE_BYTES, UDP_WAITING_BYTES } from './limits.ts';

export interface DnsUdpParts {
  readonly socket: Socket;
  readonly answer: Answer;
  readonly log: Log;
  /** The system has reported an error of the socket itself: whether it still receives is not known. */
  readonly failed?: (error: Error) => void;
}

/** A socket that answers. `close` resolves when it is closed. */
export interface DnsUdpService {
  close(): Promise<void>;
}

/** Answers until the socket is closed. */
export function serveDnsUdp(parts: DnsUdpParts): DnsUdpService {
  const { socket, answer, log } = parts;
  const receive = (query: Buffer, peer: RemoteInfo): void => {
    // Port 0 cannot receive: such a source address is forged.
    if (peer.port === 0 || socket.getSendQueueSize() > UDP_WAITING_BYTES) return;
    try {
      const answered = answer(query, { transport: 'udp', sizeBytes: UDP_BYTES_MAX, peerAddress: peer.address });
      const octets = answered === undefined || answered instanceof Uint8Array ? answered : refusal(query);
      if (octets !== undefined) socket.send(octets, peer.port, peer.address, sent);
    } catch (error) {
      // A bug must not end the thread that serves all others.
      log.error('dns.failed', { peer: peer.address, detail: asFailure(error).detail });
    }
  };
  const sent = (error: Error | null): void => {
    if (error !== null) log.debug('dns.unsent', { error: error.message });
  };
  const failed = (error: Error): void => {
    log.warn('dns.socket', { error: error.message });
    parts.failed?.(error);
  };
  socket.on('message', receive);
  socket.on('error', failed);
  return {
    close: () =>
      new Promise((closed) => {
        socket.off('message', receive);
        socket.close(() => closed());
      }),
  };
}

/**
 * A socket bound to this address, with room for a burst. Rejects with the system's error (EADDRINUSE, EACCES ...). `::`
 * takes IPv4 too, as it does over TCP, unless `ipv6Only` is set.
 */
export function bindDnsUdp(address: string, port: number, options: { ipv6Only?: boolean } = {}): Promise<Socket> {
  return new Promise((bound, failed) => {
    const socket = createSocket({
      type: isIPv6(address) ? 'udp6' : 'udp4',
      ipv6Only: options.ipv6Only === true && isIPv6(address),
      // The kernel gives as much of it as the system allows.
      recvBufferSize: UDP_RECEIVE_BYTES,
      // Peers are addresses already; the default would ask dns.lookup, later, for each answer.
      lookup: (address, _options, callback) => callback(null, address, address.includes(':') ? 6 : 4),
    });
    const refused = (error: Error): void => {
      socket.close();
      failed(error);
    };
    socket.once('error', refused);
    socket.bind(port, address, () => {
      socket.off('error', refused);
      bound(socket);
    });
  });
}
