// Who is given a zone: the name servers that an entry below ou=Hosts says are secondary, by address, and by key where it has one.
//
// In      a query for a zone or the catalog, where it came from, the key that has signed it
// Out     the zone at the revision of this moment, however long it takes; what has changed since the secondary's serial; or a refusal.
//         While another server's directory comes in parts nobody is given a zone: it is of no serial then
// Secrets are read from the entry for each query, and kept nowhere
// RFC 1995 §2 §4, RFC 5936 §2.2 §5, RFC 9432 §5

import { asciiLower } from '../base/characters.ts';
import type { Revision } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { Reader } from '../database/operation.ts';
import { findEntry } from '../directory/entries.ts';
import { textValue } from '../directory/entry.ts';
import { plainAddress } from '../net/connection.ts';
import type { ZoneTransfers } from '../protocols/dns/transfer.ts';
import { RCODE } from '../wire/dns/codes.ts';
import type { DnsMessage, Question } from '../wire/dns/message.ts';
import { isSubdomain } from '../wire/dns/name.ts';
import type { ResourceRecord } from '../wire/dns/rdata.ts';
import type { TsigKey } from '../wire/dns/tsig.ts';
import { catalogDifference, catalogName, catalogRecords, catalogState } from '../zones/catalog.ts';
import { soaRecord } from '../zones/records.ts';
import { type NameServerRow, readZoneSettings, type ZoneSettings, type ZoneSite } from '../zones/settings.ts';
import { zoneStates } from '../zones/states.ts';
import { type ZoneDifference, type ZoneState, zoneDifference, zoneRecords, zoneState } from '../zones/transfer.ts';

export interface ZoneTransfersParts {
  readonly reader: Reader;
  readonly site: ZoneSite;
  readonly log: Log;
}

const REFUSED = { rcode: RCODE.REFUSED };

/** The key that a name server's entry names, with its secret. */
export function tsigKeyOf(reader: Reader, { dn, tsig }: NameServerRow): TsigKey | undefined {
  const entry = tsig && findEntry(reader, dn);
  const secret = entry && textValue(entry, 'wayposttsigsecret');
  return tsig === undefined || secret === undefined ? undefined : { ...tsig, secret: Buffer.from(secret, 'base64') };
}

export function zoneTransfers({ reader, site, log }: ZoneTransfersParts): ZoneTransfers {
  const settings = (): ZoneSettings => readZoneSettings(reader, site);

  function give(query: DnsMessage & { readonly question: Question }, { transport, peerAddress, key }: Peer) {
    const { type } = query.question;
    const name = asciiLower(query.question.name);
    const shared = settings();
    const catalog = catalogName(shared);
    const isOfCatalog = isSubdomain(name, catalog);
    const isTransfer = type === 'AXFR' || type === 'IXFR';
    if (!isTransfer && !isOfCatalog) return undefined;
    if (type === 'AXFR' && transport === 'udp') return undefined;
    if (!isAllowed(shared, peerAddress, key)) return REFUSED;
    const state =
      name === catalog ? catalogState(reader, shared) : isOfCatalog ? undefined : zoneState(reader, name, shared);
    if (state === undefined) return isTransfer ? { rcode: RCODE.NOTAUTH } : REFUSED;
    const soa = soaRecord(state.zone, shared);
    if (type === 'SOA') return { records: [[soa]] };
    if (!isTransfer) return REFUSED;
    const states = zoneStates(reader);
    if (states?.isOnTheWay === true) return { rcode: RCODE.SERVFAIL };
    if (transport === 'udp') return { records: [[soa]] };
    return {
      records: counted(recordsOf(query, { state, soa, since: states?.since ?? 0, isCatalog: name === catalog }), {
        name,
        peerAddress,
        soa,
      }),
    };
  }

  function* recordsOf(
    { question, authorities }: DnsMessage & { readonly question: Question },
    { state, soa, since, isCatalog }: Asked,
  ): Transfer {
    const held = authorities.find(({ type }) => type === 'SOA');
    if (question.type === 'IXFR' && held?.type === 'SOA' && held.serial <= state.zone.serial) {
      if (held.serial === state.zone.serial) {
        yield [soa];
        return 'none';
      }
      const from = held.serial as Revision;
      const difference =
        from < since ? undefined : yield* (isCatalog ? catalogDifference : zoneDifference)(reader, state, from);
      if (difference !== undefined) {
        yield* inTurn([soa, soaRecord({ ...state.zone, serial: from }, state.settings)], difference, soa);
        return 'ixfr';
      }
    }
    yield [soa];
    yield* isCatalog ? catalogRecords(reader, state) : zoneRecords(reader, state);
    yield [soa];
    return 'axfr';
  }

  /** Says what was given when it has been. */
  function* counted(pages: Transfer, { name, peerAddress, soa }: Counted) {
    let records = 0;
    for (let next = pages.next(); ; next = pages.next()) {
      if (next.done === true) {
        const serial = soa.type === 'SOA' ? soa.serial : 0;
        log.info('dns.transfer', { zone: name, peer: peerAddress, kind: next.value, serial, records });
        return;
      }
      records += next.value.length;
      yield next.value;
    }
  }

  return {
    key(name, peerAddress) {
      const named = secondariesOf(settings()).filter(({ tsig }) => tsig?.name === name);
      const row = named.find((one) => isAt(one, peerAddress)) ?? named[0];
      return row && tsigKeyOf(reader, row);
    },
    give: (query, from) => reader.snapshot(() => give(query, from)),
  };
}

interface Peer {
  readonly transport: 'udp' | 'tcp';
  readonly peerAddress: string;
  readonly key: string | undefined;
}

interface Asked {
  readonly state: ZoneState;
  readonly soa: ResourceRecord;
  /** What stood in the zones earlier is not known: see zones/states.ts. */
  readonly since: number;
  readonly isCatalog: boolean;
}

/** In the end it is known what it was. */
type Transfer = Generator<readonly ResourceRecord[], 'axfr' | 'ixfr' | 'none'>;

interface Counted {
  readonly name: string;
  readonly peerAddress: string;
  readonly soa: ResourceRecord;
}

/** RFC 1995 §4 */
function* inTurn(head: readonly ResourceRecord[], { removed, added }: ZoneDifference, soa: ResourceRecord) {
  yield head;
  yield* removed;
  yield [soa];
  yield* added;
  yield [soa];
}

function secondariesOf({ nameServers }: ZoneSettings): readonly NameServerRow[] {
  return nameServers.filter(({ role }) => role === 'secondary');
}

function isAt({ addresses }: NameServerRow, peerAddress: string): boolean {
  const plain = plainAddress(peerAddress);
  return addresses.some(({ address }) => address === plain);
}

/** One whose entry names a key has signed with it; one without a key has not signed. */
function isAllowed(settings: ZoneSettings, peerAddress: string, key: string | undefined): boolean {
  return secondariesOf(settings).some((row) => isAt(row, peerAddress) && row.tsig?.name === key);
}
