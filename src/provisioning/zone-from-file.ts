// What a master file says of mail that is ours.
//
// In      its text; the zone's name, if one is given
// Out     the zone: the owner of its SOA record; its mail domains
// Errors  Failure 'syntax' with the line; 'invalid' for a file without the SOA record of one zone
// Limits  those of wire/dns/zone-file.ts; RECORDS records in one turn of the event loop

import { asciiLower } from '../base/characters.ts';
import { Failure } from '../base/failure.ts';
import { normalizeDomain } from '../message/address.ts';
import { ZoneFile } from '../wire/dns/zone-file.ts';
import { ZoneMail } from './zone-mail.ts';

const RECORDS = 500;

export async function mailOfFile(
  text: string,
  origin: string | undefined,
  hostnames: readonly string[],
): Promise<{ readonly zone: string; readonly mail: ZoneMail }> {
  const zone = await zoneOfFile(text, origin);
  const mail = new ZoneMail(zone, hostnames);
  const file = new ZoneFile(text, origin);
  let count = 0;
  for (let record = file.next(); record !== undefined; record = file.next()) {
    mail.note(record);
    if (++count % RECORDS === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return { zone, mail };
}

/** The file is read up to its SOA record, which by RFC 1035 §5.2 is there once. */
async function zoneOfFile(text: string, origin: string | undefined): Promise<string> {
  const file = new ZoneFile(text, origin);
  let count = 0;
  for (let record = file.next(); record !== undefined; record = file.next()) {
    if (++count % RECORDS === 0) await new Promise((resolve) => setImmediate(resolve));
    if (record.type !== 'SOA') continue;
    const zone = normalizeDomain(asciiLower(record.name));
    if (zone === undefined) throw new Failure('invalid', `${record.name} is not a domain name`);
    if (origin !== undefined && zone !== origin)
      throw new Failure('invalid', `the SOA record is that of ${zone}, not of ${origin}`);
    return zone;
  }
  throw new Failure('invalid', 'the file has no SOA record: it is no whole zone');
}
