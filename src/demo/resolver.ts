// The resolver that the demo's server is configured with: the public DNS of a world in which one MX record names us.
//
// In      queries over UDP
// Out     that record; NXDOMAIN for all else

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { RCODE } from '../wire/dns/codes.ts';
import { type DnsMessage, decodeMessage, encodeMessage } from '../wire/dns/message.ts';

const ANSWER_BYTES = 512;

export class DemoResolver {
  readonly #socket: Socket;
  readonly #domain: string;
  readonly #exchange: string;

  private constructor(socket: Socket, domain: string, exchange: string) {
    this.#socket = socket;
    this.#domain = domain;
    this.#exchange = exchange;
    socket.on('message', (octets, peer) => {
      try {
        const answer = encodeMessage(this.#answer(decodeMessage(octets)), ANSWER_BYTES);
        socket.send(answer, peer.port, peer.address, () => {});
      } catch {
        // Not a query that the server sends.
      }
    });
  }

  static async start(domain: string, exchange: string): Promise<DemoResolver> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new DemoResolver(socket, domain, exchange);
  }

  /** As waypost.toml has it. */
  get server(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  stop(): void {
    this.#socket.close();
  }

  #answer(query: DnsMessage): DnsMessage {
    const [question] = query.questions;
    const isOurs = question?.name.toLowerCase() === this.#domain;
    const { exchange, name } = { exchange: this.#exchange, name: this.#domain };
    const mx = { name, class: 1, ttl: 60, type: 'MX', preference: 10, exchange } as const;
    return {
      ...query,
      isResponse: true,
      recursionAvailable: true,
      rcode: isOurs ? RCODE.NOERROR : RCODE.NXDOMAIN,
      answers: isOurs && question?.type === 'MX' ? [mx] : [],
      authorities: [],
      additionals: [],
    };
  }
}
