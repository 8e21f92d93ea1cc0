// What a mail domain's entry gives to DNS: its name, and a row from which records.ts makes records.
//
// In      one entry
// Out     its name and row; undefined for an entry that is no mail domain, and for one that was made from another server's
//         zone: that server answers for the name
// A row says what the entry wants and nothing of this host, whose name and addresses come in with each answer.
// Never   knows a domain's status (records.ts says why); reads a table

import { asciiLower } from '../base/characters.ts';
import { type Entry, textValue } from '../directory/entry.ts';
import { mailDomainOf } from '../directory/mail-domain.ts';

/**
 * Goes up with any change that gives another row, or another name, for the same entry: then all rows are made anew, and the
 * serials of the zones that differ rise. compile.test.ts notes the digest of each version. 1 had no row.
 */
export const ZONES_VERSION = 2;

/** As JSON in the table. A key that is added later is optional: absent, it gives no record. */
export interface DomainRow {
  /** This host takes the domain's mail: the preference of its MX record. */
  readonly mxPreference: number;
}

export interface CompiledDomain {
  /** Lower case, letters, digits and hyphens: as wire/dns/name.ts writes names. */
  readonly name: string;
  readonly row: DomainRow;
}

const MX_PREFERENCE = 10;
/** How `waypostSource` begins where the entry follows a zone: provisioning/zone-source.ts */
const FOREIGN_ZONE = 'dns:';

export function compileZoneName(entry: Entry): CompiledDomain | undefined {
  const name = mailDomainOf(entry);
  if (name === undefined || isOfForeignZone(entry)) return undefined;
  return { name, row: { mxPreference: MX_PREFERENCE } };
}

function isOfForeignZone(entry: Entry): boolean {
  const source = textValue(entry, 'waypostsource');
  return source !== undefined && asciiLower(source).startsWith(FOREIGN_ZONE);
}
