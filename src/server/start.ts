// The whole server, put together: directory, lock, store, threads, doors, ready. Read from top to bottom.

import { rmSync } from 'node:fs';
import { HashGate } from '../auth/hash-gate.ts';
import { systemClock } from '../base/clock.ts';
import { createLog } from '../base/log.ts';
import { WriterClient } from '../database/client.ts';
import type { ArrivalStep } from '../provisioning/arrival/arrivals.ts';
import { prepareHost } from '../provisioning/bootstrap.ts';
import { DomainRenames } from '../provisioning/domain-rename/renames.ts';
import { renameHost } from '../provisioning/keep-host.ts';
import { providerAuthority } from '../provisioning/replica/authority.ts';
import { HandingWriter } from '../provisioning/replica/handing-writer.ts';
import { Replica } from '../provisioning/replica/replica.ts';
import { RoutingCache } from '../routing/cache.ts';
import { nameHost } from '../routing/host-names.ts';
import { dropHalfBuilt } from '../routing/rebuild.ts';
import { SyncRuns } from '../routing/sync-runs.ts';
import { closeAllSegments } from '../store/collect.ts';
import { administratorOperations, serveAdmin } from './admin.ts';
import { watchAdminPassword } from './admin-password.ts';
import { keepAudit, LoginLines } from './audit.ts';
import { Certificates } from './certificates.ts';
import type { Configuration } from './configuration.ts';
import { Counters } from './counters.ts';
import { makeSubmitFolder } from './data-directory.ts';
import { DirectoryThread } from './directory-thread.ts';
import { makeFirstKeys } from './first-keys.ts';
import { firstStart } from './first-start.ts';
import { hostNames } from './host-name.ts';
import { keepHouse } from './housekeeping.ts';
import { keepOwnHost } from './keep-host.ts';
import { localLdapPath } from './local-ldap.ts';
import { threadLogins } from './logins.ts';
import { keepMaildropLocks } from './maildrops.ts';
import { openMainIntakes } from './main-intakes.ts';
import type { MainParts } from './main-parts.ts';
import { openDoors } from './open-doors.ts';
import { openStore } from './open-store.ts';
import { OtherServers } from './other-servers.ts';
import { findFollowed } from './replica.ts';
import { startThreads } from './serving-threads.ts';
import { siteOf } from './site.ts';
import { SourceAuthority } from './source-authority.ts';
import { callsOfSources } from './source-calls.ts';
import { Supervisor } from './supervisor.ts';
import { durable } from './switches.ts';
import type { ThreadReport } from './threads/protocol.ts';
import { compileAnew } from './upgrade.ts';
import { verifyDaily } from './verify-daily.ts';
import { keepZoneSources } from './zone-sources.ts';

type RenewReport = Extract<ThreadReport, { kind: 'renew-local' }>;
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
  const { data } = configured;
  const clock = systemClock;
  const startedAt = new Date(clock.now()).toISOString();
  const log = createLog(configured.log, 'main');
  for (const detail of configured.warnings) log.warn('server.configuration', { detail });
  const { shared, reader, close } = await openStore(configured, log, switches);
  makeSubmitFolder(data, configured.submit.folder);
  const hostnames = hostNames(configured);
  const followed = await findFollowed({ configuration: configured, hostname: hostnames[0]!, reader, log });
  const configuration = followed === undefined ? configured : { ...configured, defaultHost: followed.hostname };
  const common = { configuration, hostnames, log, shared };

  // The writer first: all other threads write through it.
  let replica: Replica | undefined;
  const supervisor = new Supervisor({ ...common, fatal, provider: () => replica });
  await supervisor.startWriter(switches);
  const ownWriter = new WriterClient(supervisor.writerPort(0), shared);
  await ownWriter.execute(closeAllSegments, { at: clock.now() });
  await ownWriter.execute(nameHost, { hostnames, defaultHost: configuration.defaultHost });
  await dropHalfBuilt(ownWriter);
  await compileAnew(reader, ownWriter);
  if (followed !== undefined) replica = new Replica({ ...followed, reader, writer: ownWriter, log, clock });
  await replica?.first();
  // What is to change the directory is handed on, where that is another server's.
  const writer = replica === undefined ? ownWriter : new HandingWriter(supervisor.writerPort(0), shared, replica);
  const makesKeys = configuration.auth.scram !== 'off';
  const [hostname, ...formerNames] = hostnames;
  let adminPassword: string | undefined;
  if (replica === undefined) {
    await writer.execute(renameHost, { hostname: hostname!, formerNames, now: clock.now() });
    adminPassword = await firstStart(data, hostname!, { reader, writer, clock, makesKeys });
    await writer.execute(prepareHost, { hostname: hostname!, suffixes: configuration.suffixes, now: clock.now() });
    await makeFirstKeys(reader, writer, clock);
  }
  const otherServers = new OtherServers({ clock, supervisor, replica });
  watchAdminPassword(data, reader, writer);
  keepMaildropLocks(supervisor);
  const audit = keepAudit({ ...common, reader, supervisor });
  const counters = new Counters();
  const [threads, certificates] = await Promise.all([
    startThreads(supervisor, writer, configuration.threads),
    Certificates.open({ ...common, clock, reader, counters }),
  ]);
  // Before any connection can be handed over.
  certificates.serve(threads.protocol);
  supervisor.onReport((thread, report) => {
    if (report.kind === 'renew-local') void certificates.renewFor(thread, (report as RenewReport).request);
  });
  const gate = new HashGate({ cells: shared.hashCells, thread: 0 });
  const directory = new DirectoryThread({ reader, writer, supervisor, isElsewhere: replica !== undefined });
  const callSource = callsOfSources(replica, (call) => directory.ask(call));
  const sources = new SourceAuthority({ reader, writer, call: callSource });
  const authority = replica === undefined ? sources : providerAuthority(replica, sources);
  const routing = new RoutingCache({
    reader,
    revision: () => shared.routingRevision(),
    site: siteOf(hostnames, configuration, reader),
    count: (what, count) => counters.add(`routing-${what}`, '', count),
    authority,
  });
  const lines = new LoginLines(shared.loginBuckets, audit.append);
  const logins = threadLogins({ reader, writer, routing, authority, shared, gate, counters, lines, configuration });
  const serving = { supervisor, threads, certificates, audit };
  const syncRuns = new SyncRuns({ reader, writer, clock });
  const zoneSources = keepZoneSources({ ...common, reader, writer, clock, gate, supervisor });
  const domainRenames = new DomainRenames({ ...common, reader, writer, clock });
  const incoming = openMainIntakes({ ...common, reader, writer, routing, clock, fatal });
  const main: MainParts = {
    incoming,
    ...common,
    syncRuns,
    zoneSources,
    directory,
    authority,
    domainRenames,
    otherServers,
    ...serving,
    startedAt,
    clock,
    reader,
    writer,
    routing,
    gate,
    logins,
    counters,
  };

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
  const endVerifying = verifyDaily(main);
  // What is the directory's own to do is done where it is.
  if (replica === undefined) {
    zoneSources.read();
    directory.read();
    domainRenames.resume();
  }
  log.info('server.ready', { hostname: hostnames[0], listeners: listeners });

  /** Transactions under way, segments, writer, store: in this order. */
  async function stopThreads(): Promise<void> {
    await incoming.close();
    await writer.settled();
    await replica?.stop();
    await ownWriter.settled();
    await supervisor.stop();
    await audit.stop();
    close();
  }

  return {
    hostname: hostnames[0]!,
    listeners: listeners,
    adminPassword,
    onArrival: (listener) => onArrival(supervisor, listener),
    reload: () => void certificates.look(),
    async stop() {
      endHostLooks();
      endHousekeeping();
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
