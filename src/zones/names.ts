// Which names the mail domains give to DNS: written with each change of a domain entry, read for each answer.
//
// In      what a domain entry gave before a change and gives after it, in the transaction of that change
// Out     what records.ts asks of a name, and the names of a zone in DNSSEC's order

import type { Revision } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import type { Reader, Transaction, Value } from '../database/operation.ts';
import type { RecordType } from '../wire/dns/codes.ts';
import type { CompiledDomain, DomainRow } from './compile.ts';
import { nameOfPath, pathOf, pathsAbove, subtreeOf } from './path.ts';
import { lookUp, type NameSource, type ZoneAnswer, type ZoneHost, type ZoneName } from './records.ts';

export interface DomainChange {
  /** What the entry gave to DNS before, undefined when nothing. */
  readonly before: CompiledDomain | undefined;
  /** What it gives now, undefined when nothing or when it is gone. */
  readonly after: CompiledDomain | undefined;
  /** The directory revision of the change. */
  readonly revision: Revision;
}

/**
 * Updates the names after a domain entry was added, removed or renamed, or gives another row. To be called for each change of
 * a domain entry, in its transaction; a change that leaves name and row as they are changes no zone. Repeating it does nothing.
 */
export async function noteDomainChange(tx: Transaction, { before, after, revision }: DomainChange): Promise<void> {
  if (before !== undefined && before.name !== after?.name) await setRow(tx, pathOf(before.name), undefined, revision);
  if (after !== undefined) await setRow(tx, pathOf(after.name), after.row, revision);
}

/** True when the row was another one. The zone's serial rises then, wherever its apex is. */
export async function setRow(
  tx: Transaction,
  path: string,
  row: DomainRow | undefined,
  revision: Revision,
): Promise<boolean> {
  const [found] = await tx.arrays('SELECT row FROM zone_name WHERE tenant = ? AND path = ?', TENANT, path);
  const before = found?.[0] ?? null;
  const after = row === undefined ? null : JSON.stringify(row);
  if (before === after) return false;
  await tx.run(
    `INSERT INTO zone_name (tenant, path, row, below, changed, changed_below) VALUES (?, ?, ?, 0, ?, 0)
     ON CONFLICT (tenant, path) DO UPDATE SET row = excluded.row, changed = excluded.changed`,
    TENANT,
    path,
    after,
    revision,
  );
  await noteBelow(tx, path, Number(after !== null) - Number(before !== null), revision);
  return true;
}

/** Adds `more` to the count of domains below each name above, and notes the revision there: something below has changed. */
export async function noteBelow(tx: Transaction, path: string, more: number, revision: Revision): Promise<void> {
  for (const above of pathsAbove(path)) {
    await tx.run(
      `INSERT INTO zone_name (tenant, path, row, below, changed, changed_below) VALUES (?, ?, NULL, ?, 0, ?)
       ON CONFLICT (tenant, path) DO UPDATE SET below = below + excluded.below, changed_below = excluded.changed_below`,
      TENANT,
      above,
      more,
      revision,
    );
  }
}

const FIND = `SELECT row, below, changed, changed_below FROM zone_name WHERE tenant = ${TENANT} AND path = ?`;
const LIST = `SELECT row, below, changed, changed_below, path FROM zone_name
  WHERE tenant = ${TENANT} AND path > ? AND path < ? AND (row IS NOT NULL OR below > 0) ORDER BY path LIMIT +?`;

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
  };
}

type RowDecoder = (json: string | null) => DomainRow | undefined;

/** Remembers the last one: most domains ask for the same. */
function rowDecoder(): RowDecoder {
  let last: string | undefined;
  let row: DomainRow | undefined;
  return (json) => {
    if (json === null) return undefined;
    if (json !== last) {
      row = JSON.parse(json) as DomainRow;
      last = json;
    }
    return row;
  };
}

function zoneName(name: string, row: readonly Value[], decode: RowDecoder): ZoneName {
  const below = row[1] as number;
  return {
    name,
    domain: decode(row[0] as string | null),
    hasBelow: below > 0,
    changedAt: row[2] as number,
    changedBelowAt: row[3] as number,
  };
}

/** Names that a thread remembers, a few hundred octets each. */
const NAMES_MAX = 2000;

/** `lookUp` over the database: all that one answer reads is of one state. Throws the reader's failures. */
export function zoneLookUp(reader: Reader, host: ZoneHost): (name: string, type: RecordType) => ZoneAnswer {
  const names = zoneNames(reader);
  // All look-ups walk through the same upper names: each is read once as long as the directory does not change.
  const known = new Map<string, ZoneName | undefined>();
  let ofRevision = 0;
  const remembering: NameSource = {
    find(name) {
      if (known.has(name)) return known.get(name);
      const found = names.find(name);
      known.set(name, found);
      return found;
    },
    list: names.list,
  };
  return (name, type) =>
    reader.snapshot(() => {
      // Read in the same snapshot as the names, so that names of two states are never mixed.
      const revision = reader.revision();
      if (revision !== ofRevision || known.size > NAMES_MAX) known.clear();
      ofRevision = revision;
      return lookUp(name, type, remembering, host);
    });
}
