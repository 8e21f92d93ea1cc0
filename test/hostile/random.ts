// Chance that a seed repeats: what a fuzzer found, it finds again.

/** Small and repeatable. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 <= n < below */
  below(below: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * below);
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }
}
