// What the publisher thread does, a line a job: each begins with the thread's parts and ends when it is told to.

import type { Site } from '../routing/resolve.ts';
import type { ThreadParts } from './threads/parts.ts';
import { notifySecondaries } from './zone-notify.ts';
import { publishAtPrimaries } from './zone-publish.ts';
import { spreadToOthers, watchOthers } from './zone-watch.ts';

export interface PublisherParts extends ThreadParts {
  readonly site: Site;
  /** `address:port` of our own name server, '' without one. */
  readonly ownDns: string;
}

/** `stop` resolves when nothing of the job is under way. */
type PublisherJob = (parts: PublisherParts) => { stop(): Promise<void> };

export const publisherJobs: readonly PublisherJob[] = [
  notifySecondaries,
  publishAtPrimaries,
  spreadToOthers,
  watchOthers,
];
