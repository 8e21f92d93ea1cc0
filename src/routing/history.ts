// The history of the tables: each row as it stood before a change, written in the transaction of that change.
//
//   routing_history  (kind, key, revision) -> `before`, JSON; null: there was no row
//
// It serves whoever remembers rows and must know which ones have moved, who asks how a row stood at a past revision, and
// who waits for a row to change. A key that changes twice at one revision keeps the first `before`.
// Limits  kept as long as the change log; nothing is said of revisions before RoutingState.historyFrom

import { idOf, type Revision } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import { insertRows, type Reader, type Transaction, type Value } from '../database/operation.ts';

/** `alias`: address -> normalized DN; `entry`: normalized DN -> row; the others as their rows name them. */
export type HistoryKind = 'route' | 'alias' | 'entry' | 'rule' | 'channel' | 'host' | 'policy' | 'program';

export interface ChangedKey {
  readonly kind: HistoryKind;
  readonly key: string;
  readonly revision: Revision;
}

const REMEMBER = 'INSERT OR IGNORE INTO routing_history (tenant, kind, key, revision, before)';
const CHANGED = `SELECT kind, key, revision FROM routing_history WHERE tenant = ? AND revision > ?
  ORDER BY revision LIMIT +?`;

/** A row as it stood; null: there was none. */
export type RowBefore = readonly [kind: HistoryKind, key: string, before: unknown];

export async function rememberRows(tx: Transaction, rows: readonly RowBefore[]): Promise<void> {
  const values = rows.map(([kind, key, before]) => [
    TENANT,
    kind,
    key,
    tx.revision,
    before === null ? null : JSON.stringify(before),
  ]);
  await insertRows(tx, REMEMBER, values);
}

/**
 * What has changed behind this revision, the oldest first; of one revision all that `limit` has room for. The caller
 * compares the revision with RoutingState.historyFrom: what lies before that is not told.
 */
export function changedKeysAfter(reader: Reader, revision: Revision, limit: number): ChangedKey[] {
  return reader.arrays(CHANGED, TENANT, revision, limit).map(changedKeyOf);
}

function changedKeyOf([kind, key, at]: Value[]): ChangedKey {
  return { kind: kind as HistoryKind, key: key as string, revision: idOf<Revision>(at) };
}

export async function changedKeysIn(tx: Transaction, revision: Revision, limit: number): Promise<ChangedKey[]> {
  return (await tx.arrays(CHANGED, TENANT, revision, limit)).map(changedKeyOf);
}

/** How a row that has moved behind this revision stood before, null for none. */
export async function rowBeforeIn(
  tx: Transaction,
  kind: HistoryKind,
  key: string,
  revision: Revision,
): Promise<unknown> {
  const before = (await tx.arrays(AT, TENANT, kind, key, revision))[0]?.[0];
  return typeof before === 'string' ? JSON.parse(before) : null;
}

const AT = `SELECT before FROM routing_history WHERE tenant = ? AND kind = ? AND key = ? AND revision > ?
  ORDER BY revision LIMIT 1`;

/** How this row stood at a revision, null for none; undefined: as it stands today. */
export function rowAt(reader: Reader, kind: HistoryKind, key: string, revision: Revision): unknown {
  const row = reader.arrays(AT, TENANT, kind, key, revision)[0];
  if (row === undefined) return undefined;
  return row[0] === null ? null : JSON.parse(row[0] as string);
}

const MOVED = `SELECT key, min(revision) FROM routing_history WHERE tenant = ? AND kind = ? AND revision > ?
  GROUP BY key LIMIT +?`;

/** The keys of one kind that have moved behind this revision. */
export function movedKeys(reader: Reader, kind: HistoryKind, revision: Revision, limit: number): string[] {
  return reader.arrays(MOVED, TENANT, kind, revision, limit).map(([key]) => key as string);
}
