// dns check: whether the world sees a domain as its entry wants it, and what to do where it does not.
//
// In      a domain with an entry
// Out     its records at each authoritative server and the resolver, the delegation of its zone, its MX hosts as senders meet them
// Limits  CHECKS_MAX domains at once; five seconds a server, thirty for all; what was not found out by then is `unknown`
// Never   holds what it has read of the directory over a wait: the records are those of the moment that it began

import { z } from 'zod';
import type { Clock } from '../../base/clock.ts';
import { Failure } from '../../base/failure.ts';
import { DnsClient } from '../../net/dns-client.ts';
import type { DnsServer } from '../../net/dns-exchange.ts';
import { parseServer } from '../../net/system-servers.ts';
import { type CheckState, compare, isAnswer, type ServerFinding, worstOf } from '../../publishing/compare.ts';
import {
  askResolver,
  endpointsOf,
  type Observation,
  observe,
  type WantedRecords,
  wantedRecords,
} from '../../publishing/observe.ts';
import { noteObservation, type ObservationParts } from '../../publishing/observed.ts';
import { nameServersAt, Questions } from '../../publishing/questions.ts';
import type { RecordType } from '../../wire/dns/codes.ts';
import { parentName } from '../../wire/dns/name.ts';
import { absoluteText } from '../../wire/dns/text.ts';
import type { Authority } from '../../zones/authority.ts';
import { zoneNames } from '../../zones/names.ts';
import { pathOf } from '../../zones/path.ts';
import { findZone, ownerRecords, type ZoneParts } from '../../zones/records.ts';
import { readZoneSettings, smtpPort, type ZoneSite } from '../../zones/settings.ts';
import { type Watch, watchOf } from '../../zones/watch.ts';
import { domainOf } from '../naming.ts';
import { adminOperation } from '../operation.ts';
import { hintOf } from './hint.ts';
import { checkHosts, type HostFinding, type MxHost } from './hosts.ts';

export interface DnsCheckParts extends ObservationParts {
  readonly clock: Clock;
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
    /** '' where it is that of a set before. */
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
const SMTP_PORT = 25;

/** All that the check needs of the directory. */
interface Checked {
  readonly wanted: WantedRecords;
  /** Where others publish it. */
  readonly watch: Watch | undefined;
  readonly hosts: readonly MxHost[];
  /** Of a zone of ours. */
  readonly nameServers: readonly string[];
  readonly isOurs: (name: string) => boolean;
}

export const dnsCheck = (parts: DnsCheckParts) => {
  let running = 0;
  return adminOperation('dns.check', z.strictObject({ domain: z.string().min(1).max(255) }), async (input) => {
    const checked = checkedOf(domainOf(input.domain), parts);
    if (running >= CHECKS_MAX) throw new Failure('too-many', `${CHECKS_MAX} checks are under way: try again`);
    running++;
    const client = new DnsClient({ servers: parts.resolver, lookUpsMax: 200 });
    try {
      return await check(checked, new Questions(client), parts);
    } finally {
      client.close();
      running--;
    }
  });
};

/** Throws `not-found` for a domain without an entry. */
function checkedOf(domain: string, { reader, zoneSite }: DnsCheckParts): Checked {
  const parts: ZoneParts = { names: zoneNames(reader), settings: readZoneSettings(reader, zoneSite) };
  const wanted = wantedRecords(domain, parts);
  if (wanted === undefined) throw new Failure('not-found', `${domain} is not a domain here`);
  const { settings } = parts;
  const exchanges = wanted.sets
    .filter(({ name }) => name === domain)
    .flatMap(({ records }) => records.flatMap((record) => (record.type === 'MX' ? [record.exchange] : [])));
  const zone = findZone(domain, parts);
  const above = new Set<string>();
  for (let at = zone === undefined ? undefined : parentName(zone.name); at !== undefined; at = parentName(at))
    if (findZone(at, parts) !== undefined) above.add(at);
  return {
    wanted,
    watch: watchOf(reader, pathOf(domain)),
    hosts: [...new Set(exchanges)]
      .filter((name) => name !== '.')
      .map((name) => {
        const host = settings.hosts.find(({ key }) => key === name);
        return { name, port: (host && smtpPort(host)) ?? SMTP_PORT };
      }),
    nameServers: zone === undefined ? [] : nameServersAt(zone.name, ownerRecords(zone.name, zone, parts)),
    isOurs: (name) => above.has(name),
  };
}

async function check(checked: Checked, questions: Questions, parts: DnsCheckParts): Promise<DnsCheck> {
  const ownDns = parts.ownDns();
  const { domain, standing, settings } = checked.wanted;
  const [asked, hosts] = await Promise.all([
    askServers(checked, questions, ownDns),
    checkHosts(checked.hosts, questions, settings.hostname),
  ]);
  const { records, zone, delegation, observation } = asked;
  // What was seen counts as what the watch sees.
  const { wanted, watch } = checked;
  if (standing.authority !== 'ours')
    await noteObservation(parts, { wanted, observation, watch, now: parts.clock.now() });
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
  checked: Checked,
  questions: Questions,
  ownDns: string,
): Promise<Pick<DnsCheck, 'records' | 'zone' | 'delegation'> & { readonly observation: Observation }> {
  const { wanted } = checked;
  const [observation, resolved] = await Promise.all([
    observe(wanted, questions, ownDns),
    askResolver(wanted, questions),
  ]);
  const { zone } = observation;
  const delegation = await checkDelegation(checked, { observation, ownDns }, questions);
  const hints = new Set<string>();
  const records = observation.records.map((set, index) => {
    const servers = [...set.servers, resolved[index]!];
    const state = worstOf(servers.map((each) => each.state));
    const hint = hintOf(wanted.sets[index]!, servers, { domain: wanted.domain, standing: wanted.standing, zone });
    // What is said of the whole zone is said once.
    const isSaid = state !== 'ok' && hints.has(hint);
    hints.add(hint);
    const said = isSaid ? '' : hint;
    return { name: absoluteText(set.name), type: set.type, wanted: set.wanted, state, hint: said, servers };
  });
  return { zone, delegation, records, observation };
}

/** What the parent's servers lead to, beside what the zone says of itself. */
async function checkDelegation(
  { wanted, nameServers, isOurs }: Checked,
  { observation, ownDns }: { readonly observation: Observation; readonly ownDns: string },
  questions: Questions,
): Promise<DnsCheck['delegation']> {
  const { zone } = observation;
  const servers = endpointsOf(observation.servers);
  const { standing } = wanted;
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
    return found === undefined || found === 'unavailable' ? [] : endpointsOf(await by.serversNamed(found.names));
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
