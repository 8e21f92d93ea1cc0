// The DNS port: one number for UDP and TCP. TCP like every other door; UDP is bound by another thread.

import { type Listener, type ListenOptions, listenTcp } from './listen.ts';

/** Who binds the UDP sockets: one an address. */
export interface UdpBinder {
  /** The number that it got; port 0 takes a free one. Throws the Failure of net/listen.ts. */
  bind(address: string, port: number, ipv6Only: boolean): Promise<number>;
  unbind(address: string): void;
}

export async function listenDns<Name extends string>(
  udp: UdpBinder,
  options: ListenOptions<Name>,
): Promise<Listener<Name>> {
  const { address, ipv6Only } = options;
  const port = await udp.bind(address, options.port, ipv6Only);
  try {
    const tcp = await listenTcp({ ...options, port });
    return {
      ...tcp,
      close() {
        tcp.close();
        udp.unbind(address);
      },
    };
  } catch (error) {
    udp.unbind(address);
    throw error;
  }
}
