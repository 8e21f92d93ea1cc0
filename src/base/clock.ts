// Time, passed in everywhere so that a test can set it.

export interface Clock {
  /** Wall clock, epoch milliseconds. It may jump: never use it to wait. */
  now(): number;
  /** Milliseconds of a clock that only goes forward, from an arbitrary start. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};
