// dns check: whether the world sees a domain as its entry wants it, and what to do where it does not.
//
// In      a domain with an entry
// Out     its records at each authoritative server and the resolver, the delegation of its zone, its MX hosts as senders meet them
// Limits  CHECKS_MAX domains at once; five seconds a server, thirty for all; what was not found out by then is `unknown`
// Never   holds what it has read of the directory over a wait: the records are those of the moment that it began

import { z } from 'zod';
import { Failure } from '../../base/failure.ts';
import type { Reader } from '../../database/operation.ts';
import { DnsClient } from '../../net/dns-client.ts';
import type { DnsServer } from '../../net/dns-exchange.ts';
import { formatEndpoint } from '../../net/listen.ts';
import { parseServer } from '../../net/system-servers.ts';
import type { RecordType } from '../../wire/dns/codes.ts';
import { parentName } from '../../wire/dns/name.ts';
import { absoluteText, rdataText } from '../../wire/dns/text.ts';
import { type Authority, authorityOf, type ZoneStanding } from '../../zones/authority.ts';
import { zoneNames } from '../../zones/names.ts';
import { domainRecords, findZone, ownerRecords, type ZoneParts } from '../../zones/records.ts';
import { readZoneSettings, smtpPort, type ZoneSettings, type ZoneSite } from '../../zones/settings.ts';
import { domainOf } from '../naming.ts';
import { adminOperation } from '../operation.ts';
import {
  type CheckState,
  compare,
  findingOf,
  hintOf,
  isAnswer,
  RESOLVER,
  type ServerFinding,
  setsOf,
  type WantedSet,
  worstOf,
} from './compare.ts';
import { checkHosts, type HostFinding, type MxHost } from './hosts.ts';
import { isTopLevel, nameServersAt, Questions } from './questions.ts';

export interface DnsCheckParts {
  readonly reader: Reader;
  readonly zoneSite: ZoneSite;
  /** As the configuration has it. */
  readonly resolver: readonly string[];
  /** The endpoint of our DNS listener, '' without one. */
  readonly ownDns: () => string;
}

export interface DnsCheck {
  readonly domain: string;
  /** The zone that the domain lies in; null where the resolver does not know it. */
  readonly zone: string | null;
  readonly authority: Authority;
  /** The worst of all below. */
  readonly state: CheckState;
  readonly records: readonly {
    /** Absolute, with its final dot. */
    readonly name: string;
    readonly type: RecordType;
    readonly wanted: readonly string[];
    readonly state: CheckState;
    readonly hint: string;
    readonly servers: readonly ServerFinding[];
  }[];
  readonly delegation: {
    readonly parent: readonly string[];
    readonly own: readonly string[];
    readonly state: CheckState;
  };
  readonly hosts: readonly HostFinding[];
}

const CHECKS_MAX = 4;
/** Questions to one server at once. */
const ASKED_AT_ONCE = 16;
/** Of a set that is larger than wanted so many are read. RFC 1035 knows no bound. */
const RECORDS_MAX = 20;
const SERVERS_MAX = 16;
const SMTP_PORT = 25;

/** All that the check needs of the directory. */
interface Wanted {
  readonly domain: string;
  readonly standing: ZoneStanding;
  readonly sets: readonly WantedSet[];
  readonly hosts: readonly MxHost[];
  /** Of a zone of ours. */
  readonly nameServers: readonly string[];
  readonly isOurs: (name: string) => boolean;
  readonly settings: ZoneSettings;
}

export const dnsCheck = (parts: DnsCheckParts) => {
  let running = 0;
  return adminOperation('dns.check', z.object({ domain: z.string().min(1).max(255) }), async (input) => {
    const wanted = wantedOf(domainOf(input.domain), parts);
    if (running >= CHECKS_MAX) throw new Failure('too-many', `${CHECKS_MAX} checks are under way: try again`);
    running++;
    const client = new DnsClient({ servers: parts.resolver, lookUpsMax: 200 });
    try {
      return await check(wanted, new Questions(client), parts.ownDns());
    } finally {
      client.close();
      running--;
    }
  });
};

/** Throws `not-found` for a domain without an entry. */
function wantedOf(domain: string, { reader, zoneSite }: DnsCheckParts): Wanted {
  const parts: ZoneParts = { names: zoneNames(reader), settings: readZoneSettings(reader, zoneSite) };
  const { names, settings } = parts;
  if (names.find(domain)?.row?.domain === undefined) throw new Failure('not-found', `${domain} is not a domain here`);
  const records = domainRecords(domain, parts);
  const exchanges = records.flatMap((record) =>
    record.type === 'MX' && record.name === domain ? [record.exchange] : [],
  );
  const zone = findZone(domain, parts);
  const above = new Set<string>();
  for (let at = zone === undefined ? undefined : parentName(zone.name); at !== undefined; at = parentName(at))
    if (findZone(at, parts) !== undefined) above.add(at);
  return {
    domain,
    standing: authorityOf(domain, names, settings),
    sets: setsOf(records),
    hosts: [...new Set(exchanges)]
      .filter((name) => name !== '.')
      .map((name) => {
        const host = settings.hosts.find(({ key }) => key === name);
        return { name, port: (host && smtpPort(host)) ?? SMTP_PORT };
      }),
    nameServers: zone === undefined ? [] : nameServersAt(zone.name, ownerRecords(zone.name, zone, parts)),
    isOurs: (name) => above.has(name),
    settings,
  };
}

async function check(wanted: Wanted, questions: Questions, ownDns: string): Promise<DnsCheck> {
  const { domain, standing, settings } = wanted;
  const [asked, hosts] = await Promise.all([
    askServers(wanted, questions, ownDns),
    checkHosts(wanted.hosts, questions, settings.hostname),
  ]);
  const { records, zone, delegation } = asked;
  return {
    domain,
    zone,
    authority: standing.authority,
    state: worstOf([...records, delegation, ...hosts].map(({ state }) => state)),
    records,
    delegation,
    hosts,
  };
}

async function askServers(
  wanted: Wanted,
  questions: Questions,
  ownDns: string,
): Promise<Pick<DnsCheck, 'records' | 'zone' | 'delegation'>> {
  const { sets, standing } = wanted;
  const { zone, servers } = await serversOf(wanted, questions, ownDns);
  const [delegation, ...columns] = await Promise.all([
    checkDelegation(wanted, { zone, servers, ownDns }, questions),
    ...servers.map((server) => askServer(sets, server, questions)),
    askServer(sets, undefined, questions),
  ]);
  const records = sets.map((set, index) => {
    const found = columns.map((column) => column[index]!);
    return {
      name: absoluteText(set.name),
      type: set.type,
      wanted: set.records.map(rdataText),
      state: worstOf(found.map(({ state }) => state)),
      hint: hintOf(set, found, { authority: standing.authority, zone }),
      servers: found,
    };
  });
  return { zone, delegation, records };
}

/** The zone and those who answer for it: our listener and our secondaries, where we were told to look, or those that the resolver names. */
async function serversOf(
  { domain, standing, settings }: Wanted,
  questions: Questions,
  ownDns: string,
): Promise<{ readonly zone: string | null; readonly servers: readonly DnsServer[] }> {
  if (standing.authority === 'ours') {
    const own = ownDns === '' ? [] : [parseServer(ownDns)];
    const hosts = settings.hosts
      .filter(({ isOwn }) => isOwn !== true)
      .flatMap(({ addresses, services }) => {
        const port = services.find(({ service }) => service === 'dns')?.port;
        return port === undefined ? [] : addresses.map((address) => ({ address, port }));
      });
    const secondaries = settings.nameServers.filter(({ role }) => role === 'secondary');
    const servers = [...own, ...hosts, ...secondaries.flatMap(({ addresses }) => addresses)];
    return { zone: standing.zone ?? null, servers: servers.slice(0, SERVERS_MAX) };
  }
  const primary = settings.nameServers.find(({ role, key }) => role === 'primary' && key === standing.server);
  if (primary !== undefined && primary.watch.length > 0)
    return { zone: standing.zone ?? null, servers: primary.watch.slice(0, SERVERS_MAX) };
  const found = await questions.nearestZone(standing.zone ?? domain, isTopLevel);
  if (found === undefined || found === 'unavailable') return { zone: standing.zone ?? null, servers: [] };
  return { zone: found.zone, servers: (await questions.serversNamed(found.names)).slice(0, SERVERS_MAX) };
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

/** What the parent's servers lead to, beside what the zone says of itself. */
async function checkDelegation(
  { standing, nameServers, isOurs }: Wanted,
  at: { readonly zone: string | null; readonly servers: readonly DnsServer[]; readonly ownDns: string },
  questions: Questions,
): Promise<DnsCheck['delegation']> {
  const { zone, servers, ownDns } = at;
  if (zone === null) return { parent: [], own: [], state: 'unknown' };
  const own = standing.authority === 'ours' ? nameServers : await ownWord(zone, servers, questions);
  const above = parentName(zone);
  const parent = above === undefined ? undefined : await parentServers(above, questions);
  const said = parent && (await questions.delegationOf(zone, parent));
  const state = own === undefined || said === undefined ? 'unknown' : compare(own, said);
  return { parent: said ?? [], own: own ?? [], state };

  async function parentServers(name: string, by: Questions): Promise<readonly DnsServer[]> {
    if (isOurs(name) && ownDns !== '') return [parseServer(ownDns)];
    const found = await by.nearestZone(name, () => false);
    return found === undefined || found === 'unavailable' ? [] : by.serversNamed(found.names);
  }
}

async function ownWord(
  zone: string,
  servers: readonly DnsServer[],
  questions: Questions,
): Promise<readonly string[] | undefined> {
  if (servers.length === 0) return undefined;
  const reply = await questions.ask(zone, 'NS', { servers });
  return isAnswer(reply) ? nameServersAt(zone, reply.answers) : undefined;
}
