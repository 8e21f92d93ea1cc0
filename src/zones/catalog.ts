// The catalog zone: which zones of ours there are, for the name servers that are secondary for all of them.
//
// In      the names at a revision, an earlier one
// Out     a zone: SOA, NS, its version, a member a zone; the label of a member is the UUID of its entry, so that a domain that is
//         removed and made again is another member and begins anew. Or the members that went and those that came
// Limits  PAGE_NAMES names at a time, PAGE_COMPARED of a difference, each page in a snapshot of its own; a difference of MOVED_MAX
//         changes, with what lies below them: where more have, or the settings of all zones, the whole catalog is what there is
//         to tell
// RFC 9432 §4, RFC 1995 §4

import type { Revision } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import type { Reader } from '../database/operation.ts';
import { CLASS_IN } from '../wire/dns/codes.ts';
import type { Rdata, ResourceRecord } from '../wire/dns/rdata.ts';
import { type Apex, type ApexPage, apexAt, apexPage } from './apexes.ts';
import { isKnownSince } from './changes.ts';
import { namesAt } from './names-at.ts';
import { nameOfPath } from './path.ts';
import { zoneSerial } from './records.ts';
import { catalogMoved, type ZoneSettings } from './settings.ts';
import type { ZoneDifferenceSought, ZoneState } from './transfer.ts';

const VERSION = '2';
const TTL_SECONDS = 0;
const PAGE_NAMES = 25;
/** Looked at as they were twice. */
const PAGE_COMPARED = 15;
const MOVED_MAX = 2000;

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
  yield [
    record(name, { type: 'NS', target: 'invalid' }),
    record(`version.${name}`, { type: 'TXT', strings: [VERSION] }),
  ];
  for (let after: string | undefined = ''; after !== undefined; ) {
    const page: ApexPage = reader.snapshot(() => apexPage(reader, state, { after: after!, names: PAGE_NAMES }));
    yield page.apexes.map((apex) => member(apex, name));
    after = page.last;
  }
}

function record(name: string, rdata: Rdata): ResourceRecord {
  return { name, class: CLASS_IN, ttl: TTL_SECONDS, ...rdata };
}

function member({ name, entry }: Apex, catalog: string): ResourceRecord {
  return record(`${entry}.zones.${catalog}`, { type: 'PTR', target: name });
}

const MOVED = `SELECT path FROM zone_change WHERE tenant = ${TENANT} AND is_member = 1 AND revision > ?
  ORDER BY revision LIMIT +?`;

/** From the earlier revision to that of the state. */
export function* catalogDifference(reader: Reader, state: ZoneState, from: Revision): ZoneDifferenceSought {
  const moved = reader.snapshot(() => membersMoved(reader, state, from));
  if (moved === undefined || moved.length > MOVED_MAX) return undefined;
  yield [];
  const ranges = outermost(new Set(moved));
  const { name } = state.zone;
  function* pages(one: Revision, other: Revision): Generator<readonly ResourceRecord[]> {
    for (const apexes of onlyAt(reader, { ranges, one, other, settings: state.settings }))
      yield apexes.map((apex) => member(apex, name));
  }
  return { removed: pages(from, state.revision), added: pages(state.revision, from) };
}

/** One more than are told, perhaps. Undefined: it is not known, or says nothing of what all members depend on. */
function membersMoved(reader: Reader, { settings }: ZoneState, from: Revision): readonly string[] | undefined {
  if (from < settings.changedAt || !isKnownSince(reader, from)) return undefined;
  return reader.arrays(MOVED, from, MOVED_MAX + 1).map(([path]) => path as string);
}

/** Those that lie below none of the others, in their order. */
function outermost(paths: ReadonlySet<string>): readonly string[] {
  let last: string | undefined;
  return [...paths].sort().filter((path) => {
    if (last !== undefined && path.startsWith(last)) return false;
    last = path;
    return true;
  });
}

interface TwoStates {
  readonly ranges: readonly string[];
  readonly one: Revision;
  readonly other: Revision;
  readonly settings: ZoneSettings;
}

/** The apexes at and below these paths that are there at the one revision, and not, or of another entry, at the other. */
function* onlyAt(reader: Reader, { ranges, one, other, settings }: TwoStates): Generator<readonly Apex[]> {
  let at = 0;
  // The ranges are in order: the last name of one lies before the next.
  let after = '';
  while (at < ranges.length) {
    const page = reader.snapshot(() => {
      const [here, there] = [namesAt(reader, one), namesAt(reader, other)];
      const names: string[] = [];
      while (at < ranges.length && names.length < PAGE_COMPARED) {
        const found = here.list(nameOfPath(ranges[at]!), after, PAGE_COMPARED - names.length);
        names.push(...found.map(({ name }) => name));
        after = found.at(-1)?.name ?? after;
        if (names.length >= PAGE_COMPARED) break;
        at++;
      }
      return names.flatMap((name) => {
        const apex = apexAt(name, { names: here, settings });
        return apex === undefined || apexAt(name, { names: there, settings })?.entry === apex.entry ? [] : [apex];
      });
    });
    yield page;
  }
}
