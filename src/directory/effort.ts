// How much a filter looks at, counted: a request of some kilobytes must not make work that has no end.
//
// A step is one condition asked of one entry, one value that it is compared with, or 64 characters of a long one. What needs
// a statement is STATEMENT_STEPS. A step takes about a tenth of a microsecond, so a thread may be held up by it for as long as
// `anEntry` says: nothing else is done between the beginning of an entry and its end.

import type { AttributeValue, Entry } from './entry.ts';
import { directoryFailure } from './failure.ts';

export const STATEMENT_STEPS = 50;

export class Effort {
  readonly #anEntry: number;
  #steps = 0;
  #endsAt: number;

  constructor(anEntry: number) {
    this.#anEntry = anEntry;
    this.#endsAt = anEntry;
  }

  get steps(): number {
    return this.#steps;
  }

  /** The next entry has its own. */
  begin(): void {
    this.#endsAt = this.#steps + this.#anEntry;
  }

  /** Throws `adminLimitExceeded`. */
  spend(steps: number): void {
    this.#steps += steps;
    if (this.#steps > this.#endsAt)
      throw directoryFailure('adminLimitExceeded', 'The filter would look at too much of one entry: ask for less');
  }

  compare(value: AttributeValue): void {
    this.spend(1 + (value.length >> 6));
  }

  /** All attributes are gone through. */
  allOf(entry: Entry): void {
    this.spend(4 * entry.attributes.size);
  }
}
