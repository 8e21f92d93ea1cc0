// How many deliveries at once a destination's host has shown to bear.
//
// In      how each delivery went; the first wait of a row that is put off
// Out     how many may be under way; what all rows get while the host cannot be reached
// States  open, from START -> larger by 1/window with each delivery that reaches the host, smaller by 1 with each that does not
//         -> at 0 closed, until the first wait is over -> one probes -> open with 1, or closed again
// RFC 5321 §4.5.4.1

import type { Outcome } from './outcome.ts';

const START = 5;

export class DestinationWindow {
  #size = START;
  #closed: { readonly outcome: Outcome; readonly until: number } | undefined;

  /** As if nothing were known. */
  get isFresh(): boolean {
    return this.#size === START;
  }

  /** Whole deliveries; 0 while it is closed. */
  size(now: number): number {
    if (this.#closed !== undefined && now >= this.#closed.until) this.probe();
    return Math.floor(this.#size);
  }

  /** What rows get that are due while it is closed. */
  outcome(now: number): Outcome | undefined {
    return this.size(now) > 0 ? undefined : this.#closed?.outcome;
  }

  /** One may go out now, whatever has been. */
  probe(): void {
    if (this.#closed === undefined) return;
    this.#closed = undefined;
    this.#size = 1;
  }

  good(max: number): void {
    // What was under way when it was closed has shown that there is somebody.
    this.probe();
    this.#size = Math.min(max, this.#size + 1 / this.#size);
  }

  bad(outcome: Outcome, until: number): void {
    // Those that were under way say no more than what is known.
    if (this.#closed !== undefined) return;
    this.#size -= 1;
    if (this.#size >= 1) return;
    this.#size = 0;
    this.#closed = { outcome, until };
  }
}
