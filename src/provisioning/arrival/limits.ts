// How much arrivals may be and cost.

import { HOUR_MS } from '../../base/duration.ts';

/** New domains within NEW_DOMAINS_WINDOW_MS. A peer is an IPv4 address or an IPv6 /64. */
export const NEW_DOMAINS_PER_PEER = 60;
export const NEW_DOMAINS_OF_SITE = 600;
export const NEW_DOMAINS_WINDOW_MS = HOUR_MS;
/** Names that are looked up at once, in one thread. */
export const ARRIVALS_MAX = 100;
/** A refusal is remembered so long, in a thread, and so many are. */
export const REFUSALS_MS = 300_000;
export const REFUSALS_MAX = 10_000;
/** Names that wait for a word, of which is remembered for as long what was found, in a thread. */
export const WAITING_MAX = 1000;
/** The look-ups together may take this long of the time from RCPT to its reply. */
export const EVIDENCE_MS = 2000;
/** So long the name servers of a zone are remembered, in a thread, and so many zones are. */
export const ZONES_MS = 300_000;
export const ZONES_MAX = 1000;
/** Addresses of name servers that are asked for one name. */
export const SERVERS_MAX = 20;
