// What has moved in the zones, change by change: for who remembers answers, for zones at an earlier serial, for NOTIFY.
//
// In      a row as it was before a change, in the transaction of the change
// Out     which names have moved since a revision
// Limits  KEEP_MS, ROWS_MAX; PATHS_MAX rows are read, where more have moved all is to be forgotten

import { systemClock } from '../base/clock.ts';
import { DAY_MS } from '../base/duration.ts';
import type { Revision } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import { operation, type Reader, type Transaction } from '../database/operation.ts';

export interface ZoneMove {
  readonly revision: Revision;
  /** As path.ts writes it; '' for a setting. */
  readonly path: string;
  readonly kind: 'name' | 'key' | 'setting';
  /** The selector of a key; kind and name of a setting; '' for a name. */
  readonly key?: string;
  /** The row before, null: there was none. */
  readonly before: string | null;
  /** Of a name: the UUID of its entry before. */
  readonly entry?: string | null;
  /** Of a name: a zone has come or gone, perhaps, there or below. */
  readonly isMember?: boolean;
}

export interface ZoneChanges {
  /** A host, a name server or a key of the site has moved. */
  readonly all: boolean;
  readonly paths: readonly string[];
}

const PATHS_MAX = 1000;
const KEEP_MS = 30 * DAY_MS;
const ROWS_MAX = 1_000_000;
/** Rows that one call removes. */
const SLICE = 10_000;

/** Of several changes at one revision the first one's row is what was before. */
export async function rememberZoneChange(
  tx: Transaction,
  { revision, path, kind, key = '', before, entry = null, isMember = false }: ZoneMove,
): Promise<void> {
  await tx.run(
    `INSERT INTO zone_change (tenant, revision, path, kind, key, before, entry, is_member, at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (tenant, revision, path, kind, key) DO UPDATE SET is_member = max(is_member, excluded.is_member)`,
    TENANT,
    revision,
    path,
    kind,
    key,
    before,
    entry,
    Number(isMember),
    systemClock.now(),
  );
}

const PRUNED = `SELECT changed FROM zone_setting WHERE tenant = ${TENANT} AND kind = 'pruned' AND key = ''`;

/** All that has changed since this revision is still known. */
export function isKnownSince(reader: Reader, revision: Revision): boolean {
  return revision >= Number(reader.arrays(PRUNED)[0]?.[0] ?? 0);
}

/** Undefined: more have moved than are read one by one, or it is not known any more. In a snapshot. */
export function changedSince(reader: Reader, revision: Revision): ZoneChanges | undefined {
  if (!isKnownSince(reader, revision)) return undefined;
  const sql = `SELECT DISTINCT path FROM zone_change WHERE tenant = ${TENANT} AND revision > ? LIMIT +?`;
  const paths = reader.arrays(sql, revision, PATHS_MAX + 1).map(([path]) => path as string);
  if (paths.length > PATHS_MAX) return undefined;
  return { all: paths.includes(''), paths: paths.filter((path) => path !== '') };
}

/** What has moved since the last look. */
export class ZoneFollower {
  readonly #reader: Reader;
  #revision: Revision;

  constructor(reader: Reader) {
    this.#reader = reader;
    this.#revision = reader.revision();
  }

  /** Of the last look. */
  get revision(): Revision {
    return this.#revision;
  }

  /** Undefined: too much, or it is not known. To be called in the snapshot of what is read with it. */
  follow(): ZoneChanges | undefined {
    const moved = changedSince(this.#reader, this.#revision);
    this.#revision = this.#reader.revision();
    return moved;
  }
}

/** Of the oldest: a clock that was set back must leave no gap in what is known. */
const OLD = `SELECT max(revision) FROM (SELECT revision FROM zone_change WHERE at < ? ORDER BY at LIMIT +?)`;
const SLICE_END = `SELECT max(revision) FROM
  (SELECT revision FROM zone_change WHERE tenant = ${TENANT} AND revision <= ? ORDER BY revision LIMIT +?)`;

/**
 * Removes what is older than is kept, from the first revision on; gives how many rows went. To be called again as long as some
 * go.
 */
export const pruneZoneChanges = operation('zones.prune-changes', async (tx, now: number): Promise<number> => {
  const [[old] = []] = await tx.arrays(OLD, now - KEEP_MS, SLICE);
  const count = Number((await tx.arrays('SELECT count(*) FROM zone_change'))[0]![0]);
  let upTo = Number(old ?? 0);
  if (count > ROWS_MAX) {
    const [[many] = []] = await tx.arrays(SLICE_END, Number.MAX_SAFE_INTEGER, Math.min(SLICE, count - ROWS_MAX));
    upTo = Math.max(upTo, Number(many));
  }
  if (upTo === 0) return 0;
  const end = Number((await tx.arrays(SLICE_END, upTo, SLICE))[0]![0]);
  await tx.run(
    `INSERT INTO zone_setting (tenant, kind, key, row, changed) VALUES (?, 'pruned', '', '{}', ?)
     ON CONFLICT (tenant, kind, key) DO UPDATE SET changed = max(changed, excluded.changed)`,
    TENANT,
    end,
  );
  return tx.run('DELETE FROM zone_change WHERE tenant = ? AND revision <= ?', TENANT, end);
});
