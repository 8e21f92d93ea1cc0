// The catalog zone: which zones of ours there are, for the name servers that are secondary for all of them.
//
// In      the names, the entries of the domains
// Out     a zone: SOA, NS, its version, a member a zone; the label of a member is the UUID of its entry, so that a domain that is
//         removed and made again is another member and begins anew
// Limits  a page of apexes.ts at a time, each in a snapshot of its own
// RFC 9432 §4

import type { Reader } from '../database/operation.ts';
import { dcDnOfDomain } from '../directory/dn.ts';
import { findEntry } from '../directory/entries.ts';
import { CLASS_IN } from '../wire/dns/codes.ts';
import type { Rdata, ResourceRecord } from '../wire/dns/rdata.ts';
import { apexPage } from './apexes.ts';
import { zoneSerial } from './records.ts';
import { catalogMoved, type ZoneSettings } from './settings.ts';
import type { ZoneState } from './transfer.ts';

const VERSION = '2';
const TTL_SECONDS = 0;

/** Of all zones of this host. */
export function catalogName({ hostname }: Pick<ZoneSettings, 'hostname'>): string {
  return `catalog.${hostname}`;
}

export function catalogState(reader: Reader, settings: ZoneSettings): ZoneState {
  const serial = zoneSerial(Math.max(catalogMoved(reader), settings.changedAt));
  return { zone: { name: catalogName(settings), serial }, revision: reader.revision(), settings };
}

/** All but its SOA. */
export function* catalogRecords(reader: Reader, state: ZoneState): Generator<readonly ResourceRecord[]> {
  const { name } = state.zone;
  const record = (owner: string, rdata: Rdata): ResourceRecord => ({
    name: owner,
    class: CLASS_IN,
    ttl: TTL_SECONDS,
    ...rdata,
  });
  yield [
    record(name, { type: 'NS', target: 'invalid' }),
    record(`version.${name}`, { type: 'TXT', strings: [VERSION] }),
  ];
  for (let after: string | undefined = ''; after !== undefined; ) {
    const page = reader.snapshot(() => members(reader, state, after!));
    yield page.members.map(({ label, zone }) => record(`${label}.zones.${name}`, { type: 'PTR', target: zone }));
    after = page.last;
  }
}

interface MemberPage {
  readonly members: readonly { readonly label: string; readonly zone: string }[];
  readonly last: string | undefined;
}

/** Of one whose entry has gone since nothing is told: the next serial is on its way. */
function members(reader: Reader, state: ZoneState, after: string): MemberPage {
  const { apexes, last } = apexPage(reader, state, after);
  const found = apexes.flatMap((zone) => {
    const entry = findEntry(reader, dcDnOfDomain(zone));
    return entry === undefined ? [] : [{ label: entry.uuid.replaceAll('-', ''), zone }];
  });
  return { members: found, last };
}
