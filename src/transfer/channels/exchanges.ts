// Which hosts take the mail of a destination, best first.
//
// In      a destination (routing/destination.ts), the resolver, `[next-hop]` of the configuration, our own names
// Out     hosts in order, or why there is none: `failed` when DNS said so, `deferred` when it said nothing, and where what a
//         person wrote leads nowhere: it can be corrected
// Limits  HOSTS_MAX hosts of a domain; named ones are as many as the destination has
// RFC 5321 §5.1, RFC 7505

import type { Mx, MxAnswer } from '../../net/resolver.ts';
import { type Hop, parseDestination, parseHop } from '../../routing/destination.ts';
import { type Outcome, outcome } from '../outcome.ts';

/** More than RFC 5321 §5.1 asks for (two), few enough to be tried in one attempt. */
const HOSTS_MAX = 5;
/** Wherever we listen ourselves. */
const SMTP_PORT = 25;

export interface Host {
  /** A name to look up, or an IP address. */
  readonly host: string;
  readonly port: number;
}

export type Exchanges =
  | {
      readonly hosts: readonly Host[];
      /** `implicit`: there were no MX records, the domain itself is the host. */
      readonly source: 'configured' | 'named' | 'mx' | 'implicit';
    }
  | { readonly outcome: Outcome };

export interface ExchangeParts {
  readonly resolver: { mx(domain: string): Promise<MxAnswer> };
  /** Domain -> `[address]:port` or `host:port`. */
  readonly nextHop: ReadonlyMap<string, string>;
  /** Our names, lower case. */
  readonly hostnames: readonly string[];
  /** 0 <= x < 1. */
  readonly random: () => number;
}

export async function findExchanges(parts: ExchangeParts, text: string): Promise<Exchanges> {
  const configured = parts.nextHop.get(text);
  if (configured !== undefined) return configuredHost(configured);
  const destination = parseDestination(text);
  if (destination === undefined) return deferred('4.3.5', `The destination ${text} cannot be read`);
  return 'hops' in destination ? namedHosts(parts, destination.hops) : hostsOfDomain(parts, destination.domain);
}

/** In the order in which they are written. */
function namedHosts(parts: ExchangeParts, hops: readonly Hop[]): Exchanges {
  // On another port than that of mail something else of this machine may listen, say a filter.
  const usable = hops.filter(({ host, port }) => port !== undefined || !parts.hostnames.includes(host));
  if (usable.length === 0) return deferred('4.4.6', `The mail would come back here: ${hops[0]!.host} is this host`);
  return { hosts: usable.map(({ host, port }) => ({ host, port: port ?? SMTP_PORT })), source: 'named' };
}

async function hostsOfDomain(parts: ExchangeParts, domain: string): Promise<Exchanges> {
  const answer = await parts.resolver.mx(domain);
  switch (answer.result) {
    case 'found':
      return fromExchanges(parts, answer.exchanges, domain, 'mx');
    case 'null-mx':
      return failed('5.1.10', `The domain ${domain} takes no mail (null MX)`);
    case 'no-name':
      return failed('5.1.2', `There is no domain ${domain}`);
    case 'no-data':
      // An MX that names itself. RFC 5321 §5.1
      return fromExchanges(parts, [{ preference: 0, exchange: domain }], domain, 'implicit');
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
  domain: string,
  source: 'mx' | 'implicit',
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
  return { hosts: inOrder.map(({ exchange }) => ({ host: exchange, port: SMTP_PORT })), source };
}

function configuredHost(text: string): Exchanges {
  const hop = parseHop(text);
  if (hop !== undefined) return { hosts: [{ host: hop.host, port: hop.port ?? SMTP_PORT }], source: 'configured' };
  return deferred('4.3.5', `The next hop ${text} in the configuration cannot be read`);
}
