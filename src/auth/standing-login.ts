// A login as a session keeps it: worth what the directory says now, not what it said when the password was right.
//
// In      the published revision, one atomic load; how to read the entry again
// Out     who it is now; undefined when it is over: the entry is gone, a status keeps it out, its time has passed
// Never   answers from a state older than the revision that was published when it was asked; compares the password again
// A session calls `now` at each command, and carries that command out with the login that it returns. One that waits for its
// client is told by `watch`.

import { randomUUID } from 'node:crypto';
import type { PublishedRevision } from '../base/ids.ts';

/** Who a login was when its password was looked at. */
export interface FirstReading<T> {
  /** The revision that was published before it was read. */
  readonly revision: PublishedRevision;
  readonly value: T;
}

export interface StandingLoginOptions<T> {
  readonly revision: () => PublishedRevision;
  /** Undefined when the login is over. Throws `unavailable` when it cannot be found out. */
  readonly read: () => T | undefined;
  /** Nothing is read again while the directory stays as it was then. */
  readonly first?: FirstReading<T> | undefined;
  /** It ends without a change of the directory. */
  readonly msLeft?: (() => number) | undefined;
  /** Calls `over` once, when a commit has ended it; gives the function that ends the watching. */
  readonly watch?: (login: StandingLogin<unknown>, over: () => void) => () => void;
}

export class StandingLogin<T> {
  /** Of this login among all, in all threads. */
  readonly id = randomUUID();
  readonly #options: StandingLoginOptions<T>;
  /** What `#now` was read at, or after. */
  #readAt: PublishedRevision | undefined;
  #now: T | undefined;
  #isEnded = false;

  constructor(options: StandingLoginOptions<T>) {
    this.#options = options;
    this.#readAt = options.first?.revision;
    this.#now = options.first?.value;
  }

  /** Undefined when it is over. Throws `unavailable` when it cannot be found out: the command may be tried again. */
  now(): T | undefined {
    const { revision, read, msLeft } = this.#options;
    if (this.#isEnded || (msLeft !== undefined && msLeft() <= 0)) return undefined;
    const published = revision();
    if (published === this.#readAt) return this.#now;
    this.#now = read();
    this.#readAt = published;
    return this.#now;
  }

  /** For good: its password has changed. */
  end(): void {
    this.#isEnded = true;
  }

  /** Calls `over` once, when a commit has ended it, however idle its session is. Gives the function that ends the watching. */
  watch(over: () => void): () => void {
    return this.#options.watch?.(this, over) ?? (() => {});
  }
}
