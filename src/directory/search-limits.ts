// How much one search may take of who asks: bounds for users, higher ones for administrators of domains, none for who keeps the
// site and for servers of it.

import type { CallerFacts } from './access/decide.ts';

export interface SearchLimits {
  /** Entries that are found, all pages together; one more is sizeLimitExceeded. */
  readonly entries: number;
  /** Entries that are read although no index leads to them; more is adminLimitExceeded. */
  readonly walked: number;
}

const NONE: SearchLimits = { entries: Number.POSITIVE_INFINITY, walked: Number.POSITIVE_INFINITY };
const OF_DOMAINS: SearchLimits = { entries: 100_000, walked: 100_000 };
const OF_USERS: SearchLimits = { entries: 1000, walked: 10_000 };

/** Undefined: the administrator. */
export function searchLimitsOf(caller: CallerFacts | undefined): SearchLimits {
  if (caller === undefined || caller.isSiteAdministrator || caller.isServer) return NONE;
  return caller.isDomainAdministrator ? OF_DOMAINS : OF_USERS;
}
