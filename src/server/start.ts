// The whole server, put together: store, writer, directory; threads; doors, ready. Read from top to bottom.

import { rmSync } from 'node:fs';
import type { ArrivalStep } from '../provisioning/arrival/arrivals.ts';
import { administratorOperations, serveAdmin } from './admin.ts';
import { beginUpkeep } from './begin-upkeep.ts';
import type { Configuration } from './configuration.ts';
import { keepHouse } from './housekeeping.ts';
import { keepOwnHost } from './keep-host.ts';
import { localLdapPath } from './local-ldap.ts';
import { openDoors } from './open-doors.ts';
import { openMain } from './open-main.ts';
import { openWritable } from './open-writable.ts';
import type { Supervisor } from './supervisor.ts';
import { durable } from './switches.ts';
import type { ThreadReport } from './threads/protocol.ts';
import { verifyDaily } from './verify-daily.ts';

type ArrivedReport = Extract<ThreadReport, { kind: 'arrived' }>;

export interface RunningServer {
  readonly hostname: string;
  /** `smtp` -> `127.0.0.1:1025`, a key for each listener. */
  readonly listeners: Readonly<Record<string, string>>;
  /** On the first start only. */
  readonly adminPassword: string | undefined;
  /** `listener` gets the steps of each message that brings its domain, or tries to. */
  onArrival(listener: (steps: readonly ArrivalStep[]) => void): void;
  /** Looks at the files of certificates now. */
  reload(): void;
  stop(): Promise<void>;
}

/** `fatal` prints one line and ends the process at once: what is on disk is not known any more. */
export async function start(
  configured: Configuration,
  fatal: (text: string) => void,
  switches = durable,
): Promise<RunningServer> {
  const startedAt = new Date().toISOString();
  const opened = await openWritable(configured, fatal, switches);
  const { configuration, hostnames, log, supervisor, replica, adminPassword } = opened;
  const main = await openMain(opened, { startedAt, fatal });
  const { threads, zoneSources, directory, domainRenames, certificates } = main;

  // Doors, last of all that may fail: a port that is taken is named, and nothing has begun.
  const listeners: Record<string, string> = {};
  const operations = administratorOperations(main, listeners);
  const doors = await openDoors(main, operations, listeners).catch(async (error: unknown) => {
    await stopThreads();
    throw error;
  });
  const endHostLooks = await keepOwnHost(main, listeners);
  replica?.start();
  const admin = await serveAdmin(main, operations);
  for (const thread of threads.protocol) thread.stand({ kind: 'own-dns', endpoint: doors.ownDns });
  const local = configuration.without.includes('ldap') ? undefined : localLdapPath(configuration.data);
  if (local !== undefined) threads.protocol[0]!.stand({ kind: 'local-ldap', path: local });
  threads.transfer.stand({ kind: 'begin' });
  // Other name servers are the provider's to tell.
  if (replica === undefined) threads.publisher.stand({ kind: 'begin', ownDns: doors.ownDns });
  const endHousekeeping = keepHouse(main);
  const leaveUpkeep = beginUpkeep(main, fatal, switches);
  const endVerifying = verifyDaily(main);
  // What is the directory's own to do is done where it is.
  if (replica === undefined) {
    zoneSources.read();
    directory.read();
    domainRenames.resume();
  }
  log.info('server.ready', { hostname: hostnames[0], listeners });

  /** Transactions under way, segments, writer, store: in this order. */
  async function stopThreads(): Promise<void> {
    await main.incoming.close();
    await opened.endWriting();
    await main.audit.stop();
    opened.closeStore();
  }

  return {
    hostname: hostnames[0]!,
    listeners,
    adminPassword,
    onArrival: (listener) => onArrival(supervisor, listener),
    reload: () => void certificates.look(),
    async stop() {
      endHostLooks();
      endHousekeeping();
      leaveUpkeep();
      endVerifying();
      zoneSources.end();
      directory.end();
      domainRenames.end();
      certificates.end();
      admin.close();
      doors.close();
      await stopThreads();
      if (local !== undefined) rmSync(local, { force: true });
    },
  };
}

function onArrival(supervisor: Supervisor, listener: (steps: readonly ArrivalStep[]) => void): void {
  supervisor.onReport((_, report) => {
    if (report.kind === 'arrived') listener((report as ArrivedReport).steps);
  });
}
