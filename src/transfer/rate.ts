// So many deliveries of a channel begin in a time, and no more: in any such time, not only in those that begin on the minute.
//
// In      a rate (compile-channel.ts), each beginning
// Out     when the next one may be
// Limits  as many times are remembered as the rate counts
// Memory only: a start forgets them

import type { Rate } from '../routing/compile-channel.ts';

export class Beginnings {
  readonly rate: Rate;
  /** Times of the last ones, monotonic: a ring, `#next` is the oldest. */
  readonly #times: Float64Array;
  #next = 0;

  constructor(rate: Rate) {
    this.rate = rate;
    this.#times = new Float64Array(rate.count).fill(Number.NEGATIVE_INFINITY);
  }

  /** The next one may be then, or is late. */
  get nextAt(): number {
    return this.#times[this.#next]! + this.rate.ms;
  }

  begin(now: number): void {
    this.#times[this.#next] = now;
    this.#next = (this.#next + 1) % this.#times.length;
  }
}
