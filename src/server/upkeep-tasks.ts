// What the upkeep thread does, a line a task: each is made of the thread's parts, and works in slices.

import type { UpkeepTask } from '../base/upkeep.ts';
import type { Blobs } from '../store/blobs.ts';
import { SegmentFigures } from '../store/segment-figures.ts';
import { expiryTask } from './expiry-task.ts';
import { indexTask } from './index-task.ts';
import type { ThreadParts } from './threads/parts.ts';
import { rewriteSegments } from './upkeep-space.ts';

export interface UpkeepParts extends ThreadParts {
  readonly blobs: Blobs;
  /** Number of the thread in shared memory. */
  readonly thread: number;
  /** Reports to the main thread, which ends the process. */
  readonly fatal: (error: Error) => void;
}

export const upkeepTasks: readonly ((parts: UpkeepParts) => UpkeepTask)[] = [
  rewriteSegments,
  indexTask,
  ({ database, counters }) =>
    new SegmentFigures(database.reader, (state, difference) => counters.add('segment-bytes', state, difference)),
  expiryTask,
];
