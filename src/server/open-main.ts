// The second half of a start: all other threads, and what the main thread itself serves with, before any door.
//
// In      the store and the directory (open-writable.ts)
// Out     MainParts
// Order   the threads are there before the certificates know them: no connection can have been handed over

import { HashGate } from '../auth/hash-gate.ts';
import { DomainRenames } from '../provisioning/domain-rename/renames.ts';
import { providerAuthority } from '../provisioning/replica/authority.ts';
import { RoutingCache } from '../routing/cache.ts';
import { SyncRuns } from '../routing/sync-runs.ts';
import { watchAdminPassword } from './admin-password.ts';
import { keepAudit, LoginLines } from './audit.ts';
import { Certificates } from './certificates.ts';
import { Counters } from './counters.ts';
import { DirectoryThread } from './directory-thread.ts';
import { threadLogins } from './logins.ts';
import { keepMaildropLocks } from './maildrops.ts';
import { openMainIntakes } from './main-intakes.ts';
import type { MainParts } from './main-parts.ts';
import type { Writable } from './open-writable.ts';
import { OtherServers } from './other-servers.ts';
import { startThreads } from './serving-threads.ts';
import { siteOf } from './site.ts';
import { SourceAuthority } from './source-authority.ts';
import { callsOfSources } from './source-calls.ts';
import type { ThreadReport } from './threads/protocol.ts';
import { keepZoneSources } from './zone-sources.ts';

type RenewReport = Extract<ThreadReport, { kind: 'renew-local' }>;

export async function openMain(
  { endWriting: _, closeStore: __, adminPassword: ___, replica, ...opened }: Writable,
  { startedAt, fatal }: { readonly startedAt: string; readonly fatal: (text: string) => void },
): Promise<MainParts> {
  const { configuration, hostnames, shared, supervisor, reader, writer, clock } = opened;
  const otherServers = new OtherServers({ clock, supervisor, replica });
  watchAdminPassword(configuration.data, reader, writer);
  keepMaildropLocks(supervisor);
  const audit = keepAudit(opened);
  const counters = new Counters();
  const [threads, certificates] = await Promise.all([
    startThreads(supervisor, writer, configuration.threads),
    Certificates.open({ ...opened, counters }),
  ]);
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
  return {
    ...{ ...opened, startedAt, threads, certificates, audit, counters },
    ...{ directory, authority, routing, gate, otherServers },
    logins: threadLogins({ reader, writer, routing, authority, shared, gate, counters, lines, configuration }),
    syncRuns: new SyncRuns({ reader, writer, clock }),
    zoneSources: keepZoneSources({ ...opened, gate }),
    domainRenames: new DomainRenames(opened),
    incoming: openMainIntakes({ ...opened, routing, fatal }),
  };
}
