// The records of a mail domain for people and programs: what `waypost dns records DOMAIN` prints.

import { asciiLower } from '../base/characters.ts';
import { SyntaxFailure } from '../base/cursor.ts';
import { Failure } from '../base/failure.ts';
import { parseName } from '../wire/dns/name.ts';
import { absoluteText, rdataText, recordText } from '../wire/dns/text.ts';
import { type Authority, authorityOf } from './authority.ts';
import { findZone, hostRecords, ownerRecords, type ZoneParts } from './records.ts';

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
  /** The apex of the zone that holds the domain. */
  readonly zone: string;
  readonly serial: number;
  readonly authority: Authority;
  readonly records: readonly DescribedRecord[];
  readonly text: string;
}

/**
 * The domain's records as our own server answers them, and this host's addresses where a zone of ours holds its name.
 * Throws `invalid` for what is no domain name, `not-found` for a domain that has no entry.
 */
export function describeRecords(domain: string, parts: ZoneParts): RecordsDescription {
  const name = domainName(domain);
  const zone = findZone(name, parts);
  if (zone === undefined || parts.names.find(name)?.row?.domain === undefined) {
    throw new Failure('not-found', `${domain} is not a mail domain here`);
  }
  const own = ownerRecords(name, zone, parts);
  const records = name === parts.settings.hostname ? own : [...own, ...hostRecords(own, parts)];
  return {
    domain: name,
    zone: zone.name,
    serial: zone.serial,
    authority: authorityOf(name, parts.names, parts.settings).authority,
    records: records.map((record) => ({
      name: absoluteText(record.name),
      ttl: record.ttl,
      type: record.type,
      data: rdataText(record),
    })),
    text: records.map((record) => `${recordText(record)}\n`).join(''),
  };
}

function domainName(text: string): string {
  try {
    return asciiLower(parseName(text));
  } catch (error) {
    if (error instanceof SyntaxFailure) throw new Failure('invalid', `${text} is not a domain name`, { cause: error });
    throw error;
  }
}
