// Time, passed in everywhere so that a test can set it.

export interface Clock {
  /** Wall clock, epoch milliseconds. It may jump: never use it to wait. */
  now(): number;
  /** Milliseconds of a clock that only goes forward, from an arbitrary start: one for all threads of the process. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  // performance.now() begins anew in each thread.
  monotonic() {
    const [seconds, nanoseconds] = process.hrtime();
    return seconds * 1000 + nanoseconds / 1e6;
  },
};
