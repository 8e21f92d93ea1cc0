// At which revisions names have moved, as a server tells another one that follows it: serials are the same at both.
//
// In      the rows of zone_name and the two settings that serials count; marks of the other server
// Out     marks; rows with its revisions. A row is told that no name has any more, since the serial holds its removal
// An entry says only when it has changed last, and not in what: serials do not follow from the entries.

import type { Revision } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import type { Reader, Transaction, Value } from '../database/operation.ts';
import { rememberZoneChange } from './changes.ts';
import { pathsAbove } from './path.ts';
import { catalogMoved, noteCatalogMoved, noteSettingsMoved, zoneSettingsMoved } from './settings.ts';

export interface ZoneMark {
  /** As path.ts writes it; null: the settings of all zones. */
  readonly path: string | null;
  /** Revision at which it moved last, 0: never. */
  readonly changed: number;
  /** The same of what is below, up to the next zone; of the settings: of the catalog. */
  readonly changedBelow: number;
}

const MARKS_PAGE = 500;

const PAGE = `SELECT path, changed, changed_below FROM zone_name WHERE tenant = ${TENANT} AND path > ?
  AND (changed > 0 OR changed_below > 0) ORDER BY path LIMIT +?`;
const ONE = `SELECT path, changed, changed_below FROM zone_name WHERE tenant = ${TENANT} AND path = ?`;

/** All of them, those of the settings first, a page at each call. Each page is of its own moment. */
export function* allZoneMarks(reader: Reader): Generator<readonly ZoneMark[]> {
  yield [settingsMark(reader)];
  for (let after = '', count = MARKS_PAGE; count === MARKS_PAGE; ) {
    const page = reader.arrays(PAGE, after, MARKS_PAGE).map(markOf);
    count = page.length;
    after = page.at(-1)?.path ?? after;
    if (count > 0) yield page;
  }
}

/** Of names that have moved and of those above them, where what has moved below is noted. `''`: the settings of all zones. */
export function zoneMarksOf(reader: Reader, moved: Iterable<string>): readonly ZoneMark[] {
  const paths = new Set<string>();
  for (const path of moved) for (const each of [path, ...pathsAbove(path)]) paths.add(each);
  return [...paths].flatMap((path) => (path === '' ? settingsMark(reader) : reader.arrays(ONE, path).map(markOf)));
}

function settingsMark(reader: Reader): ZoneMark {
  return { path: null, changed: zoneSettingsMoved(reader), changedBelow: catalogMoved(reader) };
}

function markOf([path, changed, changedBelow]: readonly Value[]): ZoneMark {
  return { path: path as string, changed: changed as number, changedBelow: changedBelow as number };
}

/** The marks become the other server's. `revision` is taken where one was another. */
export async function takeZoneMarks(
  tx: Transaction,
  marks: readonly ZoneMark[],
  revision: () => Promise<Revision>,
): Promise<void> {
  for (const mark of marks) {
    if (mark.path === null) await takeSettings(tx, mark, revision);
    else await takeMark(tx, { ...mark, path: mark.path }, revision);
  }
}

async function takeMark(
  tx: Transaction,
  { path, changed, changedBelow }: ZoneMark & { readonly path: string },
  revision: () => Promise<Revision>,
): Promise<void> {
  const [found] = await tx.arrays(
    'SELECT changed, changed_below, row, entry FROM zone_name WHERE tenant = ? AND path = ?',
    TENANT,
    path,
  );
  if (found?.[0] === changed && found[1] === changedBelow) return;
  const before = (found?.[2] ?? null) as string | null;
  const entry = (found?.[3] ?? null) as string | null;
  // Who remembers answers forgets the zone's serial.
  await rememberZoneChange(tx, { revision: await revision(), path, kind: 'name', before, entry });
  await tx.run(
    `INSERT INTO zone_name (tenant, path, row, below, changed, changed_below) VALUES (?, ?, NULL, 0, ?, ?)
     ON CONFLICT (tenant, path) DO UPDATE SET changed = excluded.changed, changed_below = excluded.changed_below`,
    TENANT,
    path,
    changed,
    changedBelow,
  );
}

async function takeSettings(
  tx: Transaction,
  { changed, changedBelow }: ZoneMark,
  revision: () => Promise<Revision>,
): Promise<void> {
  const rows = await tx.arrays(
    `SELECT kind, changed FROM zone_setting WHERE tenant = ? AND kind IN ('moved', 'catalog') AND key = ''`,
    TENANT,
  );
  const here = new Map(rows.map(([kind, at]) => [kind, at]));
  if (changed > 0 && here.get('moved') !== changed) {
    await rememberZoneChange(tx, { revision: await revision(), path: '', kind: 'setting', key: 'moved', before: null });
    await noteSettingsMoved(tx, changed as Revision);
  }
  if (changedBelow > 0 && here.get('catalog') !== changedBelow) {
    await revision();
    await noteCatalogMoved(tx, changedBelow as Revision);
  }
}
