// The records of a domain for people and programs: what `waypost dns records DOMAIN` prints.

import { asciiLower } from '../base/characters.ts';
import { SyntaxFailure } from '../base/cursor.ts';
import { Failure } from '../base/failure.ts';
import { parseName } from '../wire/dns/name.ts';
import type { ResourceRecord } from '../wire/dns/rdata.ts';
import { absoluteText, rdataText, recordText } from '../wire/dns/text.ts';
import { type Authority, authorityOf } from './authority.ts';
import { SPF_LOOKUPS_MAX } from './kinds.ts';
import { addressesBeside, delegationsBelow, domainRecords, findZone, ownerRecords, type ZoneParts } from './records.ts';

export interface DescribedRecord {
  /** Absolute, with its final dot, like the names in `data`. */
  readonly name: string;
  readonly ttl: number;
  readonly type: string;
  /** As in a zone file. */
  readonly data: string;
}

/** The JSON of the command; `text` is a piece of a zone file and ends with a line break. */
export interface RecordsDescription {
  readonly domain: string;
  /** The apex of the zone that holds the domain; null where it is not known, in somebody else's hands. */
  readonly zone: string | null;
  /** Of a zone of ours, else null. */
  readonly serial: number | null;
  readonly authority: Authority;
  readonly records: readonly DescribedRecord[];
  /** What is wrong with them, a sentence each. */
  readonly problems: readonly string[];
  readonly text: string;
}

/** RFC 7208 §3.4: more may not fit into an answer over UDP. */
const SPF_BYTES_MAX = 450;

/**
 * The domain's records as our own server has them, delegations too, or as somebody else's should, and the addresses of the hosts that they
 * name where a zone of ours holds those. Throws `invalid` for what is no domain name, `not-found` for a domain without an entry.
 */
export function describeRecords(domain: string, parts: ZoneParts): RecordsDescription {
  const name = domainName(domain);
  const row = parts.names.find(name)?.row;
  if (row?.domain === undefined) throw new Failure('not-found', `${domain} is not a domain here`);
  const standing = authorityOf(name, parts.names, parts.settings);
  const zone = findZone(name, parts);
  const own =
    zone === undefined ? [] : ownerRecords(name, zone, parts).filter(({ type }) => type === 'SOA' || type === 'NS');
  const delegated = zone === undefined ? [] : delegationsBelow(name, zone.name, parts);
  const wanted = [...own, ...domainRecords(name, parts), ...delegated];
  const owners = new Set(wanted.map((record) => record.name));
  const beside = zone === undefined ? [] : addressesBeside(wanted, parts).filter((record) => !owners.has(record.name));
  const records = [...wanted, ...beside];
  const problems = (row.problems ?? []).map(({ attribute, value, reason }) => `${attribute} ${value} ${reason}`);
  if (standing.isLeftBehind === true)
    problems.push(`${name} stays in our zone ${standing.zone}: no nSRecord of it names other name servers`);
  return {
    domain: name,
    zone: zone?.name ?? standing.zone ?? null,
    serial: zone?.serial ?? null,
    authority: standing.authority,
    records: records.map((record) => ({
      name: absoluteText(record.name),
      ttl: record.ttl,
      type: record.type,
      data: rdataText(record),
    })),
    problems: [...problems, ...addressProblems(parts), ...spfProblems(records)],
    text: records.map((record) => `${recordText(record)}\n`).join(''),
  };
}

/** A host in a zone of ours whose addresses nobody knows cannot be reached. */
export function addressProblems(parts: ZoneParts): readonly string[] {
  const own = parts.settings.hosts[0]!;
  if (own.addresses.length > 0 || findZone(own.key, parts) === undefined) return [];
  return [`${own.key} has no address: set address in the configuration`];
}

function spfProblems(records: readonly ResourceRecord[]): readonly string[] {
  return records.flatMap((record) => {
    const text = record.type === 'TXT' ? record.strings.join('') : '';
    if (!text.startsWith('v=spf1')) return [];
    const lookUps = text.split(' ').filter((term) => term === 'mx' || term === 'a' || term.startsWith('a:')).length;
    const long =
      text.length > SPF_BYTES_MAX ? [`the SPF record of ${record.name} is over ${SPF_BYTES_MAX} octets`] : [];
    const many =
      lookUps > SPF_LOOKUPS_MAX
        ? [`the SPF record of ${record.name} asks for more than ${SPF_LOOKUPS_MAX} look-ups`]
        : [];
    return [...long, ...many];
  });
}

function domainName(text: string): string {
  try {
    return asciiLower(parseName(text));
  } catch (error) {
    if (error instanceof SyntaxFailure) throw new Failure('invalid', `${text} is not a domain name`, { cause: error });
    throw error;
  }
}
