// The records of a name, computed from the rows of the directory and what all zones share: nothing here is stored.
//
// In      a name and a type, the rows by name, hosts and name servers and keys
// Out     records, or why there are none: outside our zones, no such name, no such type at the name
// A domain entry is an apex unless an ancestor domain entry exists; then its names lie in that zone, without delegation.
// Every domain entry is served, whatever its status: an inactive, disabled or deleted domain must still lead its senders
// here, where SMTP refuses with the reason. Without the records they would try for days, or deliver to another host. When the
// entry is removed, its records are too.
// States  of a look-up: the zone -> a delegation (referral), the name itself, else the wildcard at its closest encloser; an alias
//         begins the next round
// Limits  ALIASES_MAX aliases, TARGETS_MAX names with addresses beside the answer, SITE_NAMES_MAX names below a domain
// Never   reads tables; guesses: where the source fails, its failure is thrown
// RFC 1034 §4.3.2, RFC 1035 §3.3, RFC 2308 §2 §3, RFC 4035 §3.1.4.1, RFC 4592 §2 §3, RFC 8020 §2, RFC 8482 §4.1

import { CLASS_IN, type RecordType } from '../wire/dns/codes.ts';
import { isSubdomain, parentName } from '../wire/dns/name.ts';
import type { Rdata, ResourceRecord } from '../wire/dns/rdata.ts';
import { AuthorityWalk, namesFromTop } from './authority.ts';
import type { ZoneRow } from './compile.ts';
import {
  generatedAt,
  hostOwners,
  hostRdatas,
  isAboveOwners,
  type KindSource,
  ourHosts,
  ownersOf,
  unique,
} from './kinds.ts';
import type { NameSource } from './name-source.ts';
import { publishedKeys } from './published-keys.ts';
import type { ZoneKeyRow, ZoneSettings } from './settings.ts';
import { mergeSite, siteRdatas } from './site-records.ts';

const TTL_SECONDS = 300;
/** How long resolvers may cache that a name does not exist: short, because the next write may make it. RFC 2308 §4 */
const NEGATIVE_TTL_SECONDS = 60;
/** For secondary servers. RFC 1912 §2.2 */
const REFRESH_SECONDS = 3600;
const RETRY_SECONDS = 600;
const EXPIRE_SECONDS = 1_209_600;

export interface ZoneParts {
  readonly names: NameSource;
  readonly settings: ZoneSettings;
}

export interface Zone {
  /** The apex, lower case. */
  readonly name: string;
  readonly serial: number;
}

export type ZoneAnswer =
  | { readonly result: 'outside' }
  | {
      readonly result: 'found';
      readonly answers: readonly ResourceRecord[];
      readonly authorities: readonly ResourceRecord[];
      readonly additionals: readonly ResourceRecord[];
      /** The apexes of the zones that it was made from. */
      readonly zones: readonly string[];
    }
  /** The name lies below a delegation out of our zone. */
  | {
      readonly result: 'referral';
      /** Aliases on the way. */
      readonly answers: readonly ResourceRecord[];
      readonly authorities: readonly ResourceRecord[];
      readonly additionals: readonly ResourceRecord[];
      readonly zones: readonly string[];
    }
  | {
      readonly result: 'no-name' | 'no-data';
      /** Aliases on the way. */
      readonly answers: readonly ResourceRecord[];
      /** For the authority section: resolvers may cache the answer for its TTL. */
      readonly soa: ResourceRecord;
      readonly zones: readonly string[];
    };

/** RFC 1982 §7: from 1 up to 2^32 - 1, then 1 again; a later revision is a later serial unless a secondary is 2^31 behind. */
export function zoneSerial(revision: number): number {
  return revision < 1 ? 1 : ((revision - 1) % 0xffffffff) + 1;
}

/** Nothing here is signed: there is none anywhere. */
const DS: RecordType = 'TYPE43';
const ALIASES_MAX = 8;
const TARGETS_MAX = 20;
const SITE_NAMES_MAX = 1000;

/** A name as the walk from the top finds it. */
interface Place {
  readonly name: string;
  /** Undefined outside our zones, and below a delegation. */
  readonly zone: Zone | undefined;
  /** Where a zone of ours ends above the name, or at it. */
  readonly cut: { readonly name: string; readonly apex: string } | undefined;
  readonly row: ZoneRow | undefined;
  readonly hasBelow: boolean;
  /** A name above it exists and has no entry below it. */
  readonly isBelowAll: boolean;
  /** The nearest domain at or above the name, without a delegation between them. */
  readonly domain: KindSource | undefined;
}

/** Walks from the top and ends where nothing lies below, so a foreign name costs a row or two. */
function placeOf(name: string, { names, settings }: ZoneParts): Place {
  const walk = new AuthorityWalk(settings);
  let changedAt = 0;
  let apex: string | undefined;
  let domain: KindSource | undefined;
  let dmarc: string | undefined;
  let row: ZoneRow | undefined;
  let hasBelow = false;
  let isBelowAll = false;
  for (const each of namesFromTop(name)) {
    const found = names.find(each);
    if (found === undefined) break;
    if (found.row !== undefined) walk.pass(each, found.row);
    if (walk.apex === each && apex !== each) {
      // Above a marked apex the rows of another zone lie.
      const own = Math.max(found.changedAt, found.changedBelowAt);
      changedAt = found.row?.isApex === true ? own : Math.max(changedAt, own);
    } else if (walk.apex === undefined) changedAt = Math.max(changedAt, found.changedAt);
    apex = walk.apex;
    if (walk.cut?.name === each) domain = undefined;
    if (found.row?.domain !== undefined) {
      dmarc = found.row.dmarc ?? dmarc;
      domain = kindSource(each, found.row, { dmarc, names, settings });
    }
    if (each === name) {
      row = found.row;
      hasBelow = found.hasBelow;
    }
    if (!found.hasBelow) {
      isBelowAll = each !== name && (found.row?.domain ?? found.row?.site) !== undefined;
      break;
    }
  }
  const serial = zoneSerial(Math.max(changedAt, settings.changedAt));
  const zone = apex === undefined ? undefined : { name: apex, serial };
  return { name, zone, cut: walk.cut, row, hasBelow, isBelowAll, domain };
}

function kindSource(
  name: string,
  row: ZoneRow,
  { dmarc, names, settings }: ZoneParts & { readonly dmarc: string | undefined },
): KindSource {
  let keys: readonly ZoneKeyRow[] | undefined;
  return { name, row, dmarc, settings, keys: () => (keys ??= publishedKeys(name, { names, settings })) };
}

/**
 * The zone of ours in which `name` (lower case) lies, undefined when it lies in none. A zone's serial is the highest revision
 * at which a row in it was added, changed or removed, or the row of a name above its apex (which moves the apex), or a setting
 * of all zones.
 */
export function findZone(name: string, parts: ZoneParts): Zone | undefined {
  return placeOf(name, parts).zone;
}

/** The answer to one question, `name` in lower case. */
export function lookUp(name: string, type: RecordType, parts: ZoneParts): ZoneAnswer {
  const answers: ResourceRecord[] = [];
  const zones: string[] = [];
  for (let at = name; ; ) {
    const place = placeOf(at, parts);
    const above = type === DS ? zoneAbove(place, parts) : undefined;
    if (above !== undefined) {
      // The zone below too: that it begins at the name is of its making.
      for (const each of [above.name, place.zone?.name ?? above.name]) if (!zones.includes(each)) zones.push(each);
      return { result: 'no-data', answers, soa: negativeSoa(above, parts), zones };
    }
    if (place.cut !== undefined) {
      if (!zones.includes(place.cut.apex)) zones.push(place.cut.apex);
      return { result: 'referral', answers, ...referral(place.cut.name, parts), zones };
    }
    if (place.zone === undefined) {
      // An alias leads out: who asks goes on from there.
      return answers.length === 0 ? { result: 'outside' } : { result: 'found', ...found(answers, parts), zones };
    }
    if (!zones.includes(place.zone.name)) zones.push(place.zone.name);
    const data = dataAt(place, parts) ?? wildcardAt(place, place.zone, parts);
    const first = data?.rdatas[0];
    const asked = type === 'ANY' ? oneSet(data?.rdatas ?? []) : (data?.rdatas ?? []).filter((one) => one.type === type);
    if (first?.type === 'CNAME' && type !== 'CNAME' && type !== 'ANY') {
      answers.push({ ...record(at, first), ttl: data!.ttl });
      at = first.target;
      const isSeen = answers.some((record) => record.name === at);
      if (isSeen || answers.length > ALIASES_MAX) return { result: 'found', ...found(answers, parts), zones };
    } else if (asked.length > 0) {
      for (const rdata of asked) answers.push({ ...record(at, rdata), ttl: data!.ttl });
      return { result: 'found', ...found(answers, parts), zones };
    } else {
      const soa = negativeSoa(place.zone, parts);
      return { result: data === undefined ? 'no-name' : 'no-data', answers, soa, zones };
    }
  }
}

function negativeSoa(zone: Zone, { settings }: ZoneParts): ResourceRecord {
  return { ...record(zone.name, soaOf(zone, settings)), ttl: NEGATIVE_TTL_SECONDS };
}

/** RFC 4035 §3.1.4.1: whether a zone is signed is said by the zone above it, which is asked at the name where it begins. */
function zoneAbove({ name, zone, cut }: Place, parts: ZoneParts): Zone | undefined {
  if (cut?.name === name) return findZone(cut.apex, parts);
  const above = zone?.name === name ? parentName(name) : undefined;
  return above === undefined ? undefined : findZone(above, parts);
}

function found(answers: readonly ResourceRecord[], parts: ZoneParts) {
  return { answers, authorities: [], additionals: addressesBeside(answers, parts) };
}

interface DataAt {
  readonly rdatas: readonly Rdata[];
  readonly ttl: number;
}

/** All data of a name of a zone, which exists; none where it only leads to others. Undefined: there is no such name. */
function dataAt(place: Place, parts: ZoneParts): DataAt | undefined {
  const { name, zone, row, hasBelow, domain } = place;
  const owner = domain && relative(name, domain.name);
  let rdatas = domain === undefined || owner === undefined ? NOTHING : generatedAt(owner, domain);
  if (name === zone?.name) rdatas = [soaOf(zone, parts.settings), ...nameServers(parts.settings), ...rdatas];
  for (const host of ourHosts(parts.settings)) {
    if (!isSubdomain(name, host.key)) continue;
    const made = hostRdatas(name, host, publishedKeys(host.key, parts));
    // A host that is a domain, too, says in its domain's record who sends for it.
    rdatas = unique([...rdatas, ...(owner === '' ? made.filter(({ type }) => type !== 'TXT') : made)]);
  }
  if (row?.site !== undefined) rdatas = unique(mergeSite(rdatas, siteRdatas(row.site)));
  const isEmpty = rdatas.length === 0 && row?.domain === undefined && !hasBelow;
  if (isEmpty && !hasOwnersBelow(name, domain, parts)) return undefined;
  return { rdatas, ttl: row?.ttl ?? TTL_SECONDS };
}

const NOTHING: readonly Rdata[] = [];

function recordsAt(place: Place, parts: ZoneParts): readonly ResourceRecord[] | undefined {
  const data = dataAt(place, parts);
  return data?.rdatas.map((rdata) => ({ ...record(place.name, rdata), ttl: data.ttl }));
}

/** The labels of `name` before those of the domain; '' for itself. */
function relative(name: string, domain: string): string {
  return name === domain ? '' : name.slice(0, -domain.length - 1);
}

/** Something is generated below the name, so it exists. */
function hasOwnersBelow(name: string, domain: KindSource | undefined, parts: ZoneParts): boolean {
  if (domain !== undefined && name !== domain.name && isAboveOwners(relative(name, domain.name), domain)) return true;
  return ourHosts(parts.settings).some((host) => {
    if (isSubdomain(host.key, name)) return true;
    return (
      isSubdomain(name, host.key) && hostOwners(host, publishedKeys(host.key, parts)).some((o) => isSubdomain(o, name))
    );
  });
}

/** RFC 4592: what the wildcard right below the closest encloser gives; undefined where there is none. */
function wildcardAt({ name, isBelowAll }: Place, zone: Zone, parts: ZoneParts): DataAt | undefined {
  // A wildcard is an entry below the encloser.
  if (isBelowAll) return undefined;
  for (let at = parentName(name); at !== undefined && isSubdomain(at, zone.name); at = parentName(at)) {
    const place = placeOf(at, parts);
    if (at !== zone.name && dataAt(place, parts) === undefined) continue;
    return dataAt(placeOf(`*.${at}`, parts), parts);
  }
  return undefined;
}

/** RFC 1034 §4.2.1: the name servers of the zone below, and where those are that lie below it themselves. */
function referral(cut: string, parts: ZoneParts) {
  const row = parts.names.find(cut)?.row;
  const ttl = row?.ttl ?? TTL_SECONDS;
  const servers = siteRdatas(row?.site).filter(({ type }) => type === 'NS');
  const authorities = servers.map((rdata) => ({ ...record(cut, rdata), ttl }));
  return { authorities, additionals: addressesBeside(authorities, parts) };
}

/**
 * All records that a name has in the zone of this apex, but its SOA. Where the zone ends at the name: the name servers of the one
 * below, with the addresses of those that lie below it themselves. None for a name of another zone.
 */
export function transferredAt(name: string, apex: string, parts: ZoneParts): readonly ResourceRecord[] {
  const place = placeOf(name, parts);
  if (place.cut !== undefined) {
    return place.cut.name === name && place.cut.apex === apex
      ? withGlue(name, referral(name, parts).authorities, parts)
      : [];
  }
  if (place.zone?.name === apex) return (recordsAt(place, parts) ?? []).filter(({ type }) => type !== 'SOA');
  const above = parentName(name);
  if (place.zone?.name !== name || above === undefined || placeOf(above, parts).zone?.name !== apex) return [];
  const servers = (recordsAt(place, parts) ?? []).filter(({ type }) => type === 'NS');
  return withGlue(name, servers, parts);
}

function withGlue(cut: string, servers: readonly ResourceRecord[], parts: ZoneParts): readonly ResourceRecord[] {
  return [...servers, ...addressesBeside(servers, parts).filter(({ name }) => isSubdomain(name, cut))];
}

/** The name where another zone begins at or above `name`, seen from the zone of `apex`; undefined inside it. */
export function endOfZone(name: string, apex: string, parts: ZoneParts): string | undefined {
  const place = placeOf(name, parts);
  if (place.cut?.apex === apex) return place.cut.name;
  return place.zone?.name === apex ? undefined : (place.zone?.name ?? place.cut?.apex);
}

/** The names that what is generated for the entry of a domain stands at, itself first; of a name that is no domain itself alone. */
export function generatedOwners(name: string, parts: ZoneParts): readonly string[] {
  const { domain } = placeOf(name, parts);
  return domain?.name === name ? ownersOf(domain).map((owner) => (owner === '' ? name : `${owner}.${name}`)) : [name];
}

/** The names of our hosts, and of their keys. */
export function namesOfHosts(parts: ZoneParts): readonly string[] {
  return ourHosts(parts.settings).flatMap((host) => hostOwners(host, publishedKeys(host.key, parts)));
}

/** Something is generated at the name for the nearest domain above it. */
export function isGenerated(name: string, parts: ZoneParts): boolean {
  const { domain } = placeOf(name, parts);
  return domain !== undefined && ownersOf(domain).includes(relative(name, domain.name));
}

export function soaRecord(zone: Zone, settings: ZoneSettings): ResourceRecord {
  return record(zone.name, soaOf(zone, settings));
}

/** All records of an owner in this zone. */
export function ownerRecords(name: string, _zone: Zone, parts: ZoneParts): readonly ResourceRecord[] {
  const place = placeOf(name, parts);
  if (place.cut?.name === name) return referral(name, parts).authorities;
  return recordsAt(place, parts) ?? [];
}

/**
 * All that the entry of a domain wants, whoever the owner is, and what entries below it say that are no domains; in a zone of
 * others what hosts of ours below it need, too. No SOA, no NS.
 */
export function domainRecords(name: string, parts: ZoneParts): readonly ResourceRecord[] {
  const { domain, zone } = placeOf(name, parts);
  if (domain?.name !== name) return [];
  const owners = new Set(ownersOf(domain).map((owner) => (owner === '' ? name : `${owner}.${name}`)));
  for (const below of entriesBelow(name, parts).own) owners.add(below);
  // A zone of ours has them by itself.
  if (zone === undefined)
    for (const owner of namesOfHosts(parts))
      if (isSubdomain(owner, name) && placeOf(owner, parts).domain?.name === name) owners.add(owner);
  const records = [...owners].flatMap((owner) => recordsAt(placeOf(owner, parts), parts) ?? []);
  return records.filter(({ type }) => type !== 'SOA' && type !== 'NS');
}

/** What is generated at one name for the nearest domain above it, and for a host of ours. */
export function domainOwnerRecords(name: string, parts: ZoneParts): readonly ResourceRecord[] {
  return recordsAt({ ...placeOf(name, parts), zone: undefined }, parts) ?? [];
}

/** Where the zone of this apex ends below a domain of it: the name servers, and the addresses of those that lie below themselves. */
export function delegationsBelow(domain: string, apex: string, parts: ZoneParts): readonly ResourceRecord[] {
  const ends = entriesBelow(domain, parts).others.filter((name) => endOfZone(name, apex, parts) === name);
  return ends.flatMap((name) => transferredAt(name, apex, parts));
}

interface EntriesBelow {
  /** Names that belong to the domain: not those of domains below, nor those below a delegation. */
  readonly own: readonly string[];
  /** The first of each of those. */
  readonly others: readonly string[];
}

function entriesBelow(domain: string, { names }: ZoneParts): EntriesBelow {
  const own: string[] = [];
  const others: string[] = [];
  for (const { name, row } of names.list(domain, domain, SITE_NAMES_MAX)) {
    const other = others.at(-1);
    if (other !== undefined && isSubdomain(name, other)) continue;
    if (row?.domain !== undefined || isDelegated(row)) others.push(name);
    else if (row?.site !== undefined) own.push(name);
  }
  return { own, others };
}

function isDelegated(row: ZoneRow | undefined): boolean {
  return row?.site?.some(([type]) => type === 'NS') === true;
}

/** RFC 8482 §4.1: one of the record sets, MX where there is one. */
function oneSet(rdatas: readonly Rdata[]): readonly Rdata[] {
  const type = (rdatas.find((one) => one.type === 'MX') ?? rdatas[0])?.type;
  return rdatas.filter((one) => one.type === type);
}

/** Of the hosts that an answer names, where a zone of ours holds them or lies above them. */
export function addressesBeside(answers: readonly ResourceRecord[], parts: ZoneParts): readonly ResourceRecord[] {
  const targets = new Set<string>();
  for (const answer of answers) {
    if (answer.type === 'MX') targets.add(answer.exchange);
    else if (answer.type === 'NS' || answer.type === 'SRV') targets.add(answer.target);
  }
  if (targets.size === 0) return [];
  const owners = new Set(answers.filter(({ type }) => type === 'A' || type === 'AAAA').map(({ name }) => name));
  return [...targets]
    .filter((target) => !owners.has(target))
    .slice(0, TARGETS_MAX)
    .flatMap((target) => addressesOf(target, parts));
}

function addressesOf(target: string, parts: ZoneParts): readonly ResourceRecord[] {
  const place = placeOf(target, parts);
  if (place.zone === undefined && place.cut === undefined) return [];
  const records = recordsAt(place, parts) ?? [];
  return records.filter(({ type }) => type === 'A' || type === 'AAAA');
}

const serversOf = new WeakMap<ZoneSettings, readonly Rdata[]>();

function nameServers(settings: ZoneSettings): readonly Rdata[] {
  let servers = serversOf.get(settings);
  if (servers === undefined) {
    servers = serversIn(settings);
    serversOf.set(settings, servers);
  }
  return servers;
}

function serversIn(settings: ZoneSettings): readonly Rdata[] {
  const own = settings.hosts.filter(({ services }) => services.some(({ service }) => service === 'dns'));
  const secondaries = settings.nameServers.filter(({ role }) => role === 'secondary').map(({ key }) => key);
  const targets = new Set([...own.map(({ key }) => key), ...secondaries.filter((key) => key.includes('.'))]);
  return [...targets].map((target) => ({ type: 'NS', target }));
}

function soaOf(zone: Zone, settings: ZoneSettings): Rdata {
  return {
    type: 'SOA',
    mname: settings.hostname,
    // postmaster@HOSTNAME is always accepted; hostmaster need not exist.
    rname: `postmaster.${settings.hostname}`,
    serial: zone.serial,
    refresh: REFRESH_SECONDS,
    retry: RETRY_SECONDS,
    expire: EXPIRE_SECONDS,
    minimum: NEGATIVE_TTL_SECONDS,
  };
}

function record(name: string, rdata: Rdata): ResourceRecord {
  return { name, class: CLASS_IN, ttl: TTL_SECONDS, ...rdata };
}
