// The administrator's operations over a real directory, for tests.

import { HashGate } from '../auth/hash-gate.ts';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { ADMINISTRATOR_CALLER } from '../directory/caller.ts';
import { openTestDirectory, type TestDirectory, testSite } from '../provisioning/testing.ts';
import { ZoneSources } from '../provisioning/zone-sources.ts';
import { SyncRuns } from '../routing/sync-runs.ts';
import { domainAdd } from './domain.ts';
import type { EntryParts } from './entries.ts';
import { type AdminOperation, runAdminOperation } from './operation.ts';
import type { SyncParts } from './sync.ts';

export interface TestAdmin {
  readonly directory: TestDirectory;
  readonly parts: EntryParts & SyncParts;
}

const NO_SOURCES: SyncParts['directory'] = {
  status: async () => [],
  acceptRemovals: async () => {},
  probe: () => Promise.reject(new Error('no source')),
};

/** The directory has this domain; the test closes it. */
export async function openTestAdmin(domain: string): Promise<TestAdmin> {
  const directory = await openTestDirectory();
  const { reader, writer, cache: routing } = directory;
  const syncRuns = new SyncRuns({ reader, writer, clock: systemClock });
  const { hostnames } = testSite;
  const zoneSite = { hostname: hostnames[0]!, mode: 'embedded' } as const;
  const common = { reader, writer, clock: systemClock, gate: new HashGate(), hostnames, zoneSite };
  const parts = {
    ...common,
    routing,
    syncRuns,
    zoneSources: new ZoneSources({ ...common, log: silentLog }),
    directory: NO_SOURCES,
    otherServers: { provider: undefined, followers: [] },
  };
  await run(domainAdd(parts), { domain });
  return { directory, parts };
}

/** As over the admin socket. */
export function run<I, T>(operation: AdminOperation<I, T>, input: I): Promise<T> {
  return runAdminOperation(operation, input, { caller: ADMINISTRATOR_CALLER, peer: '' });
}
