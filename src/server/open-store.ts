// The store at a start: its directory and lock, its format before any thread looks, and what the last run left.

import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { ConfigurationFailure } from '../base/exit.ts';
import { Failure } from '../base/failure.ts';
import { Ids, idText } from '../base/ids.ts';
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
import { highestId } from '../store/collect.ts';
import { highestIndexedId } from '../store/search-index/searched.ts';
import { hasSegments, settleSegmentFiles } from '../store/segment-files.ts';
import type { Configuration } from './configuration.ts';
import { makeDataDirectory } from './data-directory.ts';
import { databasePath, runPath, segmentsPath } from './paths.ts';
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
  await refuseBesideAnother(data);
  const holdsMail = await hasSegments(segmentsPath(data));
  bringToFormat(data, { log, synchronous, mayBegin: () => refuseWhereMailIs(data, holdsMail) });
  const shared = new SharedState();
  const { reader, close } = openReader(databasePath(data));
  new Ids(shared.ids, 0, systemClock.now).startAbove(Math.max(highestId(reader), highestIndexedId(reader)));
  shared.publish({ revision: reader.revision(), routingRevision: reader.routingRevision() });
  const leaveSuffix = useStoredSuffix(reader, suffixes[0]!);
  const leaveSchema = useSiteSchema(reader, () => shared.revision());
  followPublished(reader, () => shared.revision());
  await settleFiles(reader, data, log);
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

/** The lock goes with its file: who takes that away has not ended the server that holds it. */
async function refuseBesideAnother(data: string): Promise<void> {
  const other = connect({ path: join(runPath(data), 'admin.sock') });
  const isThere = await once(other, 'connect').then(
    () => true,
    () => false,
  );
  other.destroy();
  if (isThere)
    throw new Failure(
      'conflict',
      `${data} is in use by another server, whose file \`lock\` is gone: end that one first`,
    );
}

/** A new database beside mail of an older one would refuse that mail's people, and its files would go. */
function refuseWhereMailIs(data: string, holdsMail: boolean): void {
  if (!holdsMail) return;
  throw new Failure(
    'conflict',
    `${databasePath(data)} is missing or empty, and ${segmentsPath(data)} holds mail: ` +
      'put the database back, or move the data directory away to begin anew',
  );
}

async function settleFiles(reader: Reader, data: string, log: Log): Promise<void> {
  const { aside, back, missing } = await settleSegmentFiles(reader, segmentsPath(data));
  for (const name of aside)
    log.error('store.segment-aside', {
      file: name,
      detail:
        'newer than store.db, which is an older copy: kept for seven days, and used again once the store.db is back that knows it',
    });
  for (const name of back) log.warn('store.segment-back', { file: name });
  for (const { segment, messages } of missing)
    log.error('store.segment-missing', {
      file: `${idText(segment)}.seg`,
      messages,
      detail: 'these messages cannot be read: put the file back from a backup; `waypost mailbox check` names them',
    });
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
