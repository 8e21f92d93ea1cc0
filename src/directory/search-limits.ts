// How much one search may take of who asks: bounds for users, higher ones for administrators of domains, none for who keeps the
// site and for servers of it.

import type { CallerFacts } from './access/decide.ts';
import { Effort } from './effort.ts';

export interface SearchLimits {
  /** Entries that are found, all pages together; one more is sizeLimitExceeded. */
  readonly entries: number;
  /** Entries that are read although no index leads to them; more is adminLimitExceeded. */
  readonly walked: number;
  /** Of what the filter looks at, all entries together (effort.ts); more is adminLimitExceeded, too. */
  readonly steps: number;
  /** Of these, for one entry. */
  readonly stepsAnEntry: number;
}

/** A part of a list of a million members can be looked for; half a second of the thread. */
const NONE: SearchLimits = {
  entries: Number.POSITIVE_INFINITY,
  walked: Number.POSITIVE_INFINITY,
  steps: Number.POSITIVE_INFINITY,
  stepsAnEntry: 4_000_000,
};
const OF_DOMAINS: SearchLimits = { entries: 100_000, walked: 100_000, steps: 100_000_000, stepsAnEntry: 1_000_000 };
/** Programs look up a thousand people at a time, by two attributes: that is a million conditions. */
const OF_USERS: SearchLimits = { entries: 1000, walked: 10_000, steps: 10_000_000, stepsAnEntry: 200_000 };

/** Undefined: the administrator. */
export function searchLimitsOf(caller: CallerFacts | undefined): SearchLimits {
  if (caller === undefined || caller.isSiteAdministrator || caller.isServer) return NONE;
  return caller.isDomainAdministrator ? OF_DOMAINS : OF_USERS;
}

/** Where it does not matter who asks: what everybody may see. */
export function effortOfAnybody(): Effort {
  return new Effort(OF_USERS.stepsAnEntry);
}

/** What a filter of this caller may take, from here on. */
export function effortOf(caller: CallerFacts | undefined): Effort {
  return new Effort(searchLimitsOf(caller).stepsAnEntry);
}
