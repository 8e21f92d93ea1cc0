// A whole zone as it was at one revision, and what has changed in it between two.
//
// In      an apex, a revision, the settings that the zones had then
// Out     its records without SOA; or the records that went and those that came. A page of names at a time, each page in a
//         snapshot of its own, so that no transaction is open while the peer reads. What there is to tell is looked for in such
//         steps, too. A page or a step is short, a millisecond or so: nobody else has the thread meanwhile
// Limits  PAGE_NAMES a page, PAGE_COMPARED of a difference; at most CHANGES_MAX names that have moved, NAMES_MAX names below them
//         that have moved with them: where more have, or the settings of all zones, the whole zone is what there is to tell
// RFC 5936 §3, RFC 1995 §4

import type { Revision } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import type { Reader } from '../database/operation.ts';
import { isSubdomain } from '../wire/dns/name.ts';
import type { ResourceRecord } from '../wire/dns/rdata.ts';
import { isKnownSince } from './changes.ts';
import type { ZoneRow } from './compile.ts';
import { namesAt } from './names-at.ts';
import { nameOfPath, pathOf, pathsAbove, subtreeOf } from './path.ts';
import {
  endOfZone,
  findZone,
  generatedOwners,
  isGenerated,
  namesOfHosts,
  transferredAt,
  type Zone,
  type ZoneParts,
} from './records.ts';
import type { ZoneSettings } from './settings.ts';

/** What a transfer is of, fixed when it begins. */
export interface ZoneState {
  readonly zone: Zone;
  readonly revision: Revision;
  readonly settings: ZoneSettings;
}

/** In pages; read when it is asked for, in whichever order. */
export interface ZoneDifference {
  readonly removed: Iterable<readonly ResourceRecord[]>;
  readonly added: Iterable<readonly ResourceRecord[]>;
}

/** A page without records behind each step, then what was found. Undefined: not to be told so; all that is there now is. */
export type ZoneDifferenceSought = Generator<readonly never[], ZoneDifference | undefined>;

/** Each a domain, perhaps, with a dozen names that something is generated for. */
const PAGE_NAMES = 20;
const PAGE_COMPARED = 5;
/** Names of which a step looks what has changed. */
const STEP_NAMES = 8;
/** Rows of changes, to find those of a zone. */
const READ_MAX = 2000;
const CHANGES_MAX = 64;
const NAMES_MAX = 1000;

/** Undefined: no zone of ours has this apex. */
export function zoneState(reader: Reader, apex: string, settings: ZoneSettings): ZoneState | undefined {
  const revision = reader.revision();
  const zone = findZone(apex, { names: namesAt(reader, revision), settings });
  return zone?.name === apex ? { zone, revision, settings } : undefined;
}

export function* zoneRecords(reader: Reader, state: ZoneState): Generator<readonly ResourceRecord[]> {
  yield reader.snapshot(() => recordsOfHosts(partsAt(reader, state), state.zone.name));
  for (let after: string | undefined = ''; after !== undefined; ) {
    const page: ZonePage = reader.snapshot(() => zonePage(partsAt(reader, state), state.zone.name, after!));
    yield page.records;
    after = page.last;
  }
}

function partsAt(reader: Reader, { revision, settings }: Pick<ZoneState, 'revision' | 'settings'>): ZoneParts {
  return { names: namesAt(reader, revision), settings };
}

/** Those that no entry has a name for. */
function recordsOfHosts(parts: ZoneParts, apex: string): readonly ResourceRecord[] {
  return [...new Set(namesOfHosts(parts))]
    .filter((name) => isSubdomain(name, apex) && !hasRow(name, parts) && !isGenerated(name, parts))
    .flatMap((name) => transferredAt(name, apex, parts));
}

function hasRow(name: string, { names }: ZoneParts): boolean {
  return names.find(name)?.row !== undefined;
}

interface ZonePage {
  readonly records: readonly ResourceRecord[];
  /** Undefined: there are no more. */
  readonly last: string | undefined;
}

function zonePage(parts: ZoneParts, apex: string, after: string): ZonePage {
  const names = parts.names.list(apex, after, PAGE_NAMES);
  const records: ResourceRecord[] = [];
  for (const { name, row } of names) if (row !== undefined) records.push(...recordsOfEntry(name, apex, parts));
  return { records, last: names.length < PAGE_NAMES ? undefined : names.at(-1)!.name };
}

/** What stands at the entry's name, and what is generated for it at names that have no entry. */
function recordsOfEntry(name: string, apex: string, parts: ZoneParts): readonly ResourceRecord[] {
  const end = endOfZone(name, apex, parts);
  if (end !== undefined) return end === name ? transferredAt(name, apex, parts) : [];
  return generatedOwners(name, parts)
    .filter((owner) => owner === name || !hasRow(owner, parts))
    .flatMap((owner) => transferredAt(owner, apex, parts));
}

const SINCE = `SELECT path FROM zone_change WHERE tenant = ${TENANT} AND revision > ? AND kind <> 'taken'
  ORDER BY revision LIMIT +?`;
const IN_ZONE = `SELECT path, revision FROM zone_change INDEXED BY zone_change_path
  WHERE tenant = ${TENANT} AND path > ? AND path < ? AND kind <> 'taken' ORDER BY path LIMIT +?`;
const MOVED_ABOVE = `SELECT 1 FROM zone_change WHERE tenant = ${TENANT} AND path = ? AND revision > ? AND kind <> 'taken'
  LIMIT 1`;
const BELOW = `SELECT count(*) FROM
  (SELECT 1 FROM zone_name WHERE tenant = ${TENANT} AND path > ? AND path < ? LIMIT +?)`;

/** From the earlier revision to that of the state. */
export function* zoneDifference(reader: Reader, state: ZoneState, from: Revision): ZoneDifferenceSought {
  const { zone, revision, settings } = state;
  if (!reader.snapshot(() => isSameZone(reader, state, from))) return undefined;
  yield [];
  const moved = yield* namesMoved(reader, state, from);
  if (moved === undefined) return undefined;
  const pages = (one: Revision, other: Revision) => onlyAt(reader, { apex: zone.name, moved, one, other, settings });
  return { removed: pages(from, revision), added: pages(revision, from) };
}

/** It was a zone then, and nothing that all of it depends on has moved since. */
function isSameZone(reader: Reader, { zone, settings }: ZoneState, from: Revision): boolean {
  if (from < settings.changedAt || !isKnownSince(reader, from)) return false;
  if (pathsAbove(pathOf(zone.name)).some((above) => reader.arrays(MOVED_ABOVE, above, from).length > 0)) return false;
  return findZone(zone.name, partsAt(reader, { revision: from, settings }))?.name === zone.name;
}

interface MovedName {
  readonly name: string;
  /** What has changed of it changes what is below it, too. */
  readonly isWide: boolean;
}

/** In the zone, by whichever of two ways is short: what has changed everywhere since, or ever in the zone. Undefined: none is. */
function pathsMoved(reader: Reader, apex: string, since: Revision): ReadonlySet<string> | undefined {
  const { from, to } = subtreeOf(pathOf(apex));
  const everywhere = reader.arrays(SINCE, since, READ_MAX).map(([path]) => path as string);
  if (everywhere.length < READ_MAX) return new Set(everywhere.filter((path) => path > from && path < to));
  const inZone = reader.arrays(IN_ZONE, from, to, READ_MAX);
  if (inZone.length >= READ_MAX) return undefined;
  return new Set(inZone.flatMap(([path, revision]) => ((revision as number) > since ? (path as string) : [])));
}

/** Undefined: too many. */
function* namesMoved(
  reader: Reader,
  state: ZoneState,
  from: Revision,
): Generator<readonly never[], readonly MovedName[] | undefined> {
  const moved = reader.snapshot(() => pathsMoved(reader, state.zone.name, from));
  if (moved === undefined || moved.size > CHANGES_MAX) return undefined;
  const paths = [...moved];
  const names: MovedName[] = [];
  let below = 0;
  for (let at = 0; at < paths.length; at += STEP_NAMES) {
    yield [];
    const isFew = reader.snapshot(() => {
      const before = namesAt(reader, from);
      const after = namesAt(reader, state.revision);
      for (const path of paths.slice(at, at + STEP_NAMES)) {
        const name = nameOfPath(path);
        const isWide = isAboveOthers(before.find(name)?.row, after.find(name)?.row);
        names.push({ name, isWide });
        if (!isWide) continue;
        const subtree = subtreeOf(path);
        below += Number(reader.arrays(BELOW, subtree.from, subtree.to, NAMES_MAX + 1)[0]![0]);
        // The name itself is among them.
        if (below > NAMES_MAX + names.length) return false;
      }
      return true;
    });
    if (!isFew) return undefined;
  }
  return names;
}

function isAboveOthers(before: ZoneRow | undefined, after: ZoneRow | undefined): boolean {
  const said = (row: ZoneRow | undefined) =>
    JSON.stringify([row?.domain, row?.dmarc, row?.isApex, row?.site?.filter(([type]) => type === 'NS')]);
  return said(before) !== said(after);
}

interface TwoStates {
  readonly apex: string;
  readonly moved: readonly MovedName[];
  readonly one: Revision;
  readonly other: Revision;
  readonly settings: ZoneSettings;
}

/** The records that are there at the one revision and not at the other. */
function* onlyAt(
  reader: Reader,
  { apex, moved, one, other, settings }: TwoStates,
): Generator<readonly ResourceRecord[]> {
  const seen = new Set<string>();
  const bothAt = () =>
    [one, other].map((revision) => partsAt(reader, { revision, settings })) as [ZoneParts, ZoneParts];
  /** What is told at these names and at those that something is generated for. */
  function page(touched: readonly string[], both: readonly [ZoneParts, ZoneParts]): readonly ResourceRecord[] {
    const names = touched.flatMap((name) => both.flatMap((parts) => ownersAt(name, apex, parts)));
    const fresh = [...new Set(names)].filter((name) => !seen.has(name));
    for (const name of fresh) seen.add(name);
    const texts = (parts: ZoneParts) => fresh.flatMap((name) => transferredAt(name, apex, parts).map(textOf));
    const there = new Set(texts(both[1]).map(([text]) => text));
    return texts(both[0]).flatMap(([text, record]) => (there.has(text) ? [] : [record]));
  }
  const narrow = moved.flatMap(({ name, isWide }) => (isWide ? [] : [name]));
  for (let at = 0; at < narrow.length; at += PAGE_COMPARED)
    yield reader.snapshot(() => {
      const both = bothAt();
      return page(withHosts(narrow.slice(at, at + PAGE_COMPARED), both), both);
    });
  for (const { name, isWide } of moved)
    for (let after: string | undefined = isWide ? '' : undefined; after !== undefined; )
      yield reader.snapshot(() => {
        const both = bothAt();
        const below = both[0].names.list(name, after!, PAGE_COMPARED).map((each) => each.name);
        const touched = after === '' ? withHosts([name, ...below], both) : below;
        after = below.length < PAGE_COMPARED ? undefined : below.at(-1);
        return page(touched, both);
      });
}

function textOf(record: ResourceRecord): readonly [string, ResourceRecord] {
  return [JSON.stringify(record), record];
}

/** Those of hosts at and below them, too: no entry may have such a name. */
function withHosts(names: readonly string[], both: readonly ZoneParts[]): readonly string[] {
  const hosts = new Set(both.flatMap(namesOfHosts));
  return [...names, ...[...hosts].filter((host) => names.some((name) => isSubdomain(host, name)))];
}

/** The names that what is told for this one stands at. */
function ownersAt(name: string, apex: string, parts: ZoneParts): readonly string[] {
  // What lies in another zone may be the address of its name server.
  return [endOfZone(name, apex, parts) ?? name, ...generatedOwners(name, parts)];
}
