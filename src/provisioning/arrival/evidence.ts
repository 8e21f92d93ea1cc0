// Does the DNS say that this name's mail is ours? Decisions over what was looked up.
//
// In      the MX sets of the name and of a random name beside it, and the texts of its token, as one resolver or as each
//         authoritative server gives them; the names of our hosts that take mail
// Out     yes, no and why, or that it could not be found out
// Rules   the most preferred MX is a host of ours by its present name. An alias at the name, a null MX, an address or
//         `localhost` as an MX, and a wildcard that says the same of every name speak against it. Servers that do not say the
//         same say nothing
// Never   takes "could not find out" for "no": that one is a temporary reply. Never takes a backup MX for a home
// RFC 5321 §5.1, RFC 7505, RFC 4592

import { isIP } from 'node:net';
import { asciiLower } from '../../base/characters.ts';
import type { DnsReply, Mx, Unavailable } from '../../net/dns-client.ts';
import type { PolicyRow } from '../../routing/compile-policy.ts';
import { RCODE, rcodeName } from '../../wire/dns/codes.ts';
import type { ZoneSettings } from '../../zones/settings.ts';
import { isDomainToken } from '../domain-token.ts';

export type MxEvidence =
  /** `.` is a null MX; else names in lower case without a final dot. `dnssec`: the resolver says that it has verified them. */
  | { readonly kind: 'records'; readonly exchanges: readonly Mx[]; readonly dnssec: boolean }
  /** A CNAME stands at the name. */
  | { readonly kind: 'alias' }
  /** NXDOMAIN, or a name without MX records. */
  | { readonly kind: 'none' }
  /** Time-out, SERVFAIL, a resolver that refuses, servers that disagree. */
  | { readonly kind: 'unavailable'; readonly reason: string };

/** TXT records of the token's name. */
export type TokenEvidence =
  | { readonly kind: 'texts'; readonly texts: readonly string[] }
  | { readonly kind: 'unavailable'; readonly reason: string };

export interface Evidence {
  readonly name: MxEvidence;
  /** What is said of every name says nothing of this one. Absent: it has not been looked for. */
  readonly sibling?: MxEvidence;
  readonly token?: TokenEvidence;
  /** Addresses of the authoritative servers that have answered; none: the resolver's word. */
  readonly servers: readonly string[];
}

/** What a reply says of a name's MX records. */
export function mxEvidenceOf(domain: string, reply: DnsReply | Unavailable): MxEvidence {
  const records = recordsOf(domain, reply);
  if ('unavailable' in records) return { kind: 'unavailable', reason: records.unavailable };
  if (records.own.some(({ type }) => type === 'CNAME')) return { kind: 'alias' };
  const exchanges = records.own.flatMap((record) => (record.type === 'MX' ? [mxOf(record)] : []));
  return exchanges.length === 0 ? { kind: 'none' } : { kind: 'records', exchanges, dnssec: records.dnssec };
}

export function tokenEvidenceOf(name: string, reply: DnsReply | Unavailable): TokenEvidence {
  const records = recordsOf(name, reply);
  if ('unavailable' in records) return { kind: 'unavailable', reason: records.unavailable };
  const texts = records.own.flatMap((record) => (record.type === 'TXT' ? [textOf(record.strings)] : []));
  return { kind: 'texts', texts };
}

function textOf(strings: readonly string[]): string {
  return strings.join('');
}

function recordsOf(name: string, reply: DnsReply | Unavailable) {
  if ('unavailable' in reply) return reply;
  const { rcode, answers, authenticData } = reply;
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) return { unavailable: rcodeName(rcode) };
  return { own: answers.filter((record) => asciiLower(record.name) === name), dnssec: authenticData };
}

function mxOf({ preference, exchange }: Mx): Mx {
  return { preference, exchange: exchange === '.' ? '.' : asciiLower(withoutDot(exchange)) };
}

const DISAGREE = 'the name servers do not say the same';

/** What all of them say; `unavailable` where they do not say the same. At least one. */
export function agreed<T extends MxEvidence | TokenEvidence>(
  each: readonly T[],
): T | { kind: 'unavailable'; reason: string } {
  const [first, ...others] = each;
  if (first === undefined) return { kind: 'unavailable', reason: 'no name server answers' };
  return others.every((other) => sameText(other) === sameText(first))
    ? first
    : { kind: 'unavailable', reason: DISAGREE };
}

function sameText(evidence: MxEvidence | TokenEvidence): string {
  if (evidence.kind === 'texts') return JSON.stringify([...evidence.texts].sort());
  return evidence.kind === 'records' ? setText(evidence.exchanges) : evidence.kind;
}

/** Of the policies that hold but for their tokens, the one that decides. */
export function chosenPolicy(
  domain: string,
  policies: readonly PolicyRow[],
  token: TokenEvidence | undefined,
  secretOf: (policy: PolicyRow) => string | undefined,
): PolicyRow | undefined | { readonly unknown: string } {
  for (const policy of policies) {
    if (policy.hasToken !== true) return policy;
    if (token?.kind === 'unavailable') return { unknown: token.reason };
    const secret = secretOf(policy);
    if (secret !== undefined && token?.texts.some((text) => isDomainToken(text, secret, domain))) return policy;
  }
  return undefined;
}

type EvidenceVerdict = 'yes' | { readonly no: string } | { readonly unknown: string };

/**
 * A "no" that is sure comes before what could not be found out; that of a policy that is off needs no evidence. `ours`: names of our
 * hosts.
 */
export function judgeEvidence(
  { action, allowsWildcard }: Pick<PolicyRow, 'action' | 'allowsWildcard'>,
  { name, sibling }: Pick<Evidence, 'name' | 'sibling'>,
  ours: ReadonlySet<string>,
): EvidenceVerdict {
  if (action === 'off') return { no: 'the policy is off' };
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
  if (!exchanges.some(({ preference, exchange }) => preference === best && ours.has(exchange)))
    return { no: 'the most preferred MX is another host' };
  if (allowsWildcard === true || sibling === undefined) return 'yes';
  if (sibling.kind === 'unavailable') return { unknown: sibling.reason };
  if (sibling.kind === 'records' && setText(sibling.exchanges) === setText(exchanges))
    return { no: 'any name beside it has the same MX' };
  return 'yes';
}

/** The present names of our hosts that take mail. */
export function ourExchanges({ hosts }: Pick<ZoneSettings, 'hosts'>): ReadonlySet<string> {
  const taking = hosts.filter(({ services }) => services.some(({ service }) => service === 'smtp'));
  return new Set(taking.map(({ key }) => key));
}

/** Null MX (RFC 7505), an address where a name must stand, whoever asks itself. */
function isNoHost(exchange: string): boolean {
  return exchange === '.' || exchange === 'localhost' || isIP(exchange) !== 0;
}

/** The same for the same set, in whatever order it came. */
function setText(exchanges: readonly Mx[]): string {
  return exchanges
    .map(({ preference, exchange }) => `${preference} ${exchange}`)
    .sort()
    .join(', ');
}

export function describeEvidence({ name, sibling, servers }: Evidence): string {
  const beside = sibling === undefined || sibling.kind === 'none' ? '' : `; a name beside it: ${describeMx(sibling)}`;
  const said = servers.length === 0 ? '' : `, as ${servers.join(', ')} ${servers.length === 1 ? 'says' : 'say'}`;
  return `${describeMx(name)}${beside}${said}`;
}

function describeMx(evidence: MxEvidence): string {
  switch (evidence.kind) {
    case 'records':
      return `MX ${setText(evidence.exchanges)}`;
    case 'alias':
      return 'an alias';
    case 'none':
      return 'no MX record';
    case 'unavailable':
      return `no answer: ${evidence.reason}`;
  }
}

function withoutDot(name: string): string {
  return name.endsWith('.') ? name.slice(0, -1) : name;
}

/** What waypostDomainEvidence has, as JSON. */
export interface DomainEvidence {
  /** `10 mail.acme.example` */
  readonly mx: readonly string[];
  /** `resolver`, or the addresses of the authoritative servers. */
  readonly asked: string;
  readonly authoritative: boolean;
  readonly dnssec: boolean;
  /** ISO 8601. */
  readonly at: string;
  readonly peer: string;
  /** '' for none. */
  readonly sender: string;
}

export function domainEvidence(
  { name, servers }: Evidence,
  by: { readonly peer: string; readonly sender: string; readonly now: number },
): DomainEvidence {
  const found = name.kind === 'records' ? name : undefined;
  return {
    mx: (found?.exchanges ?? []).map(({ preference, exchange }) => `${preference} ${exchange}`),
    asked: servers.length === 0 ? 'resolver' : servers.join(' '),
    authoritative: servers.length > 0,
    dnssec: found?.dnssec === true,
    at: new Date(by.now).toISOString(),
    peer: by.peer,
    sender: by.sender,
  };
}
