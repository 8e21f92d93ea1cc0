// A look at a domain: what each server that answers for it has of the records that its entry wants.
//
// In      the records, the domain's standing, the name servers of the site; what those who are asked answer
// Out     each set at each of them; asks only, writes nothing
// Whom    our listener and our secondaries for a zone of ours; where we were told to look (`waypostWatchAddress`); else every name
//         server of the zone that the resolver names, at each of its addresses
// Limits  SERVERS_MAX endpoints, ASKED_AT_ONCE questions to one of them; see questions.ts for the time
// Never   takes for an answer what a server says that is not authoritative

import type { DnsServer } from '../net/dns-exchange.ts';
import { formatEndpoint } from '../net/listen.ts';
import { parseServer } from '../net/system-servers.ts';
import type { RecordType } from '../wire/dns/codes.ts';
import { isSubdomain } from '../wire/dns/name.ts';
import { rdataText } from '../wire/dns/text.ts';
import { authorityOf, type ZoneStanding } from '../zones/authority.ts';
import { publishedKeys } from '../zones/published-keys.ts';
import { domainRecords, type ZoneParts } from '../zones/records.ts';
import type { ZoneKeyRow, ZoneSettings } from '../zones/settings.ts';
import {
  type CheckState,
  findingOf,
  RESOLVER,
  type ServerFinding,
  setsOf,
  type WantedSet,
  worstOf,
} from './compare.ts';
import { isTopLevel, type NamedServer, type Questions } from './questions.ts';

/** Questions to one server at once. */
const ASKED_AT_ONCE = 16;
/** Of a set that is larger than wanted so many are read. RFC 1035 knows no bound. */
const RECORDS_MAX = 20;
const SERVERS_MAX = 16;

/** All that a look needs of the directory. */
export interface WantedRecords {
  readonly domain: string;
  readonly standing: ZoneStanding;
  readonly isWithMail: boolean;
  readonly sets: readonly WantedSet[];
  /** Those whose records are among the sets. */
  readonly keys: readonly ZoneKeyRow[];
  readonly settings: ZoneSettings;
}

export interface Observation {
  /** Null where the resolver does not know it. */
  readonly zone: string | null;
  /** Those who answer for it. */
  readonly servers: readonly NamedServer[];
  readonly records: readonly ObservedSet[];
}

export interface ObservedSet {
  readonly name: string;
  readonly type: RecordType;
  /** As in a zone file. */
  readonly wanted: readonly string[];
  /** At each endpoint of the servers, in their order. */
  readonly servers: readonly ServerFinding[];
  /** The worst of them. */
  readonly state: CheckState;
}

/** Undefined for a name that is no domain here. One snapshot's. */
export function wantedRecords(domain: string, parts: ZoneParts): WantedRecords | undefined {
  const { names, settings } = parts;
  const kind = names.find(domain)?.row?.domain;
  if (kind === undefined) return undefined;
  return {
    domain,
    standing: authorityOf(domain, names, settings),
    isWithMail: kind === 'mail',
    sets: setsOf(domainRecords(domain, parts)),
    keys: publishedKeys(domain, parts),
    settings,
  };
}

/** `ownDns`: `address:port` of our own name server, '' without one. */
export async function observe(wanted: WantedRecords, questions: Questions, ownDns: string): Promise<Observation> {
  const { zone, servers } = await serversOf(wanted, questions, ownDns);
  const columns = await Promise.all(
    endpointsOf(servers).map((endpoint) => askServer(wanted.sets, endpoint, questions)),
  );
  const records = wanted.sets.map((set, index) => {
    const found = columns.map((column) => column[index]!);
    const state = worstOf(found.map((each) => each.state));
    return { name: set.name, type: set.type, wanted: set.records.map(rdataText), servers: found, state };
  });
  return { zone, servers, records };
}

/** The same at the resolver. */
export function askResolver({ sets }: WantedRecords, questions: Questions): Promise<readonly ServerFinding[]> {
  return askServer(sets, undefined, questions);
}

/** At most SERVERS_MAX: each name server's first one before any second. */
export function endpointsOf(servers: readonly NamedServer[]): readonly DnsServer[] {
  const byText = new Map<string, DnsServer>();
  const most = Math.max(0, ...servers.map(({ endpoints }) => endpoints.length));
  for (let at = 0; at < most; at++)
    for (const { endpoints } of servers) {
      const endpoint = endpoints[at];
      if (endpoint === undefined || byText.size >= SERVERS_MAX) continue;
      byText.set(formatEndpoint(endpoint.address, endpoint.port), endpoint);
    }
  return [...byText.values()];
}

async function serversOf(
  { domain, standing, settings }: WantedRecords,
  questions: Questions,
  ownDns: string,
): Promise<Pick<Observation, 'zone' | 'servers'>> {
  if (standing.authority === 'ours') return { zone: standing.zone ?? null, servers: ourServers(settings, ownDns) };
  const watched = watchedAt(domain, settings);
  if (watched !== undefined) return watched;
  const found = await questions.nearestZone(standing.zone ?? domain, isTopLevel);
  if (found === undefined || found === 'unavailable') return { zone: standing.zone ?? null, servers: [] };
  return { zone: found.zone, servers: await questions.serversNamed(found.names) };
}

function ourServers(settings: ZoneSettings, ownDns: string): readonly NamedServer[] {
  const own = ownDns === '' ? [] : [{ name: settings.hostname, endpoints: [parseServer(ownDns)] }];
  const hosts = settings.hosts
    .filter(({ isOwn }) => isOwn !== true)
    .flatMap(({ key, addresses, services }) => {
      const port = services.find(({ service }) => service === 'dns')?.port;
      return port === undefined ? [] : [{ name: key, endpoints: addresses.map((address) => ({ address, port })) }];
    });
  const secondaries = settings.nameServers.filter(({ role }) => role === 'secondary');
  return [...own, ...hosts, ...secondaries.map(({ key, addresses }) => ({ name: key, endpoints: addresses }))];
}

/** Where the entry of the nearest primary says that its zone is to be looked at; each address is a server of its own. */
function watchedAt(domain: string, { nameServers }: ZoneSettings): Pick<Observation, 'zone' | 'servers'> | undefined {
  const [nearest] = nameServers
    .filter(({ role, watch }) => role === 'primary' && watch.length > 0)
    .flatMap(({ zones, watch }) => zones.filter((zone) => isSubdomain(domain, zone)).map((zone) => ({ zone, watch })))
    .sort((one, other) => other.zone.length - one.zone.length);
  if (nearest === undefined) return undefined;
  const servers = nearest.watch.map((each) => ({ name: formatEndpoint(each.address, each.port), endpoints: [each] }));
  return { zone: nearest.zone, servers };
}

/** Each set at one server; undefined: the resolver. A server that has once been silent is not asked for the rest. */
async function askServer(
  sets: readonly WantedSet[],
  server: DnsServer | undefined,
  questions: Questions,
): Promise<readonly ServerFinding[]> {
  const isAuthoritative = server !== undefined;
  const label = isAuthoritative ? formatEndpoint(server.address, server.port) : RESOLVER;
  const findings: ServerFinding[] = [];
  let isSilent = false;
  while (findings.length < sets.length) {
    const some = sets.slice(findings.length, findings.length + ASKED_AT_ONCE);
    const replies = await Promise.all(
      some.map(async (set) => {
        if (isSilent) return { unavailable: 'it was silent before' };
        const recordsMax = Math.max(RECORDS_MAX, set.records.length + 1);
        return questions.ask(set.name, set.type, { recordsMax, ...(isAuthoritative ? { servers: [server] } : {}) });
      }),
    );
    isSilent ||= replies.some((reply) => 'unavailable' in reply);
    findings.push(...some.map((set, index) => findingOf(set, replies[index]!, { label, isAuthoritative })));
  }
  return findings;
}
