// The whole server, put together: directories, lock, format, writer, threads, listeners, ready. Read from top to bottom.

import type { Socket } from 'node:net';
import { HashGate } from '../auth/hash-gate.ts';
import { systemClock } from '../base/clock.ts';
import { Ids } from '../base/ids.ts';
import { createLog } from '../base/log.ts';
import { WriterClient } from '../database/client.ts';
import { openReader } from '../database/connection.ts';
import { lockDirectory } from '../database/lock.ts';
import { probe } from '../database/operation.ts';
import { SharedState } from '../database/shared.ts';
import type { ArrivalStep } from '../provisioning/arrival.ts';
import { RoutingCache } from '../routing/cache.ts';
import { closeAllSegments, closeSegmentsOf, highestId, unlinkUnknownSegments } from '../store/collect.ts';
import { adminOperations, serveAdmin } from './admin.ts';
import { watchAdminPassword } from './admin-password.ts';
import type { Configuration } from './configuration.ts';
import { makeDataDirectory } from './data-directory.ts';
import { firstStart } from './first-start.ts';
import { hostNames } from './host-name.ts';
import { keepHouse } from './housekeeping.ts';
import { createHttpDoor } from './http.ts';
import { formatEndpoint, handTo, type Listener, listenTcp, portOf } from './listen.ts';
import { listenDns } from './listen-dns.ts';
import { keepMaildropLocks } from './maildrop-locks.ts';
import { Metrics } from './metrics.ts';
import { databasePath, segmentsPath } from './paths.ts';
import { type ListenerName, tcpListeners } from './ports.ts';
import { Supervisor } from './supervisor.ts';
import type { ThreadReport } from './threads/protocol.ts';
import { bringToFormat, compileAnew } from './upgrade.ts';
import { VERSION } from './version.ts';
import { thisZoneHost } from './zone-host.ts';

/** A dead thread's last calls have their outcome by then. */
const DRAINED_MS = 1000;

type ArrivedReport = Extract<ThreadReport, { kind: 'arrived' }>;

export interface RunningServer {
  readonly hostname: string;
  /** `smtp` -> `127.0.0.1:1025`, a key for each listener. */
  readonly listeners: Readonly<Record<string, string>>;
  /** On the first start only. */
  readonly adminPassword: string | undefined;
  /** `listener` hears the steps of each message that brings its domain, or tries to. */
  onArrival(listener: (steps: readonly ArrivalStep[]) => void): void;
  stop(): Promise<void>;
}

/** `fatal` prints one line and ends the process at once: nobody can say what is on disk. */
export async function start(configuration: Configuration, fatal: (text: string) => void): Promise<RunningServer> {
  const { data } = configuration;
  const startedAt = new Date(systemClock.now()).toISOString();
  makeDataDirectory(data);
  const lock = lockDirectory(data);
  const log = createLog(configuration.log, 'main');
  const hostnames = hostNames(configuration);
  const hostname = hostnames[0]!;

  // The format, before any thread looks.
  const synchronous = process.env['WAYPOST_TEST_SYNCHRONOUS'] === 'off' ? 'OFF' : 'FULL';
  bringToFormat(data, log, synchronous);

  // What the last run left: ids go on above its highest, its open segments are closed, files without a row go.
  const shared = new SharedState();
  const { reader, close } = openReader(databasePath(data));
  const ids = new Ids(shared.ids, 0, systemClock.now);
  ids.startAbove(highestId(reader));
  shared.publishRevision(reader.revision());
  await unlinkUnknownSegments(reader, segmentsPath(data));

  const supervisor = new Supervisor({ configuration, hostnames, shared, log, fatal });
  keepMaildropLocks(supervisor);
  await supervisor.startWriter({
    acknowledgeEarly: process.env['WAYPOST_TEST_ACKNOWLEDGE_EARLY'] === '1',
    synchronous,
  });
  const writer = new WriterClient(supervisor.writerPort(0), shared);
  await writer.execute(closeAllSegments, { at: systemClock.now() });
  await compileAnew(reader, writer);
  const adminPassword = await firstStart(data, hostname, { reader, writer, clock: systemClock });
  watchAdminPassword(data, reader, writer);

  const [dnsThread, transferThread, ...protocolThreads] = await Promise.all([
    supervisor.startThread({ name: 'dns', module: new URL('./threads/dns.ts', import.meta.url) }),
    supervisor.startThread({ name: 'transfer', module: new URL('./threads/transfer.ts', import.meta.url) }),
    ...Array.from({ length: configuration.threads }, (_, i) =>
      supervisor.startThread({
        name: `protocol-${i + 1}`,
        module: new URL('./threads/protocol.ts', import.meta.url),
      }),
    ),
  ]);

  // The main thread's own doors: health and metrics, and the administrator's socket.
  const site = { hostnames };
  const routing = new RoutingCache({ reader, revision: () => shared.revision(), site });
  const metrics = new Metrics({
    reader,
    shared,
    supervisor,
    threads: supervisor.threads,
    databasePath: databasePath(data),
  });
  const httpDoor = createHttpDoor({
    async ready() {
      routing.resolve({ localPart: 'postmaster', domain: '' });
      await writer.execute(probe, {});
    },
    metrics: () => metrics.text(),
  });

  // Listeners, last of all that may fail: a port that is taken is named, and nothing has begun.
  const hand = handTo(protocolThreads, shared);
  const accepted = (socket: Socket, name: ListenerName): void => {
    if (name === 'http') {
      httpDoor.emit('connection', socket);
      socket.resume();
    } else hand(socket, name);
  };
  const listeners: Listener[] = [];
  const endpoints: Record<string, string> = {};
  try {
    for (const address of configuration.listen)
      for (const name of tcpListeners) {
        const port = portOf(configuration, name);
        const listener =
          name === 'dns'
            ? await listenDns(supervisor, dnsThread, address, port, accepted)
            : await listenTcp(name, address, port, accepted);
        listeners.push(listener);
        endpoints[name] ??= formatEndpoint(listener.address, listener.port);
      }
  } catch (error) {
    await stopThreads();
    throw error;
  }
  const ownDns = listeners.find(({ name }) => name === 'dns')!;
  const endpoint = formatEndpoint(reachable(ownDns.address), ownDns.port);
  for (const thread of protocolThreads) thread.post({ kind: 'own-dns', endpoint });

  const admin = await serveAdmin(
    data,
    adminOperations({
      reader,
      writer,
      routing,
      clock: systemClock,
      gate: new HashGate({ cells: shared.hashCells, thread: 0 }),
      zoneHost: thisZoneHost({ configuration, hostnames }),
      segments: segmentsPath(data),
      version: VERSION,
      startedAt,
      hostname,
      listeners: endpoints,
    }),
    log,
  );
  transferThread.post({ kind: 'begin' });
  supervisor.onExit((thread) => {
    const at = systemClock.now();
    // What it had posted is executed first: the writer has its port drained well before.
    setTimeout(
      () => writer.execute(closeSegmentsOf, { thread: thread.number, at }).catch(() => {}),
      DRAINED_MS,
    ).unref();
  });
  const endHousekeeping = keepHouse({
    writer,
    database: databasePath(data),
    segments: segmentsPath(data),
    log,
    forgetSegment: (segment) => {
      for (const thread of supervisor.threads) thread.post({ kind: 'forget-segment', segment });
    },
  });
  log.info('server.ready', { hostname, listeners: endpoints });

  /** Transactions under way, segments, writer, lock: in this order. */
  async function stopThreads(): Promise<void> {
    for (const listener of listeners) listener.server.close();
    httpDoor.close();
    httpDoor.closeAllConnections();
    await writer.settled();
    await supervisor.stop();
    close();
    lock.release();
  }

  return {
    hostname,
    listeners: endpoints,
    adminPassword,
    onArrival(listener) {
      supervisor.onReport((_, report) => {
        if (report.kind === 'arrived') listener((report as ArrivedReport).steps);
      });
    },
    async stop() {
      endHousekeeping();
      admin.close();
      await stopThreads();
    },
  };
}

/** Where a listener on all addresses is reached from this machine. */
function reachable(address: string): string {
  return address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address;
}
