// The store at a start: its directory and lock, its format before any thread looks, and what the last run left.

import { systemClock } from '../base/clock.ts';
import { Ids } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { openReader } from '../database/connection.ts';
import { lockDirectory } from '../database/lock.ts';
import type { Reader } from '../database/operation.ts';
import { SharedState } from '../database/shared.ts';
import { useSiteSchema } from '../directory/site-schema.ts';
import { highestId, unlinkUnknownSegments } from '../store/collect.ts';
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
export async function openStore(data: string, log: Log, { synchronous }: Switches): Promise<OpenStore> {
  makeDataDirectory(data);
  const lock = lockDirectory(data);
  bringToFormat(data, log, synchronous);
  const shared = new SharedState();
  const { reader, close } = openReader(databasePath(data));
  new Ids(shared.ids, 0, systemClock.now).startAbove(highestId(reader));
  shared.publish({ revision: reader.revision(), routingRevision: reader.routingRevision() });
  const leaveSchema = useSiteSchema(reader, () => shared.revision());
  await unlinkUnknownSegments(reader, segmentsPath(data));
  return {
    shared,
    reader,
    close() {
      leaveSchema();
      close();
      lock.release();
    },
  };
}
