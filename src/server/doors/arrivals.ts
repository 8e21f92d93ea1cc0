// Arrivals (Fig. 6) in one thread: MX records from the configured resolver, the published record from our own DNS listener.

import { systemClock } from '../../base/clock.ts';
import type { Address } from '../../message/address.ts';
import { DnsClient } from '../../net/dns-client.ts';
import type { Arrival } from '../../protocols/smtp/door.ts';
import { type ArrivalStep, Arrivals } from '../../provisioning/arrival.ts';
import type { MxEvidence } from '../../provisioning/evidence.ts';
import type { RoutingCache } from '../../routing/cache.ts';
import { replies } from '../../routing/replies.ts';
import type { ThreadParts } from '../threads/parts.ts';

/** Our own listener answers at once or not at all. */
const PUBLISHED_TIMEOUT_MS = 500;

/**
 * `ownDns` is the endpoint of our DNS listener, known once it is bound, '' without one. `arrived` gets the steps of each arrival. Undefined
 * where no message may bring a domain.
 */
export function createArrive(
  parts: ThreadParts,
  routing: RoutingCache,
  ownDns: () => string,
  arrived: (steps: readonly ArrivalStep[]) => void,
): ((address: Address, peer: string) => Promise<Arrival>) | undefined {
  const { configuration, log } = parts;
  const policy = configuration.provision.fromMx;
  if (policy === 'off') return undefined;
  const resolver = new DnsClient({ servers: configuration.resolver });
  let published: DnsClient | undefined;
  const arrivals = new Arrivals({
    policy,
    cache: routing,
    writer: parts.writer,
    clock: systemClock,
    lookUpMx: async (domain) => evidenceOf(await resolver.mx(domain)),
    async publishedMx(domain) {
      // No DNS port is open: nothing is published.
      if (ownDns() === '') return [];
      published ??= new DnsClient({ servers: [ownDns()], timeoutMs: PUBLISHED_TIMEOUT_MS });
      const answer = await published.mx(domain);
      return answer.result === 'found' ? answer.exchanges.map(({ exchange }) => exchange) : [];
    },
  });
  return async (address, peer) => {
    const candidate = arrivals.candidate(address.domain);
    if (candidate === undefined) return { result: 'refused', reply: replies.relayDenied };
    const outcome = await arrivals.arrive(candidate, peer);
    const steps = outcome.steps.map(({ number, step, detail, ms }) => ({ number, step, detail, ms }));
    log.info('provisioning.arrive', { domain: candidate.domain, peer, identified: outcome.arrived, steps });
    arrived(outcome.steps);
    return outcome.arrived ? { result: 'arrived' } : { result: 'refused', reply: outcome.reply };
  };
}

function evidenceOf(answer: Awaited<ReturnType<DnsClient['mx']>>): MxEvidence {
  switch (answer.result) {
    case 'found':
      return { kind: 'records', exchanges: answer.exchanges.map(({ exchange }) => exchange) };
    case 'unavailable':
      return { kind: 'unavailable', reason: answer.reason };
    default:
      return { kind: 'none' };
  }
}
