// How much one search may take of who asks: bounds for users, none for who keeps the site.

import type { Caller } from './caller.ts';

export interface SearchLimits {
  /** Entries that are found, all pages together; one more is sizeLimitExceeded. */
  readonly entries: number;
  /** Entries that are read although no index leads to them; more is adminLimitExceeded. */
  readonly walked: number;
}

const NONE: SearchLimits = { entries: Number.POSITIVE_INFINITY, walked: Number.POSITIVE_INFINITY };
const OF_USERS: SearchLimits = { entries: 1000, walked: 10_000 };

export function searchLimitsOf({ kind }: Caller): SearchLimits {
  return kind === 'administrator' || kind === 'server' ? NONE : OF_USERS;
}
