// The connections of the two HTTP doors, from the accepted socket to the request: all in the main thread.
//
// In      sockets, unread
// Out     connections that are served (http.ts)
// Order   who it is (behind a proxy its header) -> one too many of this client? -> on https the handshake -> requests
// Never   holds the end of the process up: what waits for a header or a handshake is closed with the rest

import type { Socket } from 'node:net';
import type { Hono } from 'hono';
import { recordOver } from '../net/connection.ts';
import type { HttpEnv } from '../protocols/http/bearer.ts';
import { admitConnections } from './client-connections.ts';
import { createHttpDoor, type HttpDoor } from './http.ts';
import { createIdentifyClient } from './identify-client.ts';
import type { MainParts } from './main-parts.ts';

interface HttpConnections {
  accept(socket: Socket, listener: 'http' | 'https'): void;
  /** Takes no more, and closes all. */
  close(): void;
}

/** What each door answers with. */
export interface HttpDoorApps {
  readonly plain: Hono<HttpEnv>;
  readonly secure: Hono<HttpEnv>;
}

export function serveHttp(parts: MainParts, { plain, secure }: HttpDoorApps): HttpConnections {
  const { configuration, shared, log, certificates, counters } = parts;
  const http = createHttpDoor(plain);
  const https = createHttpDoor(secure);
  const identify = createIdentifyClient({ proxy: configuration.proxy, shared, log });
  const admit = admitConnections({
    buckets: shared.useBuckets,
    limits: configuration.limits,
    generation: () => shared.lostThreads(),
  });
  const open = new Set<Socket>();

  const shakeHands: HttpDoor['accept'] = (socket, record) => {
    // One that fails is closed, and counted.
    certificates.tls.upgrade(socket, { listener: record.listener, isImplicit: true }).then(
      (transport) => https.accept(transport, recordOver(transport, record)),
      () => {},
    );
  };

  return {
    accept(socket, listener) {
      open.add(socket);
      socket.once('close', () => open.delete(socket));
      counters.add('connection', listener);
      identify(socket, listener, (record) => {
        const closed = admit(record);
        if (closed === undefined) {
          counters.add('refused', listener);
          socket.destroy();
          return;
        }
        socket.once('close', closed);
        if (listener === 'http') http.accept(socket, record);
        else shakeHands(socket, record);
      });
    },
    close() {
      http.close();
      https.close();
      for (const socket of open) socket.destroy();
    },
  };
}
