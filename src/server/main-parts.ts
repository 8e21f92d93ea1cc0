// What the main thread has when every other thread runs, for what it serves itself.

import type { HashGate } from '../auth/hash-gate.ts';
import type { Logins } from '../auth/logins.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { WriterClient } from '../database/client.ts';
import type { Reader } from '../database/operation.ts';
import type { SharedState } from '../database/shared.ts';
import type { DirectoryAuthority } from '../directory/source/authority.ts';
import type { DomainRenames } from '../provisioning/domain-rename/renames.ts';
import type { ZoneSources } from '../provisioning/zone-sources.ts';
import type { RoutingCache } from '../routing/cache.ts';
import type { SyncRuns } from '../routing/sync-runs.ts';
import type { Audit } from './audit.ts';
import type { Certificates } from './certificates.ts';
import type { Configuration } from './configuration.ts';
import type { Counters } from './counters.ts';
import type { DirectoryThread } from './directory-thread.ts';
import type { MainIntakes } from './main-intakes.ts';
import type { OtherServers } from './other-servers.ts';
import type { ServingThreads } from './serving-threads.ts';
import type { Supervisor } from './supervisor.ts';

export interface MainParts {
  readonly configuration: Configuration;
  /** This host's name and its former ones. */
  readonly hostnames: readonly string[];
  /** ISO 8601. */
  readonly startedAt: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly shared: SharedState;
  readonly reader: Reader;
  readonly writer: WriterClient;
  readonly routing: RoutingCache;
  readonly syncRuns: SyncRuns;
  readonly zoneSources: ZoneSources;
  readonly directory: DirectoryThread;
  readonly authority: DirectoryAuthority;
  readonly domainRenames: DomainRenames;
  readonly otherServers: OtherServers;
  readonly gate: HashGate;
  readonly logins: Logins;
  /** What this thread counts. */
  readonly counters: Counters;
  readonly supervisor: Supervisor;
  readonly threads: ServingThreads;
  readonly certificates: Certificates;
  readonly audit: Audit;
  readonly incoming: MainIntakes;
}
