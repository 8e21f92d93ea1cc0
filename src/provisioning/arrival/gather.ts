// What the DNS says of a name that a message could bring: three questions at once, of the resolver below a zone of ours, of each
// authoritative server elsewhere.
//
// In      the name; whether it lies below a zone of ours; what the policies want to know
// Out     the evidence; never a rejection
// Limits  EVIDENCE_MS together
// Elsewhere each server that answers must say the same with AA, one at least. The name beside a zone's apex lies in the zone
// above: the resolver is asked for that one

import { randomBytes } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import type { DnsReply, Unavailable } from '../../net/dns-client.ts';
import type { RecordType } from '../../wire/dns/codes.ts';
import { domainTokenName } from '../domain-token.ts';
import {
  agreed,
  type Evidence,
  type MxEvidence,
  mxEvidenceOf,
  type TokenEvidence,
  tokenEvidenceOf,
} from './evidence.ts';
import { EVIDENCE_MS } from './limits.ts';
import type { AskDns, NameServers } from './name-servers.ts';

export interface EvidenceWanted {
  readonly domain: string;
  readonly isBelowOurs: boolean;
  readonly wantsSibling: boolean;
  readonly wantsToken: boolean;
}

interface GatherParts {
  readonly ask: AskDns;
  readonly nameServers: NameServers;
  readonly clock: Clock;
}

/** Of a name that nobody has defined on purpose. */
const SIBLING_BYTES = 8;

export async function gatherEvidence(parts: GatherParts, wanted: EvidenceWanted): Promise<Evidence> {
  const end = parts.clock.monotonic() + EVIDENCE_MS;
  const leftMs = (): number => Math.max(1, end - parts.clock.monotonic());
  const { domain } = wanted;
  const sibling = `${randomBytes(SIBLING_BYTES).toString('hex')}${domain.slice(domain.indexOf('.'))}`;
  const byResolver: Asking = async (name, type) => [await parts.ask(name, type, { deadlineMs: leftMs() })];
  if (wanted.isBelowOurs) return asked(wanted, sibling, { own: byResolver, beside: byResolver, servers: [] });
  const found = await parts.nameServers.of(domain, leftMs);
  if ('isAlias' in found) return { name: { kind: 'alias' }, servers: [] };
  if ('unavailable' in found) {
    const unknown = { kind: 'unavailable', reason: found.unavailable } as const;
    return { name: unknown, ...(wanted.wantsToken ? { token: unknown } : {}), servers: [] };
  }
  const answering = new Set<string>();
  const byServers: Asking = async (name, type) => {
    const asks = found.servers.map((server) => parts.ask(name, type, { servers: [server], deadlineMs: leftMs() }));
    const replies = await Promise.all(asks);
    // Who has said what the MX record is.
    if (name === domain)
      for (const [at, { address }] of found.servers.entries()) if (!isSilent(replies[at]!)) answering.add(address);
    return replies.filter((reply) => !isSilent(reply)).map(authoritative);
  };
  const beside = found.zone === domain ? byResolver : byServers;
  const evidence = await asked(wanted, sibling, { own: byServers, beside, servers: [] });
  return { ...evidence, servers: [...answering].sort() };
}

/** What all that speak say. */
type Asking = (name: string, type: RecordType) => Promise<readonly (DnsReply | Unavailable)[]>;

async function asked(
  { domain, wantsSibling, wantsToken }: EvidenceWanted,
  sibling: string,
  { own, beside, servers }: { readonly own: Asking; readonly beside: Asking; readonly servers: readonly string[] },
): Promise<Evidence> {
  const mx = async (asking: Asking, name: string): Promise<MxEvidence> =>
    agreed((await asking(name, 'MX')).map((reply) => mxEvidenceOf(name, reply)));
  const token = async (): Promise<TokenEvidence> => {
    const name = domainTokenName(domain);
    return agreed((await own(name, 'TXT')).map((reply) => tokenEvidenceOf(name, reply)));
  };
  const [ofName, ofSibling, ofToken] = await Promise.all([
    mx(own, domain),
    wantsSibling ? mx(beside, sibling) : undefined,
    wantsToken ? token() : undefined,
  ]);
  return {
    name: ofName,
    ...(ofSibling === undefined ? {} : { sibling: ofSibling }),
    ...(ofToken === undefined ? {} : { token: ofToken }),
    servers,
  };
}

function isSilent(reply: DnsReply | Unavailable): boolean {
  return 'unavailable' in reply;
}

/** A server that does not have the zone says nothing about it. */
function authoritative(reply: DnsReply | Unavailable): DnsReply | Unavailable {
  return 'unavailable' in reply || reply.authoritative
    ? reply
    : { unavailable: 'a name server does not have the zone' };
}
