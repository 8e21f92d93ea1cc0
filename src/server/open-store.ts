// The store at a start: its directory and lock, its format before any thread looks, and what the last run left.

import { systemClock } from '../base/clock.ts';
import { ConfigurationFailure } from '../base/exit.ts';
import { Ids } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { openReader } from '../database/connection.ts';
import { lockDirectory } from '../database/lock.ts';
import type { Reader } from '../database/operation.ts';
import { SharedState } from '../database/shared.ts';
import { normalizeDn } from '../directory/dn.ts';
import { rootNames } from '../directory/entries.ts';
import { followPublished } from '../directory/once-a-revision.ts';
import { useSiteSchema } from '../directory/site-schema.ts';
import { useSuffix } from '../directory/suffix.ts';
import { highestId, unlinkUnknownSegments } from '../store/collect.ts';
import type { Configuration } from './configuration.ts';
import { makeDataDirectory } from './data-directory.ts';
import { databasePath, segmentsPath } from './paths.ts';
import type { Switches } from './switches.ts';
import { bringToFormat } from './upgrade.ts';

export interface OpenStore {
  /** For the threads: ids go on above the last run's highest, the revision is the committed one. */
  readonly shared: SharedState;
  /** Of the main thread. */
  readonly reader: Reader;
  /** Another process may have the directory. */
  close(): void;
}

/** Brings the format up to date and takes away segment files that have no row. */
export async function openStore(
  { data, suffixes }: Pick<Configuration, 'data' | 'suffixes'>,
  log: Log,
  { synchronous }: Switches,
): Promise<OpenStore> {
  makeDataDirectory(data);
  const lock = lockDirectory(data);
  bringToFormat(data, log, synchronous);
  const shared = new SharedState();
  const { reader, close } = openReader(databasePath(data));
  new Ids(shared.ids, 0, systemClock.now).startAbove(highestId(reader));
  shared.publish({ revision: reader.revision(), routingRevision: reader.routingRevision() });
  const leaveSuffix = useStoredSuffix(reader, suffixes[0]!);
  const leaveSchema = useSiteSchema(reader, () => shared.revision());
  followPublished(reader, () => shared.revision());
  await unlinkUnknownSegments(reader, segmentsPath(data));
  return {
    shared,
    reader,
    close() {
      leaveSchema();
      leaveSuffix();
      close();
      lock.release();
    },
  };
}

/** All names of domains and all that Waypost keeps for itself stand below it, so a store has the one that it was made with. */
function useStoredSuffix(reader: Reader, configured: string): () => void {
  const [stored] = rootNames(reader);
  if (stored !== undefined && normalizeDn(stored) !== normalizeDn(configured))
    throw new ConfigurationFailure(
      'invalid',
      `[directory] suffix: the first is ${stored} since this store was made, and never changes`,
    );
  return useSuffix(stored ?? configured);
}
