// Long work of administrators gives way to mail: between two commits it waits for as long as the last one took, while a thread that
// serves mail is busy. So it takes half of what it would take of the processors; where nobody sends mail it waits for nothing.
//
// In      how busy the threads were since it was asked last
// Out     how long to wait
// Limits  BUSY_SHARE of the time of one thread; PAUSE_MS_MAX a pause

import type { EventLoopUtilization } from 'node:perf_hooks';

const BUSY_SHARE = 0.5;
const PAUSE_MS_MAX = 1000;

/** A thread that serves; `utilization` is undefined while it has no worker. */
export interface MeasuredThread {
  readonly name: string;
  utilization(): EventLoopUtilization | undefined;
}

export class WayForMail {
  readonly #threads: readonly MeasuredThread[];
  readonly #before = new Map<MeasuredThread, EventLoopUtilization>();

  /** `threads` may be filled later. */
  constructor(threads: readonly MeasuredThread[]) {
    this.#threads = threads;
  }

  /** Milliseconds to wait after a commit that took so many. */
  pauseAfter(tookMs: number): number {
    let isBusy = false;
    for (const thread of this.#threads) {
      if (!thread.name.startsWith('protocol-')) continue;
      const now = thread.utilization();
      const before = this.#before.get(thread);
      if (now === undefined) {
        this.#before.delete(thread);
        continue;
      }
      this.#before.set(thread, now);
      // A successor counts from nothing.
      if (before === undefined || now.active < before.active || now.idle < before.idle) continue;
      const [active, idle] = [now.active - before.active, now.idle - before.idle];
      if (active > (active + idle) * BUSY_SHARE) isBusy = true;
    }
    return isBusy ? Math.min(tookMs, PAUSE_MS_MAX) : 0;
  }
}
