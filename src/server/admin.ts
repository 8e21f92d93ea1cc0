// The socket of the administrator's operations: a process that may open it may do everything.

import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import { adminOperations } from '../admin/operations.ts';
import { formatEndpoint, reachableAddress } from '../net/listen.ts';
import { parseServer } from '../net/system-servers.ts';
import { type AnyAdminOperation, adminApp } from '../protocols/http/admin.ts';
import { checkedChannels } from '../transfer/ways-out.ts';
import { audited } from './audit.ts';
import { CopiedStores } from './copied-stores.ts';
import type { MainParts } from './main-parts.ts';
import { auditPath, runPath, segmentsPath } from './paths.ts';
import { VERSION } from './version.ts';
import { WayForMail } from './way-for-mail.ts';
import { zoneSite } from './zone-site.ts';

/** sockaddr_un holds 108 bytes on Linux, 104 elsewhere. */
const SOCKET_PATH_BYTES_MAX = 100;

/** What socketPath makes under the system's temporary directory. */
const ELSEWHERE = /^waypost-[0-9a-f]{12}$/;

/** A path that is too long for a socket gets one under the system's temporary directory, named in `run/admin.path`. */
function socketPath(data: string): string {
  const path = join(runPath(data), 'admin.sock');
  const pointer = join(runPath(data), 'admin.path');
  if (existsSync(pointer)) {
    // A server that was killed has left it: this process holds the directory's lock, so no other server uses it.
    removeSocket(readFileSync(pointer, 'utf8').trim());
    rmSync(pointer, { force: true });
  }
  if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX) return path;
  const directory = join(tmpdir(), `waypost-${randomBytes(6).toString('hex')}`);
  mkdirSync(directory, { mode: 0o700 });
  const elsewhere = join(directory, 'admin.sock');
  writeFileSync(pointer, elsewhere);
  return elsewhere;
}

/** With the directory that was made for it. */
function removeSocket(path: string): void {
  rmSync(path, { force: true });
  const directory = dirname(path);
  if (dirname(directory) === tmpdir() && ELSEWHERE.test(basename(directory)))
    rmSync(directory, { recursive: true, force: true });
}

/** For this socket and for `/v1`. `listeners` may be filled later. */
export function administratorOperations(
  main: MainParts,
  listeners: Readonly<Record<string, string>>,
): readonly AnyAdminOperation[] {
  const { data, auth } = main.configuration;
  return adminOperations({
    ...main,
    makesKeys: auth.scram !== 'off',
    others: main.authority,
    scram: auth.scram,
    zoneSite: zoneSite(main),
    segments: segmentsPath(data),
    auditDirectory: auditPath(data),
    rehearsals: new CopiedStores(main),
    way: new WayForMail(main.supervisor.threads),
    channels: checkedChannels,
    messageBytesMax: main.configuration.limits.messageSizeBytes,
    version: VERSION,
    hostname: main.hostnames[0]!,
    listeners,
    resolver: main.configuration.resolver,
    ownDns: () => ownDns(listeners['dns']),
  }).map((operation) => audited(operation, main.audit.append));
}

/** Where our DNS listener is asked from here; '' without one. */
function ownDns(listener: string | undefined): string {
  if (listener === undefined) return '';
  const { address, port } = parseServer(listener);
  return formatEndpoint(reachableAddress(address), port);
}

/** Serves the operations to every process that may open the socket: those of the user that the server runs as. */
export async function serveAdmin(
  main: MainParts,
  operations: readonly AnyAdminOperation[],
): Promise<{ close(): void }> {
  const { data } = main.configuration;
  const path = socketPath(data);
  // This process holds the directory's lock, so no other server uses a socket that is there.
  rmSync(path, { force: true });
  const server: Server = createServer(getRequestListener(adminApp(operations, main.log).fetch));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
  return {
    close() {
      server.close();
      server.closeAllConnections();
      removeSocket(path);
      rmSync(join(runPath(data), 'admin.path'), { force: true });
    },
  };
}
