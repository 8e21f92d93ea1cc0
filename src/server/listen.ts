// The TCP ports: bound once, each accepted socket handed unread to the protocol thread with the fewest connections.

import { createServer, type Server, type Socket } from 'node:net';
import type { Transferable } from 'node:worker_threads';
import { Failure } from '../base/failure.ts';
import type { SharedState } from '../database/shared.ts';
import type { Configuration } from './configuration.ts';
import { type ListenerName, standardPorts } from './ports.ts';
import type { ServingThread } from './supervisor.ts';

/** Connections that wait to be accepted. */
const BACKLOG = 1024;

export interface Listener {
  readonly name: ListenerName;
  readonly address: string;
  readonly port: number;
  readonly server: Server;
}

export function portOf(configuration: Configuration, name: ListenerName): number {
  return configuration.portOffset === 'auto' ? 0 : standardPorts[name] + configuration.portOffset;
}

/** `127.0.0.1:1025`, `[::1]:1025` */
export function formatEndpoint(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** A port that is taken is `conflict`, with the one line that names it. */
export function listenFailure(error: unknown, name: string, endpoint: string): Failure {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') return new Failure('conflict', `${endpoint} (${name}) is taken by another program`);
  if (code === 'EACCES')
    return new Failure('denied', `${endpoint} (${name}) may not be bound: run as root, or set port-offset`);
  return new Failure('unavailable', `${endpoint} (${name}) cannot be bound: ${String(error)}`);
}

/** Binds one door on one address. Port 0 takes a free one. */
export async function listenTcp(
  name: ListenerName,
  address: string,
  port: number,
  accepted: (socket: Socket, name: ListenerName) => void,
): Promise<Listener> {
  const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => accepted(socket, name));
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: address, port, backlog: BACKLOG }, resolve);
    });
  } catch (error) {
    throw listenFailure(error, name, formatEndpoint(address, port));
  }
  const bound = server.address();
  return { name, address, port: typeof bound === 'object' && bound !== null ? bound.port : port, server };
}

/** Hands each socket to the thread with the fewest connections. */
export function handTo(
  threads: readonly ServingThread[],
  shared: SharedState,
): (socket: Socket, name: ListenerName) => void {
  return (socket, name) => {
    let chosen: ServingThread | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (const thread of threads) {
      const connections = shared.connections(thread.number);
      if (thread.running && connections < fewest) {
        chosen = thread;
        fewest = connections;
      }
    }
    if (chosen === undefined) {
      socket.destroy();
      return;
    }
    shared.addConnections(chosen.number, 1);
    chosen.post({ kind: 'connection', socket, listener: name }, [socket as unknown as Transferable]);
  };
}
