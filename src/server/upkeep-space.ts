// Space in segments, as a task of the upkeep thread: with a segment of its own, whose bytes are on disk before a row names them.

import { statfs } from 'node:fs/promises';
import { systemClock } from '../base/clock.ts';
import type { UpkeepTask } from '../base/upkeep.ts';
import { hasOldCopies } from '../database/upgrade.ts';
import { openSegment } from '../store/collect.ts';
import { Rewriting } from '../store/rewrite.ts';
import { type SegmentHost, SegmentWriter } from '../store/segment.ts';
import { databasePath, segmentsPath } from './paths.ts';
import { endWhenAsked, segmentHost } from './threads/parts.ts';
import type { UpkeepParts } from './upkeep-tasks.ts';

export function rewriteSegments(parts: UpkeepParts): UpkeepTask {
  const { configuration, counters, database, writer, shared, thread } = parts;
  const { rewriteBytes, compressMs } = configuration.store;
  const directory = segmentsPath(configuration.data);
  const host: SegmentHost = {
    ...segmentHost(parts, thread, parts.fatal),
    isSyncSlow: () => true,
    // What is moved into it is compressed on the way.
    opened: (segment) =>
      writer.execute(openSegment, { segment, thread, at: systemClock.now(), isPacked: compressMs !== undefined }),
  };
  const segments = new SegmentWriter(host);
  endWhenAsked(segments, writer);
  return new Rewriting({
    ...parts,
    ...{ reader: database.reader, clock: systemClock, host, segments, compressMs },
    directory,
    bytesPerSecond: rewriteBytes,
    freeShare: async () => {
      const { bavail, blocks } = await statfs(directory);
      return bavail / blocks;
    },
    commitMicros: () => shared.commitMicros(),
    mayMove: () => !hasOldCopies(databasePath(configuration.data)),
    copied: (bytes) => counters.add('segment-copied', '', bytes),
  });
}
