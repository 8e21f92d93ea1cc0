// TCP ports: each bound once on every address of the configuration, each accepted socket given away unread.
//
// In      a door's name, addresses, a port; 0 takes a free one, the same on every address
// Out     listeners; accepted sockets, paused
// Errors  Failure 'conflict' for a port that is taken, 'denied' for one that may not be bound, 'unavailable' for the rest
// Limits  BACKLOG connections wait to be accepted
// `::` takes IPv4 as well where no IPv4 address is listed beside it: with one, the two would ask for the same port.

import { createServer, isIPv4, isIPv6, type Server, type Socket } from 'node:net';
import { Failure } from '../base/failure.ts';

const BACKLOG = 1024;
/** Free ports that turn out to be taken on another address, or by UDP's twin, before we give up. */
const TRIES = 20;

export interface Listener<Name extends string = string> {
  readonly name: Name;
  readonly address: string;
  readonly port: number;
  /** Accepts no more connections; those that are open stay. */
  close(): void;
}

export interface ListenOptions<Name extends string = string> {
  readonly name: Name;
  readonly address: string;
  readonly port: number;
  /** An IPv6 address leaves IPv4 alone. */
  readonly ipv6Only: boolean;
  readonly accepted: (socket: Socket, name: Name) => void;
  /** Called for a connection that could not be accepted. */
  readonly failed: (error: Error) => void;
}

/** `127.0.0.1:1025`, `[::1]:1025` */
export function formatEndpoint(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Where a listener on all addresses is reached from this machine. */
export function reachableAddress(address: string): string {
  return address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address;
}

/** The one line for an error of the system at binding, which names the port and its door. */
export function listenFailure(code: string, name: string, endpoint: string): Failure {
  if (code === 'EADDRINUSE')
    return new Failure(
      'conflict',
      `${endpoint} (${name}) is taken by another program: end it, or put "${name}" into \`without\` of waypost.toml`,
    );
  if (code === 'EACCES')
    return new Failure('denied', `${endpoint} (${name}) may not be bound: run as root, or set port-offset`);
  return new Failure('unavailable', `${endpoint} (${name}) cannot be bound: ${code}`);
}

/** The code of an error of the system, or its words where it has none. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

/** Binds one door on one address. */
export async function listenTcp<Name extends string>(options: ListenOptions<Name>): Promise<Listener<Name>> {
  const { name, address, port, ipv6Only, accepted, failed } = options;
  const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => accepted(socket, name));
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: address, port, ipv6Only: ipv6Only && isIPv6(address), backlog: BACKLOG }, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (error) {
    throw listenFailure(errorCode(error), name, formatEndpoint(address, port));
  }
  server.on('error', failed);
  return { name, address, port: boundPort(server, port), close: () => void server.close() };
}

function boundPort(server: Server, port: number): number {
  const bound = server.address();
  return typeof bound === 'object' && bound !== null ? bound.port : port;
}

/**
 * Binds one port on all addresses, in their order, by `bind`. With port 0 the first address takes a free number and the
 * others that one; where it is taken, another is tried. What was bound is closed when the rest fails.
 */
export async function listenOnAll<Bound extends { readonly port: number; close(): void }>(
  addresses: readonly string[],
  port: number,
  bind: (address: string, port: number, ipv6Only: boolean) => Promise<Bound>,
): Promise<readonly Bound[]> {
  const ipv6Only = addresses.some((address) => isIPv4(address));
  for (let tries = 1; ; tries++) {
    const bound: Bound[] = [];
    try {
      for (const address of addresses) bound.push(await bind(address, bound[0]?.port ?? port, ipv6Only));
      return bound;
    } catch (error) {
      for (const each of bound) each.close();
      const isTaken = error instanceof Failure && error.kind === 'conflict';
      if (port !== 0 || !isTaken || tries >= TRIES) throw error;
    }
  }
}
