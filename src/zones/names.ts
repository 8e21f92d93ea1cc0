// Which names the directory gives to DNS: written with each change of an entry of the DC tree, read for each answer.
//
// In      what an entry gave before a change and gives after it, in the transaction of that change
// Out     what records.ts asks of a name, and the names of a zone in DNSSEC's order

import type { Revision } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import type { Reader, Transaction, Value } from '../database/operation.ts';
import { noteBelow } from './below.ts';
import { rememberZoneChange } from './changes.ts';
import type { CompiledDomain, ZoneRow } from './compile.ts';
import type { NameSource, ZoneName } from './name-source.ts';
import { nameOfPath, pathOf, subtreeOf } from './path.ts';
import { noteCatalogMoved, type ZoneKeyRow } from './settings.ts';

export interface DomainChange {
  /** What the entry gave to DNS before, undefined when nothing. */
  readonly before: CompiledDomain | undefined;
  /** What it gives now, undefined when nothing or when it is gone. */
  readonly after: CompiledDomain | undefined;
  /** The directory revision of the change. */
  readonly revision: Revision;
  /** See WriteOptions. */
  readonly takenAt?: Revision | undefined;
}

/**
 * Updates the names after an entry was added, removed or renamed, or gives another row. To be called for each change of an
 * entry of the DC tree, in its transaction; one that leaves name and row as they are changes no zone. Repeating it does nothing.
 */
export async function noteDomainChange(
  tx: Transaction,
  { before, after, revision, takenAt }: DomainChange,
): Promise<void> {
  if (before !== undefined && before.name !== after?.name)
    await setRow(tx, pathOf(before.name), undefined, revision, takenAt);
  if (after !== undefined) await setRow(tx, pathOf(after.name), after, revision, takenAt);
}

/** True when the row was another one. The zone's serial rises then, and what was before is remembered. */
export async function setRow(
  tx: Transaction,
  path: string,
  of: Omit<CompiledDomain, 'name'> | undefined,
  revision: Revision,
  takenAt = revision,
): Promise<boolean> {
  const [found] = await tx.arrays('SELECT row, entry FROM zone_name WHERE tenant = ? AND path = ?', TENANT, path);
  const before = (found?.[0] ?? null) as string | null;
  const entryBefore = (found?.[1] ?? null) as string | null;
  const after = of === undefined ? null : JSON.stringify(of.row);
  const entry = of?.entry ?? null;
  if (before === after && entryBefore === entry) return false;
  const isMember = memberText(before, entryBefore) !== memberText(after, entry);
  await rememberZoneChange(tx, { revision: takenAt, path, kind: 'name', before, entry: entryBefore, isMember });
  await tx.run(
    `INSERT INTO zone_name (tenant, path, row, entry, below, changed, changed_below) VALUES (?, ?, ?, ?, 0, ?, 0)
     ON CONFLICT (tenant, path) DO UPDATE SET row = excluded.row, entry = excluded.entry, changed = excluded.changed`,
    TENANT,
    path,
    after,
    entry,
    revision,
  );
  await noteBelow(tx, path, {
    more: Number(after !== null) - Number(before !== null),
    revision,
    before: before === null ? undefined : (JSON.parse(before) as ZoneRow),
    after: of?.row,
  });
  if (isMember) await noteCatalogMoved(tx, revision);
  return true;
}

/** What decides whether a zone of ours begins at the name, and which member of the catalog it is. */
function memberText(text: string | null, entry: string | null): string {
  const row = text === null ? undefined : (JSON.parse(text) as ZoneRow);
  const isDelegated = row?.site?.some(([type]) => type === 'NS') === true;
  return `${row?.domain === undefined ? '' : entry} ${row?.isApex} ${row?.isTheirs} ${isDelegated}`;
}

const FIND = `SELECT row, below, changed, changed_below FROM zone_name WHERE tenant = ${TENANT} AND path = ?`;
const LIST = `SELECT row, below, changed, changed_below, path FROM zone_name
  WHERE tenant = ${TENANT} AND path > ? AND path < ? AND (row IS NOT NULL OR below > 0) ORDER BY path LIMIT +?`;

const KEYS = `SELECT row FROM zone_key WHERE tenant = ${TENANT} AND path = ? ORDER BY selector`;

/** The names as they stand now; several of one answer are read in one `reader.snapshot`. */
export function zoneNames(reader: Reader): NameSource {
  const decode = rowDecoder();
  return {
    find(name) {
      const [row] = reader.arrays(FIND, pathOf(name));
      return row && zoneName(name, row, decode);
    },
    list(apex, after, limit) {
      const { from, to } = subtreeOf(pathOf(apex));
      const last = after === '' ? from : pathOf(after);
      const rows = reader.arrays(LIST, last > from ? last : from, to, limit);
      return rows.map((row) => zoneName(nameOfPath(row[4] as string), row, decode));
    },
    keys(domain) {
      return reader.arrays(KEYS, pathOf(domain)).map(([row]) => JSON.parse(row as string) as ZoneKeyRow);
    },
  };
}

type RowDecoder = (json: string | null) => ZoneRow | undefined;

/** Remembers the last one: most domains ask for the same. */
function rowDecoder(): RowDecoder {
  let last: string | undefined;
  let row: ZoneRow | undefined;
  return (json) => {
    if (json === null) return undefined;
    if (json !== last) {
      row = JSON.parse(json) as ZoneRow;
      last = json;
    }
    return row;
  };
}

function zoneName(name: string, row: readonly Value[], decode: RowDecoder): ZoneName {
  const below = row[1] as number;
  return {
    name,
    row: decode(row[0] as string | null),
    hasBelow: below > 0,
    changedAt: row[2] as number,
    changedBelowAt: row[3] as number,
  };
}
