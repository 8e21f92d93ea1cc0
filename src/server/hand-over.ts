// Accepted sockets go unread to the protocol thread with the fewest connections.

import type { Socket } from 'node:net';
import type { Transferable } from 'node:worker_threads';
import type { SharedState } from '../database/shared.ts';
import type { ListenerName } from './listeners.ts';
import type { ServingThread } from './supervisor.ts';
import type { ProtocolOrder } from './threads/protocol.ts';

/** Closes a socket that comes while no thread runs. */
export function handTo(
  threads: readonly ServingThread[],
  shared: SharedState,
): (socket: Socket, listener: ListenerName) => void {
  return (socket, listener) => {
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
    const order: ProtocolOrder = { kind: 'connection', socket, listener };
    chosen.post(order, [socket as unknown as Transferable]);
  };
}
