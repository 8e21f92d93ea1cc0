// Which hosts take the mail of a destination, best first.
//
// In      a destination (routing/destination.ts) and the channel to it, with its words; the entries of hosts, the resolver,
//         our own names
// Out     hosts in order, or why there is none: `failed` when DNS said so, `deferred` when it said nothing, and where what a
//         person wrote leads nowhere: it can be corrected
// Limits  HOSTS_MAX hosts of a domain; named ones are as many as the destination has
// RFC 5321 §5.1, RFC 7505

import type { Mx, MxAnswer } from '../../net/dns-client.ts';
import { channelNamed } from '../../routing/channels.ts';
import type { ChannelWords } from '../../routing/compile-channel.ts';
import { type Hop, parseDestination } from '../../routing/destination.ts';
import type { RoutingSettings } from '../../routing/settings.ts';
import { type Outcome, outcome } from '../outcome.ts';

/** More than RFC 5321 §5.1 asks for (two), few enough to be tried in one attempt. */
const HOSTS_MAX = 5;
/** Wherever we listen ourselves. */
const PORTS = { smtp: 25, lmtp: 24 } as const;

export interface Host {
  /** A name to look up, or an IP address. */
  readonly host: string;
  readonly port: number;
  /** Where an entry says; undefined: the resolver knows. */
  readonly addresses?: readonly string[];
  /** Of its MX record: those that have the same one may be asked in any order. */
  readonly preference?: number;
}

export type Exchanges =
  | {
      readonly hosts: readonly Host[];
      /** `implicit`: there were no MX records, the domain itself is the host. */
      readonly source: 'named' | 'mx' | 'implicit';
    }
  | { readonly outcome: Outcome };

export interface ExchangeParts {
  /** Of the channel; absent: smtp. */
  readonly kind?: 'smtp' | 'lmtp';
  readonly resolver: { mx(domain: string): Promise<MxAnswer> };
  readonly settings: () => Pick<RoutingSettings, 'channels' | 'hosts'>;
  /** Our names, lower case. */
  readonly hostnames: readonly string[];
  /** 0 <= x < 1. */
  readonly random: () => number;
}

type Words = ChannelWords & { readonly port: number };

export async function findExchanges(
  parts: ExchangeParts,
  { destination: text, channel }: { readonly destination: string; readonly channel: string },
): Promise<Exchanges> {
  const destination = parseDestination(text);
  if (destination === undefined) return deferred('4.3.5', `The destination ${text} cannot be read`);
  const words = { port: PORTS[parts.kind ?? 'smtp'], ...channelNamed(parts.settings(), channel) };
  return 'hops' in destination
    ? namedHosts(parts, destination.hops, words)
    : hostsOfDomain(parts, destination.domain, words);
}

/** In the order in which they are written. */
function namedHosts(parts: ExchangeParts, hops: readonly Hop[], { port }: Words): Exchanges {
  // On another port than that of mail something else of this machine may listen, say a filter.
  const usable = hops.filter((hop) => hop.port !== undefined || !parts.hostnames.includes(hop.host));
  if (usable.length === 0) return deferred('4.4.6', `The mail would come back here: ${hops[0]!.host} is this host`);
  const { hosts } = parts.settings();
  return {
    source: 'named',
    hosts: usable.map((hop) => {
      const entry = hosts.get(hop.host);
      const own = { host: hop.host, port: hop.port ?? entry?.port ?? port };
      return entry === undefined || entry.addresses.length === 0 ? own : { ...own, addresses: entry.addresses };
    }),
  };
}

async function hostsOfDomain(parts: ExchangeParts, domain: string, words: Words): Promise<Exchanges> {
  const { port } = words;
  if (words.isNoMx === true)
    return fromExchanges(parts, [{ preference: 0, exchange: domain }], { domain, port, source: 'mx' });
  const answer = await parts.resolver.mx(domain);
  switch (answer.result) {
    case 'found':
      return fromExchanges(parts, answer.exchanges, { domain, port, source: 'mx' });
    case 'null-mx':
      return failed('5.1.10', `The domain ${domain} takes no mail (null MX)`);
    case 'no-name':
      return failed('5.1.2', `There is no domain ${domain}`);
    case 'no-data':
      // An MX that names itself. RFC 5321 §5.1
      return fromExchanges(parts, [{ preference: 0, exchange: domain }], { domain, port, source: 'implicit' });
    case 'unavailable':
      return deferred('4.4.3', `The hosts of ${domain} cannot be looked up (${answer.reason})`);
    default:
      return answer satisfies never;
  }
}

function failed(status: string, words: string): Exchanges {
  return { outcome: outcome('failed', status, words) };
}

function deferred(status: string, words: string): Exchanges {
  return { outcome: outcome('deferred', status, words) };
}

function fromExchanges(
  parts: ExchangeParts,
  exchanges: readonly Mx[],
  { domain, port, source }: { readonly domain: string; readonly port: number; readonly source: 'mx' | 'implicit' },
): Exchanges {
  const own = exchanges.filter(({ exchange }) => parts.hostnames.includes(exchange));
  // A host of our own preference or a worse one could send the message back to us. RFC 5321 §5.1
  const nearest = Math.min(...own.map(({ preference }) => preference));
  const usable = own.length === 0 ? exchanges : exchanges.filter(({ preference }) => preference < nearest);
  if (usable.length === 0)
    return failed('5.4.6', `The mail of ${domain} would come back here: DNS names this host for it`);
  const inOrder = usable
    .map(({ preference, exchange }) => ({ preference, exchange, lot: parts.random() }))
    .sort((a, b) => a.preference - b.preference || a.lot - b.lot)
    .slice(0, HOSTS_MAX);
  return { hosts: inOrder.map(({ exchange, preference }) => ({ host: exchange, port, preference })), source };
}
