// May a message bring a domain? The policy of the seed's Fig. 6, as decisions over what was looked up.
//
// In      the recipient's domain, the setting, the routing table; the MX sets that the configured resolver gives for the name
//         and for a random name beside it
// Out     yes, no and why, or that it could not be found out
// Rules   the setting is `auto`; the name lies under a mail domain of ours that is active, by at most NEW_LABELS_MAX labels;
//         its most preferred MX is this host. An alias at the name, a null MX, an address or `localhost` as an MX, and a
//         wildcard that says the same of every name speak against it
// Never   takes "could not find out" for "no": that one is a temporary reply. Never takes a backup MX for a home
// RFC 5321 §5.1, RFC 7505, RFC 4592

import { isIP } from 'node:net';
import { asciiLower } from '../base/characters.ts';
import type { Reply } from '../base/reply.ts';
import { isValidDomain } from '../message/address.ts';
import type { DnsReply, Mx, Unavailable } from '../net/dns-client.ts';
import type { Site } from '../routing/resolve.ts';
import type { RouteRow } from '../routing/rows.ts';
import { decidingStatus } from '../routing/status.ts';
import { RCODE, rcodeName } from '../wire/dns/codes.ts';

/** `[provision] from-mx` */
export type FromMx = 'off' | 'entries' | 'auto';

/** Labels of a name beyond the nearest mail domain that is ours already. */
const NEW_LABELS_MAX = 4;
/** Within NEW_DOMAINS_WINDOW_MS. A peer is an IPv4 address or an IPv6 /64. */
export const NEW_DOMAINS_PER_PEER = 60;
export const NEW_DOMAINS_OF_SITE = 600;
export const NEW_DOMAINS_WINDOW_MS = 3_600_000;
/** Arrivals under way at once, in one thread. */
export const ARRIVALS_MAX = 100;
/** A refusal is remembered so long, in a thread, and so many are. */
export const REFUSALS_MS = 300_000;
export const REFUSALS_MAX = 10_000;
/** The look-ups together may take this long of the time from RCPT to its reply. */
export const EVIDENCE_TIMEOUT_MS = 2000;

export type MxEvidence =
  /** `.` is a null MX; else names in lower case without a final dot. `dnssec`: the resolver says that it has verified them. */
  | { readonly kind: 'records'; readonly exchanges: readonly Mx[]; readonly dnssec: boolean }
  /** A CNAME stands at the name. */
  | { readonly kind: 'alias' }
  /** NXDOMAIN, or a name without MX records. */
  | { readonly kind: 'none' }
  /** Time-out, SERVFAIL, a resolver that refuses. */
  | { readonly kind: 'unavailable'; readonly reason: string };

export const arrivalReplies = {
  noEvidence: { code: 451, enhanced: '4.4.3', text: 'The MX record of the domain cannot be looked up now' },
  tooMany: { code: 451, enhanced: '4.7.1', text: 'Too many new domains, try again later' },
  full: { code: 452, enhanced: '4.3.1', text: 'Insufficient system storage, try again later' },
  notPublished: { code: 451, enhanced: '4.3.2', text: 'The domain is being set up, try again later' },
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

/** What a reply of the resolver says of a name's MX records. */
export function mxEvidenceOf(domain: string, reply: DnsReply | Unavailable): MxEvidence {
  if ('unavailable' in reply) return { kind: 'unavailable', reason: reply.unavailable };
  const { rcode, answers, authenticData } = reply;
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) return { kind: 'unavailable', reason: rcodeName(rcode) };
  const own = answers.filter(({ name }) => asciiLower(name) === domain);
  if (own.some(({ type }) => type === 'CNAME')) return { kind: 'alias' };
  const exchanges = own.flatMap((record) => (record.type === 'MX' ? [mxOf(record)] : []));
  return exchanges.length === 0 ? { kind: 'none' } : { kind: 'records', exchanges, dnssec: authenticData };
}

function mxOf({ preference, exchange }: Mx): Mx {
  return { preference, exchange: exchange === '.' ? '.' : asciiLower(withoutDot(exchange)) };
}

/** Of the name, and of a random name beside it: what is said of every name says nothing of this one. */
export interface Evidence {
  readonly name: MxEvidence;
  readonly sibling: MxEvidence;
}

type EvidenceVerdict = 'yes' | { readonly no: string } | { readonly unknown: string };

/** A "no" that is sure comes before what could not be found out. */
export function judgeEvidence({ name, sibling }: Evidence, site: Site): EvidenceVerdict {
  switch (name.kind) {
    case 'none':
      return { no: 'no MX record' };
    case 'alias':
      return { no: 'the name is an alias' };
    case 'unavailable':
      return { unknown: name.reason };
  }
  const { exchanges } = name;
  const illegal = exchanges.find(({ exchange }) => isNoHost(exchange));
  if (illegal !== undefined) return { no: `MX ${illegal.exchange}` };
  const best = Math.min(...exchanges.map(({ preference }) => preference));
  if (!exchanges.some(({ preference, exchange }) => preference === best && isOurs(exchange, site)))
    return { no: 'the most preferred MX is another host' };
  if (sibling.kind === 'unavailable') return { unknown: sibling.reason };
  if (sibling.kind === 'records' && textOf(sibling.exchanges) === textOf(exchanges))
    return { no: 'any name beside it has the same MX' };
  return 'yes';
}

/** Null MX (RFC 7505), an address where a name must stand, whoever asks itself. */
function isNoHost(exchange: string): boolean {
  return exchange === '.' || exchange === 'localhost' || isIP(exchange) !== 0;
}

/** The same for the same set, in whatever order it came. */
function textOf(exchanges: readonly Mx[]): string {
  return exchanges
    .map(({ preference, exchange }) => `${preference} ${exchange}`)
    .sort()
    .join(', ');
}

export function describeEvidence({ name, sibling }: Evidence): string {
  const beside = sibling.kind === 'none' ? '' : `; a name beside it: ${describeMx(sibling)}`;
  return `${describeMx(name)}${beside}`;
}

function describeMx(evidence: MxEvidence): string {
  switch (evidence.kind) {
    case 'records':
      return `MX ${textOf(evidence.exchanges)}`;
    case 'alias':
      return 'an alias';
    case 'none':
      return 'no MX record';
    case 'unavailable':
      return `no answer: ${evidence.reason}`;
  }
}

/** A name from a record, with or without the final dot. */
export function isOurs(exchange: string, site: Site): boolean {
  return site.hostnames.includes(asciiLower(withoutDot(exchange)));
}

function withoutDot(name: string): string {
  return name.endsWith('.') ? name.slice(0, -1) : name;
}
