// TCP ports of 127.0.0.1 that nothing listens on, for servers that must be told theirs, and for what shall not be there.
//
// They lie below those that a system gives to connections and to who asks for any (RFC 6335 §6: from 49152 on; Linux: 32768), and no
// two processes of tests have the same: one that is bound only later, or again, finds its own as it was.
//
//   10000 to 19999   one by one
//   20000 to 31999   a thousand at once, for all doors of a server

import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { standardPorts } from '../../src/server/ports.ts';

const SINGLE = { first: 10_000, count: 10_000 };
const OFFSETS = { first: 20_000, count: 12, step: 1000 };

/** Different ones. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = SINGLE.first + Math.floor(Math.random() * SINGLE.count);
    if ((await isOurs(port)) && (await areFree([port], '127.0.0.1'))) ports.push(port);
  }
  return ports;
}

export async function freePort(): Promise<number> {
  return (await freePorts(1))[0]!;
}

/** So far from the standard ports that every door's is free on all addresses. */
export async function freeOffset(): Promise<number> {
  const begin = Math.floor(Math.random() * OFFSETS.count);
  for (let nth = 0; nth < OFFSETS.count; nth++) {
    const offset = OFFSETS.first + ((begin + nth) % OFFSETS.count) * OFFSETS.step;
    const ports = Object.values(standardPorts).map((port) => port + offset);
    if ((await isOurs(offset)) && (await areFree(ports))) return offset;
  }
  throw new Error('other processes have all offsets of ports');
}

/** Kept from others for as long as this process lives, where a system has names for sockets that are no files. */
async function isOurs(port: number): Promise<boolean> {
  if (process.platform !== 'linux') return true;
  const sign = await listening(createServer().unref(), { path: `\0waypost-test-port-${port}` });
  return sign !== undefined;
}

/** Without an address: on all of both families. */
async function areFree(ports: readonly number[], host?: string): Promise<boolean> {
  const servers = await Promise.all(ports.map((port) => listening(createServer(), { port, host })));
  await Promise.all(servers.map((server) => server && new Promise((closed) => server.close(closed))));
  return servers.every((server) => server !== undefined);
}

/** Undefined: another has it. */
async function listening(server: Server, at: { port?: number; host?: string | undefined; path?: string }) {
  server.listen(at);
  return once(server, 'listening').then(
    () => server,
    () => undefined,
  );
}

/** Whether a server has begun to listen. */
export function takesConnections(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
