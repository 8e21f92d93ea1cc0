// Where the authoritative servers of a name are: its zone's NS records and their addresses, as the resolver gives them.
//
// In      a domain
// Out     its zone and the addresses of that zone's servers, port 53; or why they are not known
// States  one question tells a name's zone: its NS records, or the SOA record of the answer that has none. Addresses that come along
//         with NS records are not asked for. The servers of a zone are then remembered for ZONES_MS
// Limits  ZONES_MAX zones, SERVERS_MAX addresses
// RFC 1034 §4.2.1, RFC 2308 §3

import { asciiLower } from '../../base/characters.ts';
import type { Clock } from '../../base/clock.ts';
import type { DnsReply, Unavailable } from '../../net/dns-client.ts';
import { RCODE, type RecordType, rcodeName } from '../../wire/dns/codes.ts';
import { isSubdomain, ROOT } from '../../wire/dns/name.ts';
import type { ResourceRecord } from '../../wire/dns/rdata.ts';
import { SERVERS_MAX, ZONES_MAX, ZONES_MS } from './limits.ts';

const PORT = 53;

export interface Server {
  readonly address: string;
  readonly port: number;
}

/** `servers`: each is asked itself; none: the resolver. Never rejects. */
export type AskDns = (
  name: string,
  type: RecordType,
  options: { readonly deadlineMs: number; readonly servers?: readonly Server[] },
) => Promise<DnsReply | Unavailable>;

export type NameServersFound =
  | { readonly zone: string; readonly servers: readonly Server[] }
  /** A CNAME stands at the name. */
  | { readonly isAlias: true }
  | Unavailable;

export class NameServers {
  readonly #ask: AskDns;
  readonly #clock: Clock;
  readonly #zones = new Map<string, { readonly servers: readonly Server[]; readonly until: number }>();

  constructor(ask: AskDns, clock: Clock) {
    this.#ask = ask;
    this.#clock = clock;
  }

  /** `leftMs`: how long the caller can still wait. */
  async of(domain: string, leftMs: () => number): Promise<NameServersFound> {
    const reply = await this.#ask(domain, 'NS', { deadlineMs: leftMs() });
    const refused = refusalOf(reply);
    if (refused !== undefined) return refused;
    const { answers, authorities } = reply as DnsReply;
    const own = answers.filter(({ name }) => asciiLower(name) === domain);
    if (own.some(({ type }) => type === 'CNAME')) return { isAlias: true };
    const here = own.flatMap((record) => (record.type === 'NS' ? [asciiLower(record.target)] : []));
    const soa = authorities.find(({ type }) => type === 'SOA');
    const zone = here.length > 0 ? domain : soa && asciiLower(soa.name);
    if (zone === undefined || zone === ROOT || !isSubdomain(domain, zone))
      return { unavailable: 'no name server says whose the name is' };
    const known = this.#zones.get(zone);
    if (known !== undefined && known.until > this.#clock.monotonic()) return { zone, servers: known.servers };
    const named = here.length > 0 ? reply : await this.#ask(zone, 'NS', { deadlineMs: leftMs() });
    const unnamed = refusalOf(named);
    if (unnamed !== undefined) return unnamed;
    const servers = await this.#serversOf(named as DnsReply, leftMs);
    if (servers.length === 0) return { unavailable: `no name server of ${zone} has an address` };
    this.#remember(zone, servers);
    return { zone, servers };
  }

  async #serversOf({ answers, additionals }: DnsReply, leftMs: () => number): Promise<readonly Server[]> {
    const names = answers.flatMap((record) => (record.type === 'NS' ? [asciiLower(record.target)] : []));
    const along = additionals.filter(({ name }) => names.includes(asciiLower(name))).filter(hasAddress);
    const missing = names.filter((name) => !along.some((record) => asciiLower(record.name) === name));
    const asked = missing.flatMap((name) => [
      this.#ask(name, 'A', { deadlineMs: leftMs() }),
      this.#ask(name, 'AAAA', { deadlineMs: leftMs() }),
    ]);
    const replies = await Promise.all(asked);
    const found = replies.flatMap((reply) => ('unavailable' in reply ? [] : reply.answers.filter(hasAddress)));
    const addresses = new Set([...along, ...found].map(({ address }) => address));
    return [...addresses].slice(0, SERVERS_MAX).map((address) => ({ address, port: PORT }));
  }

  #remember(zone: string, servers: readonly Server[]): void {
    this.#zones.delete(zone);
    if (this.#zones.size >= ZONES_MAX)
      for (const oldest of this.#zones.keys()) {
        this.#zones.delete(oldest);
        break;
      }
    this.#zones.set(zone, { servers, until: this.#clock.monotonic() + ZONES_MS });
  }
}

function hasAddress(record: ResourceRecord): record is ResourceRecord & { readonly address: string } {
  return record.type === 'A' || record.type === 'AAAA';
}

function refusalOf(reply: DnsReply | Unavailable): Unavailable | undefined {
  if ('unavailable' in reply) return reply;
  const { rcode } = reply;
  return rcode === RCODE.NOERROR || rcode === RCODE.NXDOMAIN ? undefined : { unavailable: rcodeName(rcode) };
}
