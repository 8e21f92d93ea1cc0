// The publisher thread: what other name servers are told, and what they are asked, apart from all that serves.
//
// In      the store's notifications; where our own name server listens
// Out     what its jobs (server/publisher-jobs.ts) send and write
// A server that never answers keeps this thread's jobs waiting and nobody else.

import { workerData } from 'node:worker_threads';
import { type PublisherParts, publisherJobs } from '../publisher-jobs.ts';
import { siteOf } from '../site.ts';
import { type ThreadData, takeOrders, threadParts } from './parts.ts';

/** From the main thread. */
export interface PublisherOrder {
  /** Standing: all that may fail at a start has gone well, and our name server listens there; '' where none does. */
  readonly kind: 'begin';
  readonly ownDns: string;
}

const data = workerData as ThreadData;
const parts = threadParts(data);
const site = siteOf(data.hostnames, parts.configuration, parts.database.reader);
const running: { stop(): Promise<void> }[] = [];

function begin(ownDns: string): void {
  const jobParts: PublisherParts = { ...parts, site, ownDns };
  for (const start of publisherJobs) running.push(start(jobParts));
}

async function stop(): Promise<void> {
  await Promise.all(running.map((job) => job.stop()));
  parts.database.close();
  process.exit();
}

takeOrders({ counters: parts.counters, stop }, (order: PublisherOrder) => {
  if (running.length === 0) begin(order.ownDns);
});
