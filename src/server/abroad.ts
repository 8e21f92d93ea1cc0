// How many recipients in other domains an account has in an hour, counted once for the process.

import { systemClock } from '../base/clock.ts';
import type { TokenBuckets } from '../base/token-buckets.ts';
import type { Login } from '../routing/login.ts';

/** Of an account that has no limit of its own: enough for a person, too few for who has stolen a password. */
const RECIPIENTS_PER_HOUR = 1000;

/** One more; false where the account has had all of this hour. */
export function countAbroad(buckets: TokenBuckets): (login: Login) => boolean {
  return ({ account, recipientsPerHour: size = RECIPIENTS_PER_HOUR }) => {
    const kind = { name: 'abroad', size, perMinute: size / 60 };
    return buckets.take(buckets.bucket(kind, String(account)), systemClock.monotonic());
  };
}
