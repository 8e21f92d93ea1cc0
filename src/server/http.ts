// The HTTP door: health and metrics, served by the main thread.
//
// Limits  from the connection, or from the answer before, until an answer has been taken: ten seconds, then it is closed;
//         a thousand requests a connection
// Node starts its own check of requestTimeout and headersTimeout when a server begins to listen. This one never does: it
// is given its connections. So the deadline is kept here; it holds for silence, single octets and peers that do not read.

import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { type HealthParts, healthApp } from '../protocols/http/health.ts';

const REQUEST_MS = 10_000;

/** Connections are given to it as `connection` events: ports are bound like those of every other door. */
export function createHttpDoor(parts: HealthParts): Server {
  const server = createServer({ keepAliveTimeout: 5000, maxHeaderSize: 16_384 });
  server.maxRequestsPerSocket = 1000;
  const deadlines = new WeakMap<Socket, NodeJS.Timeout>();
  server.on('connection', (socket: Socket) => {
    const deadline = setTimeout(() => socket.destroy(), REQUEST_MS);
    deadlines.set(socket, deadline);
    socket.once('close', () => clearTimeout(deadline));
  });
  const answer = getRequestListener(healthApp(parts).fetch);
  server.on('request', (request, response) => {
    const { socket } = request;
    response.once('finish', () => {
      // A timer whose socket is gone has been cleared; refresh would start it again.
      if (!socket.destroyed) deadlines.get(socket)?.refresh();
    });
    answer(request, response);
  });
  return server;
}
