// The questions of one look at a domain, and whom they go to: the resolver, the servers of a zone, those of the zone above it.
//
// In      names and types
// Out     what was answered, or that nothing was
// Limits  SERVER_MS a question, ALL_MS for all of them; NAMES_MAX name servers of a zone, ADDRESSES_MAX addresses each
// RFC 1034 §4.2.1 (delegations), RFC 1035 §3.5, RFC 3596 §2.5 (names of addresses)

import { asciiLower } from '../base/characters.ts';
import type { AskOptions, DnsClient, DnsReply, Unavailable } from '../net/dns-client.ts';
import type { DnsServer } from '../net/dns-exchange.ts';
import { ipv6Octets } from '../wire/dns/address.ts';
import type { RecordType } from '../wire/dns/codes.ts';
import { parentName, ROOT } from '../wire/dns/name.ts';
import type { ResourceRecord } from '../wire/dns/rdata.ts';
import { isAnswer } from './compare.ts';

const SERVER_MS = 5000;
const ALL_MS = 30_000;
const NAMES_MAX = 8;
const ADDRESSES_MAX = 4;
const DNS_PORT = 53;

export interface NearestZone {
  readonly zone: string;
  /** Of its name servers. */
  readonly names: readonly string[];
}

/** One name server of a zone, at each of its addresses. */
export interface NamedServer {
  readonly name: string;
  readonly endpoints: readonly DnsServer[];
}

export class Questions {
  readonly #client: DnsClient;
  readonly #until = performance.now() + ALL_MS;

  constructor(client: DnsClient) {
    this.#client = client;
  }

  /** Milliseconds that the next step may take; 0: the look is over. */
  leftMs(): number {
    return Math.max(0, Math.min(SERVER_MS, Math.floor(this.#until - performance.now())));
  }

  async ask(name: string, type: RecordType, options: AskOptions = {}): Promise<DnsReply | Unavailable> {
    const deadlineMs = this.leftMs();
    if (deadlineMs === 0) return { unavailable: 'no time is left' };
    return this.#client.ask(name, type, { ...options, deadlineMs });
  }

  /** By the resolver; undefined where it could not say. */
  async addresses(host: string): Promise<readonly string[] | undefined> {
    const deadlineMs = this.leftMs();
    if (deadlineMs === 0) return undefined;
    const answer = await this.#client.addresses(host, { deadlineMs });
    if (answer.result === 'unavailable') return undefined;
    return answer.result === 'found' ? answer.addresses.slice(0, ADDRESSES_MAX) : [];
  }

  /** Names that an address says are its own; undefined where nobody could say. */
  async namesOf(address: string): Promise<readonly string[] | undefined> {
    const reply = await this.ask(reverseName(address), 'PTR');
    if (!isAnswer(reply)) return undefined;
    return reply.answers.flatMap((record) => (record.type === 'PTR' ? [asciiLower(record.target)] : []));
  }

  /**
   * The zone at a name, or the nearest above it, as the resolver says; undefined: it knows of none below `above`,
   * `unavailable`: it could not say.
   */
  async nearestZone(
    name: string,
    isTooHigh: (name: string) => boolean,
  ): Promise<NearestZone | 'unavailable' | undefined> {
    for (let at: string | undefined = name; at !== undefined && !isTooHigh(at); at = parentName(at)) {
      const reply = await this.ask(at, 'NS');
      if (!isAnswer(reply)) return 'unavailable';
      const names = nameServersAt(at, reply.answers);
      if (names.length > 0) return { zone: at, names };
    }
    return undefined;
  }

  /** Where the servers of these names are; a name without an address that is known has none. */
  async serversNamed(names: readonly string[]): Promise<readonly NamedServer[]> {
    const few = names.slice(0, NAMES_MAX);
    const found = await Promise.all(few.map((name) => this.addresses(name)));
    return few.map((name, at) => ({
      name,
      endpoints: (found[at] ?? []).map((address) => ({ address, port: DNS_PORT })),
    }));
  }

  /** The name servers that the zone's parent leads to; undefined where no server of the parent could be asked. */
  async delegationOf(zone: string, parent: readonly DnsServer[]): Promise<readonly string[] | undefined> {
    if (parent.length === 0) return undefined;
    const reply = await this.ask(zone, 'NS', { servers: parent });
    return isAnswer(reply) ? nameServersAt(zone, [...reply.answers, ...reply.authorities]) : undefined;
  }
}

export function nameServersAt(zone: string, records: readonly ResourceRecord[]): readonly string[] {
  const targets = records.flatMap((record) =>
    record.type === 'NS' && asciiLower(record.name) === zone ? [asciiLower(record.target)] : [],
  );
  return [...new Set(targets)].sort();
}

/** A zone of one label, and the root, are nobody's domain. */
export function isTopLevel(name: string): boolean {
  return name === ROOT || parentName(name) === ROOT;
}

function reverseName(address: string): string {
  if (!address.includes(':')) return `${address.split('.').reverse().join('.')}.in-addr.arpa`;
  const nibbles = Buffer.from(ipv6Octets(address)).toString('hex');
  return `${[...nibbles].reverse().join('.')}.ip6.arpa`;
}
