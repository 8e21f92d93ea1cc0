// Arrivals (Fig. 6) in one thread: evidence from the configured resolver and from authoritative servers, the published record from
// our own DNS listener.

import { systemClock } from '../../base/clock.ts';
import { clientOf } from '../../net/client-of.ts';
import { DnsClient } from '../../net/dns-client.ts';
import type { Arrival, SmtpDoor } from '../../protocols/smtp/door.ts';
import { type ArrivalStep, Arrivals } from '../../provisioning/arrival/arrivals.ts';
import { arrivalReplies } from '../../provisioning/arrival/replies.ts';
import type { RoutingCache } from '../../routing/cache.ts';
import { replies } from '../../routing/replies.ts';
import { decidePolicy } from '../../routing/walk/arrival.ts';
import type { ZoneSite } from '../../zones/settings.ts';
import type { ThreadParts } from '../threads/parts.ts';
import { createPending } from './pending.ts';

/** Our own listener answers at once or not at all. */
const PUBLISHED_TIMEOUT_MS = 500;
/** Of a hundred names that are on their way, each at a handful of servers. */
const LOOK_UPS_MAX = 2000;
/** Twice within the time that all look-ups of a name have. */
const LOOK_UP_MS = 900;

interface ArriveParts {
  readonly routing: RoutingCache;
  readonly site: ZoneSite;
  /** The endpoint of our DNS listener, known once it is bound, '' without one. */
  readonly ownDns: () => string;
  /** Gets the steps of each arrival. */
  readonly arrived: (steps: readonly ArrivalStep[]) => void;
}

/** Undefined where no message may bring a domain. */
export function createArrive(parts: ThreadParts, { routing, site, ownDns, arrived }: ArriveParts): SmtpDoor['arrive'] {
  const { configuration, log } = parts;
  if (configuration.provision.fromMx === 'off') return undefined;
  if (configuration.provider !== undefined) return (address) => atReplica(address.domain, routing);
  const resolver = new DnsClient({
    servers: configuration.resolver,
    timeoutMs: LOOK_UP_MS,
    lookUpsMax: LOOK_UPS_MAX,
  });
  let published: DnsClient | undefined;
  const arrivals = new Arrivals({
    cache: routing,
    reader: parts.database.reader,
    writer: parts.writer,
    clock: systemClock,
    site,
    ask: (name, type, options) => resolver.ask(name, type, options),
    async publishedMx(domain) {
      // No DNS port is open: nothing is published.
      if (ownDns() === '') return [];
      published ??= new DnsClient({ servers: [ownDns()], timeoutMs: PUBLISHED_TIMEOUT_MS });
      const answer = await published.mx(domain);
      return answer.result === 'found' ? answer.exchanges.map(({ exchange }) => exchange) : [];
    },
    pending: createPending({ writer: parts.writer, clock: systemClock }),
    arrived(domain, peer, verdict, steps) {
      log.info('provisioning.arrive', { domain, peer, identified: verdict.result === 'arrived', steps });
      arrived(steps);
    },
  });
  return (address, request, peer) => arrivals.arrive({ address, request, peer: clientOf(peer) });
}

/** The provider makes domains. */
function atReplica(domain: string, routing: RoutingCache): Arrival {
  const tables = { settings: routing.settings(), routeOf: (name: string) => routing.route(name) };
  const [first] = routing.route(domain)?.isWithoutMail === true ? [] : decidePolicy(domain, tables, routing.site);
  const looks = first !== undefined && (first.action !== 'off' || first.hasToken === true);
  return { result: 'foreign', reply: looks ? arrivalReplies.elsewhere : replies.relayDenied };
}
