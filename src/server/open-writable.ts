// The first half of a start: the store, the thread that writes it, and the directory as this host needs it, before any other thread.
//
// In      the configuration
// Out     how to read and write; the directory that this server follows, if it follows one
// Order   store -> writer -> what a crash has left half done -> rows compiled anew -> the followed directory's first state, or
//         this directory's own entries and keys

import { type Clock, systemClock } from '../base/clock.ts';
import { createLog, type Log } from '../base/log.ts';
import { WriterClient } from '../database/client.ts';
import type { Reader } from '../database/operation.ts';
import type { SharedState } from '../database/shared.ts';
import { prepareHost } from '../provisioning/bootstrap.ts';
import { renameHost } from '../provisioning/keep-host.ts';
import { HandingWriter } from '../provisioning/replica/handing-writer.ts';
import { Replica } from '../provisioning/replica/replica.ts';
import { nameHost } from '../routing/host-names.ts';
import { dropHalfBuilt } from '../routing/rebuild.ts';
import { closeAllSegments } from '../store/collect.ts';
import type { Configuration } from './configuration.ts';
import { makeSubmitFolder } from './data-directory.ts';
import { makeFirstKeys } from './first-keys.ts';
import { firstStart } from './first-start.ts';
import { hostNames } from './host-name.ts';
import { openStore } from './open-store.ts';
import { findFollowed } from './replica.ts';
import { Supervisor } from './supervisor.ts';
import type { Switches } from './switches.ts';
import { compileAnew } from './upgrade.ts';

export interface Writable {
  readonly configuration: Configuration;
  /** This host's name and its former ones. */
  readonly hostnames: readonly string[];
  readonly log: Log;
  readonly clock: Clock;
  readonly shared: SharedState;
  readonly supervisor: Supervisor;
  readonly reader: Reader;
  /** Changes of a directory that is another server's are handed on. */
  readonly writer: WriterClient;
  /** Undefined: the directory is this server's own. */
  readonly replica: Replica | undefined;
  /** On the first start only. */
  readonly adminPassword: string | undefined;
  /** When all that was written is settled: what follows ends, then the writer's thread with all others. */
  endWriting(): Promise<void>;
  closeStore(): void;
}

/** `fatal` as of `start`. */
export async function openWritable(
  configured: Configuration,
  fatal: (text: string) => void,
  switches: Switches,
): Promise<Writable> {
  const { data } = configured;
  const clock = systemClock;
  const log = createLog(configured.log, 'main');
  for (const detail of configured.warnings) log.warn('server.configuration', { detail });
  const { shared, reader, close } = await openStore(configured, log, switches);
  makeSubmitFolder(data, configured.submit.folder);
  const hostnames = hostNames(configured);
  const followed = await findFollowed({ configuration: configured, hostname: hostnames[0]!, reader, log });
  const configuration = followed === undefined ? configured : { ...configured, defaultHost: followed.hostname };
  const common = { configuration, hostnames, log, shared };

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
  const writer = replica === undefined ? ownWriter : new HandingWriter(supervisor.writerPort(0), shared, replica);
  const opened = { ...common, clock, supervisor, reader, writer };
  return {
    ...opened,
    replica,
    adminPassword: replica === undefined ? await prepareOwnDirectory(opened) : undefined,
    async endWriting() {
      await writer.settled();
      await replica?.stop();
      await ownWriter.settled();
      await supervisor.stop();
    },
    closeStore: close,
  };
}

/** The entries and keys that a server of its own needs; gives the administrator's password where it is new. */
async function prepareOwnDirectory({
  configuration,
  hostnames: [hostname, ...formerNames],
  reader,
  writer,
  clock,
}: Pick<Writable, 'configuration' | 'hostnames' | 'reader' | 'writer' | 'clock'>): Promise<string | undefined> {
  const { data, suffixes, auth } = configuration;
  await writer.execute(renameHost, { hostname: hostname!, formerNames, now: clock.now() });
  const makesKeys = auth.scram !== 'off';
  const adminPassword = await firstStart(data, hostname!, { reader, writer, clock, makesKeys });
  await writer.execute(prepareHost, { hostname: hostname!, suffixes, now: clock.now() });
  await makeFirstKeys(reader, writer, clock);
  return adminPassword;
}
