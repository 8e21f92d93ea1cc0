// What has to be done now and then: taking away what nobody refers to, and its files after the commit.

import { unlink } from 'node:fs/promises';
import { systemClock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { WriterClient } from '../database/client.ts';
import { removeOldCopies } from '../database/upgrade.ts';
import { pruneChangeLog } from '../directory/change-log.ts';
import { collect } from '../store/collect.ts';
import { segmentPath } from '../store/segment.ts';

/** Rows of the change log that one round takes away at most. */
const CHANGES_A_ROUND = 2000;
const EVERY_MS = 60_000;
/** Readers that have a row in hand get so long to read its bytes; later ones read the row once more. */
const UNLINK_AFTER_MS = 10_000;

export interface HousekeepingParts {
  readonly writer: WriterClient;
  /** Path of the database. */
  readonly database: string;
  readonly segments: string;
  readonly log: Log;
  /** Every thread closes its descriptor of this segment, or its space would not come back. */
  readonly forgetSegment: (segment: number) => void;
}

/** Gives the function that ends it. */
export function keepHouse(parts: HousekeepingParts): () => void {
  const { writer, log } = parts;
  let stopped = false;
  const timers = new Set<NodeJS.Timeout>();
  const later = (ms: number, run: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      run();
    }, ms);
    timers.add(timer);
  };
  const round = async (): Promise<void> => {
    if (stopped) return;
    let more = false;
    try {
      ({ more } = await writer.execute(collect, {}));
      // Below that many nothing is left to do.
      more = (await writer.execute(pruneChangeLog, systemClock.now())) >= CHANGES_A_ROUND || more;
      for (const copy of removeOldCopies(parts.database, systemClock.now())) log.info('store.remove-copy', { copy });
    } catch (error) {
      log.warn('store.collect', { detail: String(error) });
    }
    if (!stopped) later(more ? 100 : EVERY_MS, round);
  };
  const end = writer.onNotification((notification) => {
    if (notification.kind !== 'segment' || stopped) return;
    // Not unlinked by then: it has no row, so the next start takes it away.
    later(UNLINK_AFTER_MS, () => {
      parts.forgetSegment(notification.segment);
      unlink(segmentPath(parts.segments, notification.segment)).catch((error: unknown) =>
        log.warn('store.unlink', { detail: String(error) }),
      );
    });
  });
  later(EVERY_MS, round);
  return () => {
    stopped = true;
    end();
    for (const timer of timers) clearTimeout(timer);
  };
}
