// Expiry by itself: a round begins when the upkeep thread does, and an hour after the last one has begun.

import { systemClock } from '../base/clock.ts';
import { HOUR_MS } from '../base/duration.ts';
import type { UpkeepTask } from '../base/upkeep.ts';
import { type Expired, expireAll } from '../provisioning/expiry.ts';
import type { UpkeepParts } from './upkeep-tasks.ts';

const SLICE_MS = 100;

export function expiryTask({ database, writer, log }: Pick<UpkeepParts, 'database' | 'writer' | 'log'>): UpkeepTask {
  let round: AsyncGenerator<Expired | undefined> | undefined;
  let beganAt = 0;
  return {
    name: 'expiry',
    async run() {
      const began = performance.now();
      if (round === undefined) {
        beganAt = began;
        round = expireAll({ reader: database.reader, writer, log, now: systemClock.now() });
      }
      const under = round;
      // One that fails is not gone on with: the next begins anew.
      round = undefined;
      do {
        if ((await under.next()).done === true) return Math.max(0, beganAt + HOUR_MS - performance.now());
      } while (performance.now() < began + SLICE_MS);
      round = under;
      return 0;
    },
  };
}
