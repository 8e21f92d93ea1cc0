// What stands between a client and a check of its password: guessing is slow, from one place or a thousand, and the owner of
// the account notices nothing.
//
// In      each check of a password or a proof: the peer, the name, the entry where the name has one; what came of it
// Out     it may go on, or Failure `throttled` after a second; a wrong answer is held back for a while
// States  of a check: under way -> right | wrong | undecided
// Limits  below, in the bucket kinds; process-wide (base/token-buckets.ts)
// Never   tells known names from unknown ones; delays a right password; asks another thread
//
// A client is an IPv4 address or a /64; loopback is one like others. Where the account has never logged in from the client,
// a check draws from three buckets: that of client and name, the client's, the name's. Where it has, only from one of client and
// name that nobody elsewhere can empty. Tokens are drawn when a check starts, so that a thousand at once are no way around
// them, and given back when the password was right; while checks under way have the last ones, the next waits for them.
// A phone with an old password says the same wrong one again and again: that is no guessing, and counts once an hour.

import { asciiLower } from '../base/characters.ts';
import type { Clock } from '../base/clock.ts';
import { HOUR_MS } from '../base/duration.ts';
import { Failure } from '../base/failure.ts';
import type { Bucket, BucketKind, TokenBuckets } from '../base/token-buckets.ts';
import { clientOf } from '../net/client-of.ts';
import { LOGIN_LENGTH_MAX } from './bounds.ts';
import type { KnownClients } from './known-clients.ts';

const PAIR: BucketKind = { name: 'pair', size: 10, perMinute: 1 };
const CLIENT: BucketKind = { name: 'client', size: 50, perMinute: 6 };
const NAME: BucketKind = { name: 'name', size: 100, perMinute: 6 };
const KNOWN_PAIR: BucketKind = { name: 'known', size: 100, perMinute: 10 };

const FIRST_DELAY_MS = 100;
const DELAY_MAX_MS = 5000;
/** 0.1 s doubled so often is more than the longest delay. */
const DOUBLINGS_MAX = 10;
const FORGET_FAILURES_MS = 15 * 60_000;
const SAME_SECRET_MS = HOUR_MS;
const THROTTLED_ANSWER_MS = 1000;
/** Another thread's settled check is seen at once; this is for one that died with its thread. */
const LOOK_AGAIN_MS = 1000;

export interface LoginGuard {
  /**
   * A check is about to begin. Throws `throttled`, after a second. `name` undefined: a token that alone says who asks. `uuid`:
   * the entry's, undefined where there is none.
   */
  begin(peer: string, name: string | undefined, uuid: string | undefined): Promise<LoginAttempt>;
}

/** One check: exactly one of its ends is called. */
export interface LoginAttempt {
  right(): void;
  /** Behind `right`, where the account may log in: it knows this client from now on. */
  letIn(): void;
  /** Resolves when the answer may be given. `secret`: the password that was wrong; undefined where it never came here. */
  wrong(secret: Uint8Array | undefined): Promise<void>;
  /** Nothing was found out: the proof was not wrong by what is here either. */
  undecided(): void;
}

export interface ThrottleParts {
  readonly buckets: TokenBuckets;
  readonly known: KnownClients;
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Resolves after so many milliseconds; tests do not wait. */
  readonly wait?: (ms: number) => Promise<void>;
}

export function createThrottle(parts: ThrottleParts): LoginGuard {
  const { buckets, known, clock } = parts;
  const wait = parts.wait ?? ((ms) => new Promise<void>((resolve) => setTimeout(resolve, ms)));
  return {
    async begin(peer, name, uuid) {
      const client = clientOf(peer);
      // All names of an account are one; the name of nobody is itself, cut because anybody can send long ones. A blank tells
      // one from the other.
      const who = uuid ?? ` ${asciiLower((name ?? '').slice(0, LOGIN_LENGTH_MAX))}`;
      const place = known.look(who, client);
      const pair = buckets.bucket(place === 'unknown' ? PAIR : KNOWN_PAIR, `${client} ${who}`);
      let draws: readonly Bucket[] = [pair];
      // A token of nobody's is not a guess at anybody's: it counts for the client alone.
      const isNobody = name === undefined && uuid === undefined;
      if (place === 'unknown') {
        const ofClient = buckets.bucket(CLIENT, client);
        draws = isNobody ? [ofClient] : [pair, ofClient, buckets.bucket(NAME, who)];
      }
      for (;;) {
        const seen = buckets.settled();
        const drawn = buckets.draw(draws, clock.monotonic());
        if (drawn === 'drawn') break;
        if (drawn === 'empty') {
          await wait(THROTTLED_ANSWER_MS);
          throw new Failure('throttled', 'Too many failed logins, try again later');
        }
        await buckets.nextSettled(seen, LOOK_AGAIN_MS);
      }
      return {
        right() {
          buckets.settle(draws, clock.monotonic(), true);
        },
        letIn() {
          if (uuid !== undefined && place !== 'fresh') void known.note(uuid, client);
        },
        async wrong(secret) {
          const now = clock.monotonic();
          const isAgain =
            secret !== undefined && !buckets.isFirst('secret', secretKey(who, secret), now, SAME_SECRET_MS);
          buckets.settle(draws, now, isAgain);
          const failures = buckets.fail(pair, now, FORGET_FAILURES_MS);
          await wait(Math.min(DELAY_MAX_MS, FIRST_DELAY_MS * 2 ** Math.min(failures - 1, DOUBLINGS_MAX)));
        },
        undecided() {
          buckets.settle(draws, clock.monotonic(), true);
        },
      };
    },
  };
}

function secretKey(who: string, secret: Uint8Array): string {
  return `${who} ${Buffer.from(secret).toString('latin1')}`;
}
