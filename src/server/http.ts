// The HTTP door: health and metrics, served by the main thread.

import { createServer, type Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { type HealthParts, healthApp } from '../protocols/http/health.ts';

const REQUEST_MS = 10_000;

/** Connections are given to it as `connection` events: ports are bound like those of every other door. */
export function createHttpDoor(parts: HealthParts): Server {
  const server = createServer(
    { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS, keepAliveTimeout: 5000, maxHeaderSize: 16_384 },
    getRequestListener(healthApp(parts).fetch),
  );
  server.maxRequestsPerSocket = 1000;
  return server;
}
