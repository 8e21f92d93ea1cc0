// A whole zone as it was at one revision, and what has changed in it between two.
//
// In      an apex, a revision, the settings that the zones had then
// Out     its records without SOA, a page of names at a time, each page in a snapshot of its own, so that no transaction is open
//         while the peer reads; or the records that went and those that came
// Limits  PAGE_NAMES a page; a difference of at most CHANGES_MAX names that have moved, NAMES_MAX names that are compared: where
//         more have, or the settings of all zones, the whole zone is what there is to tell
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

export interface ZoneDifference {
  readonly removed: readonly ResourceRecord[];
  readonly added: readonly ResourceRecord[];
}

const PAGE_NAMES = 20;
const CHANGES_MAX = 100;
const NAMES_MAX = 200;

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

const MOVED = `SELECT DISTINCT path FROM zone_change WHERE tenant = ${TENANT} AND path > ? AND path < ? AND revision > ? LIMIT +?`;
const MOVED_ABOVE = `SELECT 1 FROM zone_change WHERE tenant = ${TENANT} AND path = ? AND revision > ? LIMIT 1`;

/** From the earlier revision to that of the state. Undefined: not to be told so; the whole zone is. */
export function zoneDifference(reader: Reader, state: ZoneState, from: Revision): ZoneDifference | undefined {
  return reader.snapshot(() => {
    const apex = state.zone.name;
    const path = pathOf(apex);
    if (from < state.settings.changedAt || !isKnownSince(reader, from)) return undefined;
    if (pathsAbove(path).some((above) => reader.arrays(MOVED_ABOVE, above, from).length > 0)) return undefined;
    const before = partsAt(reader, { revision: from, settings: state.settings });
    const after = partsAt(reader, state);
    if (findZone(apex, before)?.name !== apex) return undefined;
    const names = namesMoved(reader, { apex, from, before, after });
    return names && compare([...names], { apex, before, after });
  });
}

interface Compared {
  readonly apex: string;
  readonly before: ZoneParts;
  readonly after: ZoneParts;
}

function namesMoved(reader: Reader, compared: Compared & { readonly from: Revision }): Set<string> | undefined {
  const { apex, before, after } = compared;
  const { from, to } = subtreeOf(pathOf(apex));
  const moved = reader.arrays(MOVED, from, to, compared.from, CHANGES_MAX + 1);
  if (moved.length > CHANGES_MAX) return undefined;
  const names = new Set<string>();
  const hosts = [...namesOfHosts(before), ...namesOfHosts(after)];
  for (const [path] of moved) {
    const name = nameOfPath(path as string);
    const isWide = isAboveOthers(before.names.find(name)?.row, after.names.find(name)?.row);
    const touched = isWide ? after.names.list(name, '', NAMES_MAX + 1).map((each) => each.name) : [name];
    touched.push(...hosts.filter((host) => isSubdomain(host, name)));
    for (const each of touched)
      for (const parts of [before, after]) {
        // What lies in another zone may be the address of its name server.
        names.add(endOfZone(each, apex, parts) ?? each);
        for (const owner of generatedOwners(each, parts)) names.add(owner);
      }
    if (names.size > NAMES_MAX) return undefined;
  }
  return names;
}

/** What has changed of the name changes what is below it, too. */
function isAboveOthers(before: ZoneRow | undefined, after: ZoneRow | undefined): boolean {
  const said = (row: ZoneRow | undefined) =>
    JSON.stringify([row?.domain, row?.dmarc, row?.isApex, row?.site?.filter(([type]) => type === 'NS')]);
  return said(before) !== said(after);
}

function compare(names: readonly string[], { apex, before, after }: Compared): ZoneDifference {
  const records = (parts: ZoneParts) =>
    new Map(
      names
        .flatMap((name) => transferredAt(name, apex, parts))
        .map((record) => [JSON.stringify(record), record] as const),
    );
  const [were, are] = [records(before), records(after)];
  return {
    removed: [...were].filter(([text]) => !are.has(text)).map(([, record]) => record),
    added: [...are].filter(([text]) => !were.has(text)).map(([, record]) => record),
  };
}
