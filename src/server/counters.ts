// What a thread counts, and hands to the main thread when the metrics are requested.

import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Name and label of a counter -> how often. Labels are bounded: reply codes, results, listeners. */
export type Counts = Readonly<Record<string, number>>;

/** The one that is no sum: the event loop's delay since the last request, 99th percentile, seconds. */
export const LOOP_DELAY = 'event-loop p99';

const LOOP_DELAY_RESOLUTION_MS = 50;

export class Counters {
  /** By name, then by label: no text is made to count. */
  readonly #counts = new Map<string, Map<string | number, number>>();
  readonly #delay = monitorEventLoopDelay({ resolution: LOOP_DELAY_RESOLUTION_MS });

  constructor() {
    this.#delay.enable();
  }

  add(name: string, label: string | number, count = 1): void {
    let labels = this.#counts.get(name);
    if (labels === undefined) {
      labels = new Map();
      this.#counts.set(name, labels);
    }
    labels.set(label, (labels.get(label) ?? 0) + count);
  }

  counts(): Counts {
    const delay = Math.max(0, this.#delay.percentile(99) / 1e9 - LOOP_DELAY_RESOLUTION_MS / 1000);
    this.#delay.reset();
    const counts: Record<string, number> = {};
    for (const [name, labels] of this.#counts) for (const [label, count] of labels) counts[`${name} ${label}`] = count;
    counts[LOOP_DELAY] = delay;
    return counts;
  }
}
