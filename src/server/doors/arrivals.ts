// Arrivals (Fig. 6) in one thread: MX records from the configured resolver, the published record from our own DNS listener.

import { systemClock } from '../../base/clock.ts';
import { clientOf } from '../../net/client-of.ts';
import { DnsClient } from '../../net/dns-client.ts';
import type { SmtpDoor } from '../../protocols/smtp/door.ts';
import { type ArrivalStep, Arrivals } from '../../provisioning/arrival.ts';
import { ARRIVALS_MAX, EVIDENCE_TIMEOUT_MS, mxEvidenceOf } from '../../provisioning/evidence.ts';
import type { RoutingCache } from '../../routing/cache.ts';
import { replies } from '../../routing/replies.ts';
import type { ThreadParts } from '../threads/parts.ts';

/** Our own listener answers at once or not at all. */
const PUBLISHED_TIMEOUT_MS = 500;
/** Of each name that is on its way: its own, and one beside it. */
const LOOK_UPS_MAX = 2 * ARRIVALS_MAX;

/**
 * `ownDns` is the endpoint of our DNS listener, known once it is bound, '' without one. `arrived` gets the steps of each arrival. Undefined
 * where no message may bring a domain.
 */
export function createArrive(
  parts: ThreadParts,
  routing: RoutingCache,
  ownDns: () => string,
  arrived: (steps: readonly ArrivalStep[]) => void,
): SmtpDoor['arrive'] {
  const { configuration, log } = parts;
  const policy = configuration.provision.fromMx;
  if (policy === 'off') return undefined;
  const resolver = new DnsClient({ servers: configuration.resolver, lookUpsMax: LOOK_UPS_MAX });
  let published: DnsClient | undefined;
  const arrivals = new Arrivals({
    policy,
    cache: routing,
    reader: parts.database.reader,
    writer: parts.writer,
    clock: systemClock,
    lookUpMx: async (domain) =>
      mxEvidenceOf(domain, await resolver.ask(domain, 'MX', { deadlineMs: EVIDENCE_TIMEOUT_MS })),
    async publishedMx(domain) {
      // No DNS port is open: nothing is published.
      if (ownDns() === '') return [];
      published ??= new DnsClient({ servers: [ownDns()], timeoutMs: PUBLISHED_TIMEOUT_MS });
      const answer = await published.mx(domain);
      return answer.result === 'found' ? answer.exchanges.map(({ exchange }) => exchange) : [];
    },
  });
  return async (address, request, peer) => {
    const candidate = arrivals.candidate(address.domain);
    if (candidate === undefined) return { result: 'foreign', reply: replies.relayDenied };
    const outcome = await arrivals.arrive(candidate, { address, request, peer: clientOf(peer) });
    // What has been refused from memory is not written down again: ten thousand such a minute would be the log.
    if (outcome.steps.length > 0) {
      const steps = outcome.steps.map(({ number, step, detail, ms }) => ({ number, step, detail, ms }));
      log.info('provisioning.arrive', { domain: candidate.domain, peer, identified: outcome.arrived, steps });
      arrived(outcome.steps);
    }
    if (outcome.arrived) return { result: 'arrived' };
    return { result: outcome.ofRecipient ? 'refused' : 'foreign', reply: outcome.reply };
  };
}
