// The records of a name, computed from the rows of the directory and what all zones share: nothing here is stored.
//
// In      a name and a type, the rows by name, hosts and name servers and keys
// Out     records, or why there are none: outside our zones, no such name, no such type at the name
// A domain entry is an apex unless an ancestor domain entry exists; then its names lie in that zone, without delegation.
// Every domain entry is served, whatever its status: an inactive, disabled or deleted domain must still lead its senders
// here, where SMTP refuses with the reason. Without the records they would try for days, or deliver to another host. When the
// entry is removed, its records are too.
// Never   reads tables; guesses: where the source fails, its failure is thrown
// RFC 1034 §4.3.2, RFC 1035 §3.3, RFC 2308 §2 §3, RFC 8020 §2, RFC 8482 §4.1

import { CLASS_IN, type RecordType } from '../wire/dns/codes.ts';
import { isSubdomain } from '../wire/dns/name.ts';
import type { Rdata, ResourceRecord } from '../wire/dns/rdata.ts';
import { AuthorityWalk, namesFromTop } from './authority.ts';
import type { NameSource } from './name-source.ts';
import type { ZoneHostRow, ZoneSettings } from './settings.ts';

const TTL_SECONDS = 300;
/** How long resolvers may cache that a name does not exist: short, because the next write may make it. RFC 2308 §4 */
const NEGATIVE_TTL_SECONDS = 60;
/** For secondary servers, of which there are none yet. RFC 1912 §2.2 */
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

/**
 * The zone of ours in which `name` (lower case) lies, undefined when it lies in none. A zone's serial is the highest revision
 * at which a row in it was added, changed or removed, or the row of a name above its apex (which moves the apex), or a setting
 * of all zones. Walks from the top and ends where nothing lies below, so a foreign name costs a row or two.
 */
export function findZone(name: string, { names, settings }: ZoneParts): Zone | undefined {
  const walk = new AuthorityWalk(settings);
  let changedAt = 0;
  let apex: string | undefined;
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
    if (!found.hasBelow) break;
  }
  return apex === undefined ? undefined : { name: apex, serial: zoneSerial(Math.max(changedAt, settings.changedAt)) };
}

/** The answer to one question, `name` in lower case. */
export function lookUp(name: string, type: RecordType, parts: ZoneParts): ZoneAnswer {
  const zone = findZone(name, parts);
  if (zone === undefined) return { result: 'outside' };
  const zones = [zone.name];
  const records = ownerRecords(name, zone, parts);
  const answers = type === 'ANY' ? oneSet(records) : records.filter((record) => record.type === type);
  if (answers.length > 0)
    return { result: 'found', answers, authorities: [], additionals: hostRecords(answers, parts), zones };
  const soa = { ...soaRecord(zone, parts), ttl: NEGATIVE_TTL_SECONDS };
  const isHost = parts.settings.hosts.some(({ key, isOwn }) => isOwn === true && isSubdomain(key, name));
  const exists = records.length > 0 || parts.names.find(name)?.hasBelow === true || isHost;
  return { result: exists ? 'no-data' : 'no-name', answers: [], soa, zones };
}

/** All records of a name in this zone. */
export function ownerRecords(name: string, zone: Zone, parts: ZoneParts): readonly ResourceRecord[] {
  const { hosts, hostname } = parts.settings;
  const records: ResourceRecord[] = [];
  if (name === zone.name) records.push(soaRecord(zone, parts), record(name, { type: 'NS', target: hostname }));
  records.push(...domainRecords(name, parts).filter((one) => one.name === name));
  if (name === hostname) records.push(...addressesOf(hosts[0]!));
  return records;
}

/** All that the entry of a domain wants, whoever the owner is. No SOA, no NS. */
function domainRecords(name: string, { names, settings }: ZoneParts): readonly ResourceRecord[] {
  if (names.find(name)?.row?.domain !== 'mail') return [];
  return [record(name, { type: 'MX', preference: MX_PREFERENCE, exchange: settings.hostname })];
}

const MX_PREFERENCE = 10;

function addressesOf({ key, addresses }: ZoneHostRow): ResourceRecord[] {
  return addresses.map((address) => record(key, { type: address.includes(':') ? 'AAAA' : 'A', address }));
}

/** The addresses of this host, for the additional section of answers that name it, where a zone of ours holds its name. */
export function hostRecords(answers: readonly ResourceRecord[], parts: ZoneParts): readonly ResourceRecord[] {
  if (!answers.some(({ type }) => type === 'MX' || type === 'NS')) return [];
  if (findZone(parts.settings.hostname, parts) === undefined) return [];
  return addressesOf(parts.settings.hosts[0]!);
}

/** RFC 8482 §4.1: one of the record sets, MX where there is one. */
function oneSet(records: readonly ResourceRecord[]): readonly ResourceRecord[] {
  const type = (records.find((one) => one.type === 'MX') ?? records[0])?.type;
  return records.filter((one) => one.type === type);
}

function soaRecord(zone: Zone, { settings }: ZoneParts): ResourceRecord {
  return record(zone.name, {
    type: 'SOA',
    mname: settings.hostname,
    // postmaster@HOSTNAME is always accepted; hostmaster need not exist.
    rname: `postmaster.${settings.hostname}`,
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
