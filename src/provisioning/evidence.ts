// May a message bring a domain? The policy of the seed's Fig. 6, as decisions over what was looked up.
//
// In      the recipient's domain, the setting, the routing table, the MX set that the configured resolver gives
// Out     go on, or the reply to RCPT
// Rules   the setting is `auto`; the name lies under a mail domain of ours that is active, by at most NEW_LABELS_MAX labels;
//         its MX set names this host; the nearest ancestor has a catch-all
// Never   takes "could not find out" for "no": that one is a temporary reply
// RFC 5321 §5.1

import { asciiLower } from '../base/characters.ts';
import type { Reply } from '../base/reply.ts';
import { isValidDomain } from '../message/address.ts';
import { replies } from '../routing/replies.ts';
import type { Site } from '../routing/resolve.ts';
import type { RouteRow } from '../routing/rows.ts';
import { decidingStatus } from '../routing/status.ts';

/** `[provision] from-mx` */
export type FromMx = 'off' | 'entries' | 'auto';

/** Labels of a name beyond the nearest mail domain that is ours already. */
const NEW_LABELS_MAX = 4;
export const NEW_DOMAINS_PER_PEER = 60;
export const NEW_DOMAINS_WINDOW_MS = 3_600_000;
/** Arrivals under way at once, in one thread. */
export const ARRIVALS_MAX = 100;
/** The look-up of the MX records may take this long of the time from RCPT to its reply. */
export const EVIDENCE_TIMEOUT_MS = 2000;

export type MxEvidence =
  | { readonly kind: 'records'; readonly exchanges: readonly string[] }
  /** NXDOMAIN, or a name without MX records. */
  | { readonly kind: 'none' }
  /** Time-out, SERVFAIL, a resolver that refuses. */
  | { readonly kind: 'unavailable'; readonly reason: string };

export const arrivalReplies = {
  noEvidence: { code: 451, enhanced: '4.4.3', text: 'The MX record of the domain cannot be looked up now' },
  tooMany: { code: 451, enhanced: '4.7.1', text: 'Too many new domains, try again later' },
  full: { code: 452, enhanced: '4.3.1', text: 'Insufficient system storage, try again later' },
  notPublished: { code: 451, enhanced: '4.4.3', text: 'The domain is being set up, try again later' },
} as const satisfies Record<string, Reply>;

/** A name that arrives if its MX records name us. */
export interface Candidate {
  readonly domain: string;
  /** The nearest ancestor that is a mail domain of ours. */
  readonly parent: RouteRow;
}

/**
 * What the tables say before DNS is asked. Undefined: the name is no candidate, so it is a foreign domain like any other.
 * `routeOf` gives the row of exactly that domain.
 */
export function candidateOf(
  domain: string,
  policy: FromMx,
  routeOf: (domain: string) => RouteRow | null | undefined,
): Candidate | undefined {
  if (policy !== 'auto' || !isValidDomain(domain)) return undefined;
  const labels = domain.split('.');
  for (let added = 1; added <= NEW_LABELS_MAX && added < labels.length; added++) {
    const parent = routeOf(labels.slice(added).join('.'));
    if (parent !== null && parent !== undefined) return isActive(parent) ? { domain, parent } : undefined;
  }
  return undefined;
}

function isActive(route: RouteRow): boolean {
  return decidingStatus(route, undefined, (meaning) => meaning.reply !== undefined) === undefined;
}

/** Undefined: the MX set names this host, so the domain may come. */
export function refusalByEvidence(answer: MxEvidence, site: Site): Reply | undefined {
  switch (answer.kind) {
    case 'records':
      return answer.exchanges.some((name) => isOurs(name, site)) ? undefined : replies.relayDenied;
    case 'none':
      return replies.relayDenied;
    case 'unavailable':
      return arrivalReplies.noEvidence;
  }
}

/** A name from a record, with or without the final dot. */
export function isOurs(exchange: string, site: Site): boolean {
  const name = asciiLower(exchange.endsWith('.') ? exchange.slice(0, -1) : exchange);
  return site.hostnames.includes(name);
}
