// The names as they were at an earlier revision: what stands now, with what each change since then has replaced put back.
//
// In      a revision; the tables as they stand when each name is asked for, so no transaction is open between two of them
// Out     what records.ts asks of a name, and the entry that it is of. A name is said to have others below it wherever it is known:
//         who walks on finds none
// Limits  changes.ts keeps 30 days and a million changes: an earlier revision is a Failure

import { Failure } from '../base/failure.ts';
import { Few } from '../base/few.ts';
import type { Revision } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import type { Reader } from '../database/operation.ts';
import { isKnownSince } from './changes.ts';
import type { ZoneRow } from './compile.ts';
import type { NameSource, ZoneName } from './name-source.ts';
import { nameOfPath, pathOf, subtreeOf } from './path.ts';
import type { ZoneKeyRow } from './settings.ts';

const FIND = `SELECT row, entry, changed, changed_below FROM zone_name WHERE tenant = ${TENANT} AND path = ?`;
const LIST = `SELECT path FROM zone_name WHERE tenant = ${TENANT} AND path > ? AND path < ? ORDER BY path LIMIT +?`;
const KEYS = `SELECT selector, row FROM zone_key WHERE tenant = ${TENANT} AND path = ?`;
/** The first change of several is what stood before them all. */
const NAME_BEFORE = `SELECT before, entry FROM zone_change WHERE tenant = ${TENANT} AND path = ? AND revision > ? AND kind = 'name'
  ORDER BY revision LIMIT 1`;
const KEYS_BEFORE = `SELECT key, before FROM zone_change WHERE tenant = ${TENANT} AND path = ? AND revision > ? AND kind = 'key'
  ORDER BY revision DESC`;

export interface NameAt extends ZoneName {
  /** UUID of the entry, without hyphens. */
  readonly entry: string | undefined;
}

export interface NamesAt extends NameSource {
  find(name: string): NameAt | undefined;
}

/** Of the thread: a transfer's pages are read one by one, and most of their rows say the same. */
const ROWS = new Few<ZoneRow>(16);
const ROW_CHARACTERS = 4096;
/** A page of a transfer, or what is asked of each of its names in turn. */
const KNOWN_MAX = 64;

/** Of one `reader.snapshot`: what it has read lately it does not read again. */
export function namesAt(reader: Reader, revision: Revision): NamesAt {
  const isPast = reader.revision() !== revision;
  if (isPast && !isKnownSince(reader, revision))
    throw new Failure('unavailable', `zones at revision ${revision} are not known any more`);
  const known = new Few<NameAt | 'none'>(KNOWN_MAX);
  const knownKeys = new Few<readonly ZoneKeyRow[]>(KNOWN_MAX);
  const find: NamesAt['find'] = (name) => {
    const once = known.find(name);
    if (once !== undefined) return once === 'none' ? undefined : once;
    const path = pathOf(name);
    const [found] = reader.arrays(FIND, path);
    const [before] = isPast && found !== undefined ? reader.arrays(NAME_BEFORE, path, revision) : [];
    const [row, entry] = (before ?? found ?? []) as readonly (string | null)[];
    const at = found && {
      name,
      row: row == null ? undefined : rowOf(row),
      entry: entry ?? undefined,
      hasBelow: true,
      changedAt: found[2] as number,
      changedBelowAt: found[3] as number,
    };
    known.add(name, at ?? 'none');
    return at;
  };
  return {
    find,
    list(apex, after, limit) {
      const { from, to } = subtreeOf(pathOf(apex));
      const last = after === '' ? from : pathOf(after);
      const paths = reader.arrays(LIST, last > from ? last : from, to, limit);
      return paths.map(([path]) => find(nameOfPath(path as string))!);
    },
    keys(domain) {
      const once = knownKeys.find(domain);
      if (once !== undefined) return once;
      const path = pathOf(domain);
      const rows = new Map(
        reader.arrays(KEYS, path).map(([selector, row]) => [selector as string, row as string | null]),
      );
      if (isPast)
        for (const [selector, before] of reader.arrays(KEYS_BEFORE, path, revision))
          rows.set(selector as string, before as string | null);
      const texts = [...rows].sort(([one], [other]) => (one < other ? -1 : 1)).flatMap(([, row]) => row ?? []);
      const keys = texts.map((row) => JSON.parse(row) as ZoneKeyRow);
      knownKeys.add(domain, keys);
      return keys;
    },
  };
}

function rowOf(text: string): ZoneRow {
  let row = ROWS.find(text);
  if (row === undefined) {
    row = JSON.parse(text) as ZoneRow;
    if (text.length <= ROW_CHARACTERS) ROWS.add(text, row);
  }
  return row;
}
