// The upkeep thread: what no client waits for, one slice of one task at a time, beside all that serves.
//
// In      the store, as each task (server/upkeep-tasks.ts) finds it
// Out     what its tasks write
// It begins when the server has begun to serve, so that a start does not wait for it.

import { parentPort, workerData } from 'node:worker_threads';
import { Upkeep } from '../../base/upkeep.ts';
import { Blobs } from '../../store/blobs.ts';
import { segmentsPath } from '../paths.ts';
import { type UpkeepParts, upkeepTasks } from '../upkeep-tasks.ts';
import { type CommonReport, type ThreadData, takeOrders, threadParts } from './parts.ts';

/** To the main thread. */
type UpkeepReport = CommonReport | { readonly kind: 'fatal'; readonly text: string };

const data = workerData as ThreadData;
const report = (message: UpkeepReport): void => parentPort?.postMessage(message);
const common = threadParts(data);
const blobs = new Blobs(segmentsPath(common.configuration.data), common.database.reader);
const parts: UpkeepParts = {
  ...common,
  blobs,
  thread: data.thread,
  fatal: (error) => report({ kind: 'fatal', text: error.message }),
};
const upkeep = new Upkeep(
  upkeepTasks.map((make) => make(parts)),
  parts.log,
);

async function stop(): Promise<void> {
  await upkeep.end();
  await parts.writer.settled();
  blobs.close();
  parts.database.close();
  process.exit();
}

takeOrders({ counters: parts.counters, blobs, stop }, () => {});
