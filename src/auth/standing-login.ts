// A login as a session keeps it: worth what the directory says now, not what it said when the password was right.
//
// In      the published revision, one atomic load; how to read the entry again
// Out     who it is now; undefined when it is over: the entry is gone, a status keeps it out, its time has passed
// Never   answers from a state older than the revision that was published when it was asked; compares the password again
// A session calls `now` at each command, and carries that command out with the login that it returns.

import type { PublishedRevision } from '../base/ids.ts';

/** Who a login was when its password was looked at. */
export interface FirstReading<T> {
  /** The revision that was published before it was read. */
  readonly revision: PublishedRevision;
  readonly value: T;
}

export class StandingLogin<T> {
  readonly #revision: () => PublishedRevision;
  readonly #read: () => T | undefined;
  readonly #hasExpired: (() => boolean) | undefined;
  /** What `#now` was read at, or after. */
  #readAt: PublishedRevision | undefined;
  #now: T | undefined;

  /**
   * `read` gives undefined when the login is over, and throws `unavailable` when it cannot be found out. With `first`
   * nothing is read again while the directory stays as it was then. `hasExpired`: it ends without a change of the directory.
   */
  constructor(
    revision: () => PublishedRevision,
    read: () => T | undefined,
    first?: FirstReading<T>,
    hasExpired?: () => boolean,
  ) {
    this.#revision = revision;
    this.#read = read;
    this.#readAt = first?.revision;
    this.#now = first?.value;
    this.#hasExpired = hasExpired;
  }

  /** Undefined when it is over. Throws `unavailable` when it cannot be found out: the command may be tried again. */
  now(): T | undefined {
    if (this.#hasExpired?.() === true) return undefined;
    const revision = this.#revision();
    if (revision === this.#readAt) return this.#now;
    this.#now = this.#read();
    this.#readAt = revision;
    return this.#now;
  }
}
