// The records of a name, computed from the mail domains and this host: nothing here is stored.
//
// In      a name and a type, the rows of the mail domains by name, the host's name and addresses
// Out     records, or why there are none: outside our zones, no such name, no such type at the name
// A domain entry is an apex unless an ancestor domain entry exists; then its names lie in that zone, without delegation.
// Every domain entry is served, whatever its status: an inactive, disabled or deleted domain must still lead its senders
// here, where SMTP refuses with the reason. Without the records they would try for days, or deliver to another host. When the
// entry is removed, its records are too.
// Never   reads tables; guesses: where the source fails, its failure is thrown
// RFC 1034 §4.3.2, RFC 1035 §3.3, RFC 2308 §2 §3, RFC 8020 §2, RFC 8482 §4.1

import { asciiLower } from '../base/characters.ts';
import { Failure } from '../base/failure.ts';
import { ipv4Octets, ipv4Text, ipv6Octets, ipv6Text } from '../wire/dns/address.ts';
import { CLASS_IN, type RecordType } from '../wire/dns/codes.ts';
import { isSubdomain, parentName, parseName, ROOT } from '../wire/dns/name.ts';
import type { Rdata, ResourceRecord } from '../wire/dns/rdata.ts';
import type { DomainRow } from './compile.ts';

const TTL_SECONDS = 300;
/** How long resolvers may cache that a name does not exist: short, because the next write may make it. RFC 2308 §4 */
const NEGATIVE_TTL_SECONDS = 60;
/** For secondary servers, of which there are none yet. RFC 1912 §2.2 */
const REFRESH_SECONDS = 3600;
const RETRY_SECONDS = 600;
const EXPIRE_SECONDS = 1_209_600;

/** What the mail domains say about one name. */
export interface ZoneName {
  readonly name: string;
  /** Undefined while no domain entry has this name. */
  readonly domain: DomainRow | undefined;
  /** A domain entry lies below. */
  readonly hasBelow: boolean;
  /** The revision at which `domain` was last added, changed or removed; 0 when there never was one. */
  readonly changedAt: number;
  /** The same of the names below. */
  readonly changedBelowAt: number;
}

/** Names in lower case, as wire/dns/name.ts writes them. */
export interface NameSource {
  /** Undefined for a name that never was a domain entry's and never had one below it. */
  find(name: string): ZoneName | undefined;
  /**
   * The names that exist at and below `apex`, in the order of RFC 4034 §6.1: domains, and names without data that have one
   * below (empty non-terminals). At most `limit` of those behind `after`; the first ones for ''. A domain below the apex of a
   * zone lies in that zone, so all of them are the zone's; the host's own name and those above it are not among them.
   */
  list(apex: string, after: string, limit: number): readonly ZoneName[];
}

/** This host as DNS shows it. Made by `zoneHost`. */
export interface ZoneHost {
  /** Lower case. */
  readonly hostname: string;
  readonly addresses: readonly Rdata[];
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
      readonly additionals: readonly ResourceRecord[];
    }
  /** The SOA record goes into the authority section: resolvers may cache the answer for its TTL. */
  | { readonly result: 'no-name' | 'no-data'; readonly soa: ResourceRecord };

/**
 * `addresses` are those of the configuration, else those of the listeners; the wildcards among them (`0.0.0.0`, `::`)
 * and link-local ones with an interface name mean nothing to others and are left out. Throws `invalid` for a host name
 * that is no name, and for an address that is none.
 */
export function zoneHost(hostname: string, addresses: readonly string[]): ZoneHost {
  try {
    const concrete = [...new Set(addresses)].filter((address) => !address.includes('%'));
    const records = concrete
      .map(addressRdata)
      .filter((record) => record.address !== '0.0.0.0' && record.address !== '::');
    return { hostname: parseName(asciiLower(hostname)), addresses: records };
  } catch (error) {
    throw new Failure('invalid', `No DNS records can be made for host ${hostname} with ${addresses.join(', ')}`, {
      cause: error,
    });
  }
}

function addressRdata(address: string): Rdata & { readonly type: 'A' | 'AAAA' } {
  return address.includes(':')
    ? { type: 'AAAA', address: ipv6Text(ipv6Octets(address)) }
    : { type: 'A', address: ipv4Text(ipv4Octets(address)) };
}

/** RFC 1982 §7: from 1 up to 2^32 - 1, then 1 again; a later revision is a later serial unless a secondary is 2^31 behind. */
export function zoneSerial(revision: number): number {
  return revision < 1 ? 1 : ((revision - 1) % 0xffffffff) + 1;
}

/**
 * The zone of ours in which `name` (lower case) lies, undefined when it lies in none: the topmost domain entry at or above
 * it. A zone's serial is the highest revision at which the row of a domain entry in it was added, changed or removed, or the
 * row of one above it (which moves the apex). Walks from the top and ends where no domain lies below, so a foreign name costs
 * a row or two.
 */
export function findZone(name: string, names: NameSource): Zone | undefined {
  const path: string[] = [];
  for (let at: string | undefined = name; at !== undefined && at !== ROOT; at = parentName(at)) path.push(at);
  let changedAt = 0;
  for (const candidate of path.reverse()) {
    const state = names.find(candidate);
    if (state === undefined) return undefined;
    changedAt = Math.max(changedAt, state.changedAt);
    if (state.domain !== undefined) {
      return { name: candidate, serial: zoneSerial(Math.max(changedAt, state.changedBelowAt)) };
    }
    if (!state.hasBelow) return undefined;
  }
  return undefined;
}

/** The answer to one question, `name` in lower case. */
export function lookUp(name: string, type: RecordType, names: NameSource, host: ZoneHost): ZoneAnswer {
  const zone = findZone(name, names);
  if (zone === undefined) return { result: 'outside' };
  const records = recordsOf(name, zone, names, host);
  const answers = type === 'ANY' ? oneSet(records) : records.filter((record) => record.type === type);
  if (answers.length > 0) return { result: 'found', answers, additionals: hostRecords(answers, names, host) };
  const soa = { ...soaRecord(zone, host), ttl: NEGATIVE_TTL_SECONDS };
  const exists = records.length > 0 || names.find(name)?.hasBelow === true || isSubdomain(host.hostname, name);
  return { result: exists ? 'no-data' : 'no-name', soa };
}

/** All records of a name in this zone. */
export function recordsOf(name: string, zone: Zone, names: NameSource, host: ZoneHost): ResourceRecord[] {
  const records: ResourceRecord[] = [];
  if (name === zone.name) {
    records.push(soaRecord(zone, host), record(name, { type: 'NS', target: host.hostname }));
  }
  const domain = names.find(name)?.domain;
  if (domain !== undefined) {
    records.push(record(name, { type: 'MX', preference: domain.mxPreference, exchange: host.hostname }));
  }
  if (name === host.hostname) records.push(...host.addresses.map((address) => record(name, address)));
  return records;
}

/** The addresses of this host, for the additional section of answers that name it, where a zone of ours holds its name. */
export function hostRecords(
  answers: readonly ResourceRecord[],
  names: NameSource,
  host: ZoneHost,
): readonly ResourceRecord[] {
  if (!answers.some(({ type }) => type === 'MX' || type === 'NS')) return [];
  if (findZone(host.hostname, names) === undefined) return [];
  return host.addresses.map((address) => record(host.hostname, address));
}

/** RFC 8482 §4.1: one of the record sets, MX where there is one. */
function oneSet(records: readonly ResourceRecord[]): readonly ResourceRecord[] {
  const type = (records.find((one) => one.type === 'MX') ?? records[0])?.type;
  return records.filter((one) => one.type === type);
}

function soaRecord(zone: Zone, host: ZoneHost): ResourceRecord {
  return record(zone.name, {
    type: 'SOA',
    mname: host.hostname,
    // postmaster@HOSTNAME is always accepted; hostmaster need not exist.
    rname: `postmaster.${host.hostname}`,
    serial: zone.serial,
    refresh: REFRESH_SECONDS,
    retry: RETRY_SECONDS,
    expire: EXPIRE_SECONDS,
    minimum: NEGATIVE_TTL_SECONDS,
  });
}

function record(name: string, rdata: Rdata): ResourceRecord {
  return { name, class: CLASS_IN, ttl: TTL_SECONDS, ...rdata };
}
