// What stands between a client and a check of its password: guessing is made slow here.
//
// In      who asks, as which name, and what came of the check
// Out     a wait before the answer to a failure, or `throttled`: no check at all
// Limits  failures remembered: 10,000; for 15 minutes; a wait of 5 seconds
// Never   says whether a name exists; locks an account: a failure only makes the next one slower

import { asciiLower } from '../base/characters.ts';
import type { Clock } from '../base/clock.ts';
import { keepBelow, LOGIN_LENGTH_MAX } from './bounds.ts';

export interface LoginGuard {
  /** A check is about to begin. Throws `throttled`. `uuid`: the entry's, undefined where the name is unknown. */
  begin(peer: string, name: string, uuid: string | undefined): Promise<LoginAttempt>;
}

/** One check: exactly one of its ends is called. */
export interface LoginAttempt {
  right(): void;
  /** Resolves when the answer may be given. `secret`: the password that was wrong; undefined where it never came here. */
  wrong(secret: Uint8Array | undefined): Promise<void>;
  /** It could not be found out. */
  undecided(): void;
}

const FORGET_FAILURES_MS = 15 * 60_000;
const FAILURES_MAX = 10_000;
const FIRST_DELAY_MS = 100;
const DELAY_MAX_MS = 5000;

interface Failures {
  readonly count: number;
  readonly until: number;
}

export interface DelayOptions {
  readonly clock: Clock;
  /** Resolves after so many milliseconds; tests do not wait. */
  readonly wait?: (ms: number) => Promise<void>;
}

/** Doubles the wait with each failure of one client and name. One a thread. */
export function delayFailures(options: DelayOptions): LoginGuard {
  const { clock, wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)) } = options;
  const failures = new Map<string, Failures>();

  /** How long the answer to this failure waits. */
  function note(who: string): number {
    const now = clock.monotonic();
    const before = failures.get(who);
    const count = before === undefined || before.until <= now ? 1 : before.count + 1;
    failures.delete(who);
    keepBelow(failures, FAILURES_MAX);
    failures.set(who, { count, until: now + FORGET_FAILURES_MS });
    return Math.min(DELAY_MAX_MS, FIRST_DELAY_MS * 2 ** Math.min(count - 1, 10));
  }

  return {
    async begin(peer, name) {
      // Cut, because anybody can send long names.
      const who = `${peer} ${asciiLower(name.slice(0, LOGIN_LENGTH_MAX))}`;
      return {
        right: () => void failures.delete(who),
        wrong: () => wait(note(who)),
        undecided: () => {},
      };
    },
  };
}
