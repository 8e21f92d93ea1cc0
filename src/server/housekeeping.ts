// Periodic work: what has no reference any more is removed, and its files after the commit.

import { stat, unlink } from 'node:fs/promises';
import { forgetClients } from '../auth/known-clients.ts';
import { systemClock } from '../base/clock.ts';
import { removeOldCopies } from '../database/upgrade.ts';
import { pruneChangeLog } from '../directory/change-log.ts';
import { tendKeys } from '../provisioning/dkim/keys.ts';
import { forgetPending } from '../provisioning/pending/entries.ts';
import { pruneHistory } from '../routing/prune-history.ts';
import { collect, NO_SEGMENT } from '../store/collect.ts';
import { segmentPath } from '../store/segment.ts';
import { removeAside } from '../store/segment-files.ts';
import { pruneZoneChanges } from '../zones/changes.ts';
import type { MainParts } from './main-parts.ts';
import { databasePath, segmentsPath } from './paths.ts';

/** Rows of the change log, and of the tables' history, that one round takes away at most. */
const CHANGES_A_ROUND = 2000;
/** Rows of clients from which accounts have logged in, likewise. */
const CLIENTS_A_ROUND = 2000;
const EVERY_MS = 60_000;
/** Readers that have a row in hand get so long to read its bytes; later ones read the row once more. */
const UNLINK_AFTER_MS = 10_000;

type HousekeepingParts = Pick<MainParts, 'configuration' | 'writer' | 'log' | 'supervisor' | 'counters'>;

/** Gives the function that ends it. */
export function keepHouse(parts: HousekeepingParts): () => void {
  const { configuration, writer, log, supervisor, counters } = parts;
  const segments = segmentsPath(configuration.data);
  const database = databasePath(configuration.data);
  let stopped = false;
  let after = NO_SEGMENT;
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
      ({ more, after } = await writer.execute(collect, { after }));
      // A round that removes fewer has removed all.
      more = (await writer.execute(pruneChangeLog, systemClock.now())) >= CHANGES_A_ROUND || more;
      more = (await writer.execute(pruneHistory, null)) >= CHANGES_A_ROUND || more;
      more = (await writer.execute(pruneZoneChanges, systemClock.now())) >= CHANGES_A_ROUND || more;
      // The provider's, where this server follows one.
      if (configuration.provider === undefined) {
        await writer.execute(tendKeys, systemClock.now());
        await writer.execute(forgetPending, systemClock.now());
      }
      more = (await writer.execute(forgetClients, systemClock.now())) >= CLIENTS_A_ROUND || more;
      for (const copy of removeOldCopies(database, systemClock.now())) log.info('store.remove-copy', { copy });
      for (const file of await removeAside(segments, systemClock.now())) log.info('store.remove-aside', { file });
    } catch (error) {
      log.warn('store.collect', { detail: String(error) });
    }
    if (!stopped) later(more ? 100 : EVERY_MS, round);
  };
  const end = writer.onNotification((notification) => {
    if (notification.kind !== 'segment' || stopped) return;
    // Not unlinked by then: it has no row, so the next start takes it away.
    later(UNLINK_AFTER_MS, () => {
      // Every thread closes its descriptor, or the space would not come back.
      supervisor.post({ kind: 'forget-segment', segment: notification.segment });
      remove(segmentPath(segments, notification.segment)).then(
        (bytes) => counters.add('segment-freed', '', bytes),
        (error: unknown) => log.warn('store.unlink', { detail: String(error) }),
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

/** Gives how many octets the file had. */
async function remove(path: string): Promise<number> {
  const { size } = await stat(path);
  await unlink(path);
  return size;
}
