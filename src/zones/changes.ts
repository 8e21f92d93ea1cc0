// What has moved in the zones, change by change: for who remembers answers, for zones at an earlier serial, for NOTIFY.
//
// In      a row as it was before a change, in the transaction of the change
// Out     which names have moved since a revision
// Limits  KEEP_MS, ROWS_MAX; PATHS_MAX rows are read, where more have moved all is to be forgotten

import { systemClock } from '../base/clock.ts';
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
}

export interface ZoneChanges {
  /** A host, a name server or a key of the site has moved. */
  readonly all: boolean;
  readonly paths: readonly string[];
}

const PATHS_MAX = 1000;
const KEEP_MS = 30 * 86_400_000;
const ROWS_MAX = 1_000_000;
/** Rows that one call removes. */
const SLICE = 10_000;

/** Of several changes at one revision the first one's row is what was before. */
export async function rememberZoneChange(
  tx: Transaction,
  { revision, path, kind, key, before }: ZoneMove,
): Promise<void> {
  await tx.run(
    'INSERT OR IGNORE INTO zone_change (tenant, revision, path, kind, key, before, at) VALUES (?, ?, ?, ?, ?, ?, ?)',
    TENANT,
    revision,
    path,
    kind,
    key ?? '',
    before,
    systemClock.now(),
  );
}

/** Undefined: more have moved than are read one by one. */
export function changedSince(reader: Reader, revision: Revision): ZoneChanges | undefined {
  const sql = `SELECT DISTINCT path FROM zone_change WHERE tenant = ${TENANT} AND revision > ? LIMIT +?`;
  const paths = reader.arrays(sql, revision, PATHS_MAX + 1).map(([path]) => path as string);
  if (paths.length > PATHS_MAX) return undefined;
  return { all: paths.includes(''), paths: paths.filter((path) => path !== '') };
}

/** Who has not looked for so long does not know what is gone from the history. */
const FOLLOW_MS = 86_400_000;

/** What has moved since the last look. */
export class ZoneFollower {
  readonly #reader: Reader;
  #revision: Revision;
  #atMs = systemClock.now();

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
    const [revision, atMs] = [this.#reader.revision(), systemClock.now()];
    const isLate = atMs - this.#atMs > FOLLOW_MS;
    const moved = isLate ? undefined : changedSince(this.#reader, this.#revision);
    this.#revision = revision;
    this.#atMs = atMs;
    return moved;
  }
}

/** Removes what is older than is kept; gives how many rows went. To be called again as long as some go. */
export const pruneZoneChanges = operation('zones.prune-changes', async (tx, now: number): Promise<number> => {
  const old = await tx.run(
    `DELETE FROM zone_change WHERE (tenant, revision, path, kind, key) IN
       (SELECT tenant, revision, path, kind, key FROM zone_change WHERE at < ? LIMIT +?)`,
    now - KEEP_MS,
    SLICE,
  );
  const count = Number((await tx.arrays('SELECT count(*) FROM zone_change'))[0]![0]);
  if (count <= ROWS_MAX) return old;
  const many = await tx.run(
    `DELETE FROM zone_change WHERE (tenant, revision, path, kind, key) IN
       (SELECT tenant, revision, path, kind, key FROM zone_change ORDER BY tenant, revision LIMIT +?)`,
    Math.min(SLICE, count - ROWS_MAX),
  );
  return old + many;
});
