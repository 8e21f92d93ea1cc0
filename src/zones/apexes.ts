// The zones of ours at one revision, a page at a time.
//
// In      a revision, the settings of then, where the last page ended
// Out     apexes in the order of their paths, with the UUIDs of their entries
// Limits  as many names are looked at as the caller says; a page may have no apex and yet not be the last

import type { Revision } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import type { Reader } from '../database/operation.ts';
import { type NamesAt, namesAt } from './names-at.ts';
import { nameOfPath } from './path.ts';
import { findZone } from './records.ts';
import type { ZoneSettings } from './settings.ts';

const PAGE = `SELECT path FROM zone_name WHERE tenant = ${TENANT} AND path > ? ORDER BY path LIMIT +?`;

export interface Apex {
  readonly name: string;
  /** UUID of its entry, without hyphens. */
  readonly entry: string;
}

export interface ApexPage {
  readonly apexes: readonly Apex[];
  /** For the next page; undefined: there is none. */
  readonly last: string | undefined;
}

interface PagePlace {
  /** '' or what the page before has said. */
  readonly after: string;
  /** How many names are looked at. */
  readonly names: number;
}

/** To be called in a snapshot. */
export function apexPage(
  reader: Reader,
  { revision, settings }: { readonly revision: Revision; readonly settings: ZoneSettings },
  { after, names: limit }: PagePlace,
): ApexPage {
  const names = namesAt(reader, revision);
  const paths = reader.arrays(PAGE, after, limit).map(([path]) => path as string);
  const apexes = paths.flatMap((path) => apexAt(nameOfPath(path), { names, settings }) ?? []);
  return { apexes, last: paths.length < limit ? undefined : paths.at(-1) };
}

/** Undefined: no zone of ours begins at the name. */
export function apexAt(
  name: string,
  parts: { readonly names: NamesAt; readonly settings: ZoneSettings },
): Apex | undefined {
  const found = parts.names.find(name);
  if (found?.row === undefined || found.entry === undefined) return undefined;
  return findZone(name, parts)?.name === name ? { name, entry: found.entry } : undefined;
}
