// The HTTP doors, served by the main thread: health and metrics on http, those and the operations on https.
//
// In      connections that another has accepted, https after its handshake; what is known of each
// Limits  from the connection, or from the answer before, until an answer has been taken: ten seconds, then it is closed. They
//         begin anew when we have found out who asks, which may mean to ask another directory: that has LOGIN_MS. A request of
//         a good token has OPERATION_MS for its answer. A thousand requests a connection, and FAILED_LOGINS_MAX wrong tokens
// Node starts its own check of requestTimeout and headersTimeout when a server begins to listen. This one never does: it
// is given its connections. So the deadline is kept here; it holds for silence, single octets and peers that do not read.

import { createServer, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { FAILED_LOGINS_MAX } from '../base/limits.ts';
import type { ConnectionRecord } from '../net/connection.ts';
import type { HttpEnv } from '../protocols/http/bearer.ts';

const REQUEST_MS = 10_000;
/** Another directory may be asked several times, and each time be waited for. */
const LOGIN_MS = 60_000;
/** Checking every message of a large store takes long. */
const OPERATION_MS = 600_000;

export interface HttpDoor {
  /** Serves this connection. */
  accept(transport: Duplex, record: ConnectionRecord): void;
  /** Takes no more, and closes all. */
  close(): void;
}

interface OpenConnection {
  readonly record: ConnectionRecord;
  deadline: NodeJS.Timeout;
  failedLogins: number;
}

/** `app` answers by what it is given of each connection. */
export function createHttpDoor(app: Hono<HttpEnv>): HttpDoor {
  const server: Server = createServer({ keepAliveTimeout: 5000, maxHeaderSize: 16_384 });
  server.maxRequestsPerSocket = 1000;
  const connections = new WeakMap<Duplex, OpenConnection>();

  function allow(transport: Duplex, ms: number): void {
    const connection = connections.get(transport);
    // A timer whose connection is gone has been cleared; it must not start again.
    if (connection === undefined || transport.destroyed) return;
    clearTimeout(connection.deadline);
    connection.deadline = setTimeout(() => transport.destroy(), ms);
  }

  const answer = getRequestListener((request, { incoming: { socket } }) => {
    const connection = connections.get(socket)!;
    return app.fetch(request, {
      client: { door: 'http', record: connection.record },
      whileLogin: async (login) => {
        allow(socket, LOGIN_MS);
        try {
          return await login;
        } finally {
          allow(socket, REQUEST_MS);
        }
      },
      takesLong: () => allow(socket, OPERATION_MS),
      isLastTry: () => ++connection.failedLogins >= FAILED_LOGINS_MAX,
    });
  });
  server.on('request', (request, response) => {
    response.once('finish', () => allow(request.socket, REQUEST_MS));
    void answer(request, response);
  });

  return {
    accept(transport, record) {
      const deadline = setTimeout(() => transport.destroy(), REQUEST_MS);
      connections.set(transport, { record, deadline, failedLogins: 0 });
      transport.once('close', () => clearTimeout(connections.get(transport)!.deadline));
      server.emit('connection', transport);
      transport.resume();
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
