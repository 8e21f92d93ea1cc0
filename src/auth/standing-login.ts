// A login as a session keeps it: worth what the directory says now, not what it said when the password was right.
//
// In      the published revision, one atomic load; how to read the entry again
// Out     who it is now; undefined when it is over: the entry is gone, or a status keeps it out
// Never   answers from a state older than the revision that was published when it was asked; compares the password again
// A session calls `now` at each command, and carries that command out with the login that it returns.

export class StandingLogin<T> {
  readonly #revision: () => number;
  readonly #read: () => T | undefined;
  /** What `#now` was read at, or after. */
  #readAt: number | undefined;
  #now: T | undefined;

  /** `read` gives undefined when the login is over, and throws `unavailable` when it cannot be found out. */
  constructor(revision: () => number, read: () => T | undefined) {
    this.#revision = revision;
    this.#read = read;
  }

  /** Undefined when it is over. Throws `unavailable` when it cannot be found out: the command may be tried again. */
  now(): T | undefined {
    const revision = this.#revision();
    if (revision === this.#readAt) return this.#now;
    this.#now = this.#read();
    this.#readAt = revision;
    return this.#now;
  }
}
