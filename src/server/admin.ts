// The administrator's operations of the running server, and the socket they are asked on.

import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import { dnsRecords } from '../admin/dns.ts';
import { domainAdd, domainList, domainRemove, domainShow } from '../admin/domain.ts';
import type { EntryParts } from '../admin/entries.ts';
import { groupAdd, groupList, groupRemove, groupShow } from '../admin/group.ts';
import { mailboxCheck } from '../admin/mailbox.ts';
import { queueList, queueRemove, queueRetry, queueShow } from '../admin/queue.ts';
import { route } from '../admin/route.ts';
import { type StatusParts, status } from '../admin/status.ts';
import { syncStatus } from '../admin/sync.ts';
import { trace } from '../admin/trace.ts';
import { userAdd, userList, userRemove, userShow } from '../admin/user.ts';
import { HashGate } from '../auth/hash-gate.ts';
import { type AnyAdminOperation, adminApp } from '../protocols/http/admin.ts';
import { zoneNames } from '../zones/names.ts';
import type { ZoneHost } from '../zones/records.ts';
import { channelKinds } from './channels.ts';
import type { MainParts } from './main-parts.ts';
import { runPath, segmentsPath } from './paths.ts';
import { VERSION } from './version.ts';
import { thisZoneHost } from './zone-host.ts';

export interface AdminParts extends EntryParts, StatusParts {
  readonly zoneHost: ZoneHost;
  /** The directory of the segment files. */
  readonly segments: string;
}

function adminOperations(parts: AdminParts): readonly AnyAdminOperation[] {
  return [
    status(parts),
    domainAdd(parts),
    domainList(parts),
    domainShow(parts),
    domainRemove(parts),
    userAdd(parts),
    userList(parts),
    userShow(parts),
    userRemove(parts),
    groupAdd(parts),
    groupList(parts),
    groupShow(parts),
    groupRemove(parts),
    route(parts),
    syncStatus(parts),
    dnsRecords({ names: zoneNames(parts.reader), host: parts.zoneHost }),
    queueList(parts),
    queueShow(parts),
    queueRetry(parts),
    queueRemove(parts),
    mailboxCheck({ reader: parts.reader, segments: parts.segments, channels: channelKinds }),
    trace(parts),
  ];
}

/** sockaddr_un holds 108 bytes on Linux, 104 elsewhere. */
const SOCKET_PATH_BYTES_MAX = 100;

/** What socketPath makes under the system's temporary directory. */
const ELSEWHERE = /^waypost-[0-9a-f]{12}$/;

/** A path that is too long for a socket gets one under the system's temporary directory, named in `run/admin.path`. */
function socketPath(data: string): string {
  const path = join(runPath(data), 'admin.sock');
  const pointer = join(runPath(data), 'admin.path');
  if (existsSync(pointer)) {
    // A server that was killed has left it. The directory is locked: it belongs to nobody any more.
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

/** Serves the operations to whoever may open the socket: the user that the server runs as. */
export async function serveAdmin(
  main: MainParts,
  listeners: Readonly<Record<string, string>>,
): Promise<{ close(): void }> {
  const { data } = main.configuration;
  const operations = adminOperations({
    ...main,
    gate: new HashGate({ cells: main.shared.hashCells, thread: 0 }),
    zoneHost: thisZoneHost(main),
    segments: segmentsPath(data),
    version: VERSION,
    hostname: main.hostnames[0]!,
    listeners,
  });
  const path = socketPath(data);
  // The directory is locked: a socket that is there belongs to nobody any more.
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
