// The proof of the tables once a day, by itself: whoever waits for a wrong row to show must not wait for a sender's complaint.

import { asFailure } from '../base/failure.ts';
import type { MainParts } from './main-parts.ts';

const LOOK_MS = 60_000;

type VerifyParts = Pick<MainParts, 'configuration' | 'syncRuns' | 'clock' | 'log'>;

/** Gives the function that ends it. */
export function verifyDaily({ configuration, syncRuns, clock, log }: VerifyParts): () => void {
  const { verifyMs } = configuration.sync;
  if (verifyMs === undefined) return () => {};
  // A server that was never proved is not in a hurry either: its start has enough to do.
  const startedAt = clock.now();
  const timer = setInterval(async () => {
    const last = syncRuns.lastVerify();
    if (clock.now() - Math.max(startedAt - verifyMs + LOOK_MS, last === undefined ? 0 : Date.parse(last.at)) < verifyMs)
      return;
    try {
      const { rows, differing } = await syncRuns.verify();
      if (differing > 0) log.warn('sync.differ', { rows, differing });
      else log.info('sync.verify', { rows });
    } catch (error) {
      log.warn('sync.verify', { detail: asFailure(error).detail ?? String(error) });
    }
  }, LOOK_MS);
  return () => clearInterval(timer);
}
