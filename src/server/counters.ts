// What a thread counts, and hands to the main thread when somebody asks for the metrics.

/** Name and label of a counter -> how often. Labels are bounded: reply codes, results, listeners. */
export type Counts = Readonly<Record<string, number>>;

export class Counters {
  readonly #counts = new Map<string, number>();

  add(name: string, label: string | number, count = 1): void {
    const key = `${name} ${label}`;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + count);
  }

  counts(): Counts {
    return Object.fromEntries(this.#counts);
  }
}
