// `run/ldapi` in the data directory: LDAP over a Unix socket, for programs of the user that the server runs as.
//
// In      the socket's path; connections
// Out     sessions of LDAP, whose SASL EXTERNAL is the Directory Manager: the file's permissions have decided
// Errors  a path that cannot be bound, or made private, is logged, and all else goes on
// A socket of this kind cannot be handed from thread to thread, so one protocol thread accepts them itself.

import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Log } from '../base/log.ts';
import { runPath } from './paths.ts';

/** sockaddr_un holds 108 bytes on Linux, 104 elsewhere. */
const SOCKET_PATH_BYTES_MAX = 100;

/** Undefined where the data directory's path is too long for a socket. */
export function localLdapPath(data: string): string | undefined {
  const path = join(runPath(data), 'ldapi');
  return Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX ? path : undefined;
}

/** This process holds the directory's lock: no other server uses a socket that is there. */
export function listenLocalLdap(path: string, log: Log, accepted: (socket: Socket) => void): void {
  rmSync(path, { force: true });
  const server = createServer({ pauseOnConnect: true }, accepted);
  const failed = (error: Error): void => log.error('ldap.local', { path, error: error.message });
  server.on('error', failed);
  server.listen(path, () => {
    try {
      chmodSync(path, 0o600);
    } catch (error) {
      // A server that stops as it starts has taken it away already.
      server.close();
      failed(error as Error);
    }
  });
}
