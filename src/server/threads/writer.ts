// The writer thread: the one connection that writes, serving a port for each other thread.

import type { MessagePort } from 'node:worker_threads';
import { parentPort, workerData } from 'node:worker_threads';
import { createLog } from '../../base/log.ts';
import { openForWriting, openReader } from '../../database/connection.ts';
import { reserveLog } from '../../database/reserve.ts';
import { SharedState } from '../../database/shared.ts';
import { WriterLoop } from '../../database/writer-thread.ts';
import { useSiteSchema } from '../../directory/site-schema.ts';
import { useSuffix } from '../../directory/suffix.ts';
import { SegmentSyncs } from '../../store/segment-syncs.ts';
import type { Configuration } from '../configuration.ts';
import { databasePath, segmentsPath } from '../paths.ts';
import { siteOf } from '../site.ts';
import { operationsFor } from '../units.ts';

export interface WriterData {
  readonly configuration: Configuration;
  readonly shared: SharedArrayBuffer;
  readonly hostnames: readonly string[];
  /** Switches of the tests that show what the commit and its sync are for. */
  readonly acknowledgeEarly: boolean;
  readonly synchronous: 'FULL' | 'OFF';
}

/** To the main thread. */
export type WriterReport = { readonly kind: 'started' } | { readonly kind: 'fatal'; readonly text: string };
/** From the main thread. */
export type WriterOrder =
  | { readonly kind: 'serve'; readonly thread: number; readonly port: MessagePort }
  | { readonly kind: 'stop' };

const data = workerData as WriterData;
const { configuration } = data;
const database = openForWriting(databasePath(configuration.data), data.synchronous);
reserveLog(database, databasePath(configuration.data));
const report = (message: WriterReport): void => parentPort?.postMessage(message);

const opened = openReader(databasePath(configuration.data));
const site = siteOf(data.hostnames, configuration, opened.reader);
const shared = new SharedState(data.shared);
useSuffix(configuration.suffixes[0]!);
// What is committed, as all others see it; it stays open.
useSiteSchema(opened.reader, () => shared.revision());

const loop = new WriterLoop({
  database,
  operations: operationsFor(site, configuration.quota.warnPercent),
  shared,
  log: createLog(configuration.log, 'writer'),
  segments: new SegmentSyncs(segmentsPath(configuration.data)),
  fatal: (error) => report({ kind: 'fatal', text: error.message }),
  acknowledgeEarly: data.acknowledgeEarly,
});

parentPort?.on('message', (order: WriterOrder) => {
  if (order.kind === 'serve') loop.serve(order.thread, order.port);
  else {
    // Every other thread has settled its calls before.
    database.close();
    process.exit();
  }
});
report({ kind: 'started' });
