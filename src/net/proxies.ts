// Proxies that stand before our doors: which peers are some, and what becomes of the record of a connection that one passes on.
//
// In      `[proxy]` of the configuration; a connection's record; its PROXY header
// Out     whether a header must come; the record with the client in the place of the proxy
// Never   takes a header from anybody else; takes a client behind a proxy for one on this machine

import { type ConnectionRecord, plainAddress } from './connection.ts';
import { isWithin, networksOf } from './ip-network.ts';
import type { ProxiedTls, ProxyHeader } from './proxy-protocol.ts';
import type { TlsState } from './tls-state.ts';

export interface ProxyOptions {
  /** `192.0.2.0/24`, `2001:db8::1`. */
  readonly trusted: readonly string[];
  readonly listeners: readonly string[];
}

export class Proxies {
  readonly #listeners: ReadonlySet<string>;
  readonly #networks: readonly string[];

  constructor({ trusted, listeners }: ProxyOptions) {
    this.#listeners = new Set(listeners);
    this.#networks = networksOf(trusted);
  }

  mustSendHeader({ listener, peerAddress }: ConnectionRecord): boolean {
    return this.#networks.length > 0 && this.#listeners.has(listener) && isWithin(peerAddress, this.#networks);
  }
}

/** The connection as it is behind the proxy. */
export function proxiedRecord(record: ConnectionRecord, { source, tls, authority }: ProxyHeader): ConnectionRecord {
  const isSafe = tls !== undefined && SAFE_PROTOCOLS.has(tls.protocol);
  return {
    ...record,
    peerAddress: source === undefined ? record.peerAddress : plainAddress(source.address),
    peerPort: source === undefined ? record.peerPort : source.port,
    proxyAddress: record.peerAddress,
    ...(authority === undefined ? {} : { proxiedServerName: authority }),
    tls: isSafe ? tlsAtTheProxy(tls, authority) : undefined,
    isPrivate: isSafe,
  };
}

/** Older ones are no protection. RFC 8996 */
const SAFE_PROTOCOLS: ReadonlySet<string> = new Set(['TLSv1.2', 'TLSv1.3']);

/** The client cannot be bound to a channel that ends before us, nor has it shown us a certificate. */
function tlsAtTheProxy({ protocol, cipher }: ProxiedTls, serverName: string | undefined): TlsState {
  return {
    protocol,
    cipher: cipher === '' ? 'unknown' : cipher,
    isImplicit: true,
    serverName,
    clientAddress: undefined,
    canBind: false,
    channelBinding: () => undefined,
  };
}
