// What a test may switch off to see its own harness fail. Only the tests' entry point passes other values than these.

export interface Switches {
  /** Replies leave before the commit. */
  readonly acknowledgeEarly: boolean;
  /** `OFF`: a commit is not synced. */
  readonly synchronous: 'FULL' | 'OFF';
}

export const durable: Switches = { acknowledgeEarly: false, synchronous: 'FULL' };
