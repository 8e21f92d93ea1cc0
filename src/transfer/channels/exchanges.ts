// Which hosts take a domain's mail, best first.
//
// In      a domain or address literal, the resolver, `[next-hop]` of the configuration, our own names
// Out     hosts in order, or why there is none: `failed` when DNS said so, `deferred` when it said nothing
// Limits  HOSTS_MAX hosts
// RFC 5321 §5.1, RFC 7505

import { asciiLower } from '../../base/characters.ts';
import { literalAddress } from '../../message/address.ts';
import type { Mx, MxAnswer } from '../../net/resolver.ts';
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
      readonly source: 'configured' | 'literal' | 'mx' | 'implicit';
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

export async function findExchanges(parts: ExchangeParts, domain: string): Promise<Exchanges> {
  const configured = parts.nextHop.get(domain);
  if (configured !== undefined) return configuredHost(configured);
  const literal = literalAddress(domain);
  if (literal !== undefined) return { hosts: [{ host: literal, port: SMTP_PORT }], source: 'literal' };
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
      return { outcome: outcome('deferred', '4.4.3', `The hosts of ${domain} cannot be looked up (${answer.reason})`) };
    default:
      return answer satisfies never;
  }
}

function failed(status: string, words: string): Exchanges {
  return { outcome: outcome('failed', status, words) };
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
  const host = parseNextHop(text);
  if (host !== undefined) return { hosts: [host], source: 'configured' };
  return { outcome: outcome('deferred', '4.3.5', `The next hop ${text} in the configuration cannot be read`) };
}

/** `[127.0.0.2]:2525`, `[2001:db8::1]`, `host.example:25`, `host.example`. Undefined for anything else. */
export function parseNextHop(text: string): Host | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9.-]{1,253}))(?::(\d{1,5}))?$/.exec(text);
  const port = match?.[3] === undefined ? SMTP_PORT : Number(match[3]);
  const host = match?.[1] ?? match?.[2];
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host: asciiLower(host), port };
}
