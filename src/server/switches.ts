// What a test may switch off to see its own harness fail, or switch on sooner. Only the tests' entry point passes other values than these.

export interface Switches {
  /** Replies leave before the commit. */
  readonly acknowledgeEarly: boolean;
  /** `OFF`: a commit is not synced. */
  readonly synchronous: 'FULL' | 'OFF';
  /** So long behind the start the upkeep thread begins: others have begun by then, and have both cores for themselves. */
  readonly upkeepAfterMs: number;
}

export const durable: Switches = { acknowledgeEarly: false, synchronous: 'FULL', upkeepAfterMs: 2000 };
