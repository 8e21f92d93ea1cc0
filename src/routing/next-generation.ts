// A generation beside the one that answers, for a full synchronization (rebuild.ts): begun, compared, finished, cleared away.
//
// In      a transaction
// Out     rows in which two generations may differ, a page at a time; the one row that flips
// Limits  each call reads or deletes at most `limit` rows

import { TENANT } from '../base/tenant.ts';
import type { Transaction } from '../database/operation.ts';
import { stateIn } from './generation.ts';
import type { HistoryKind } from './history.ts';
import { settingIn, settingsIn } from './setting-rows.ts';
import type { SettingRow } from './settings.ts';
import { aliasDnIn, recipientIn, routeIn } from './tables.ts';

const TABLES = ['route', 'alias', 'alias_entry', 'routing_setting'] as const;

export async function beginGeneration(tx: Transaction): Promise<number> {
  const { generation } = await stateIn(tx);
  await tx.run('UPDATE routing_state SET building = ? WHERE tenant = ?', generation + 1, TENANT);
  return generation + 1;
}

/** The one row that flips. */
export async function finishGeneration(tx: Transaction, building: number): Promise<void> {
  await tx.run('UPDATE routing_state SET generation = ?, building = NULL WHERE tenant = ?', building, TENANT);
}

export async function dropBuilding(tx: Transaction): Promise<void> {
  await tx.run('UPDATE routing_state SET building = NULL WHERE tenant = ?', TENANT);
}

/** Some rows of generations that do not answer. False when there is none left. */
export async function clearOthers(tx: Transaction, limit: number): Promise<boolean> {
  const { generation, building } = await stateIn(tx);
  for (const table of TABLES)
    for (const other of await generationsBeside(tx, table, [generation, building ?? generation])) {
      const key = KEYS[table];
      const removed = await tx.run(
        `DELETE FROM ${table} WHERE tenant = ? AND generation = ? AND (${key}) IN
          (SELECT ${key} FROM ${table} WHERE tenant = ? AND generation = ? LIMIT +?)`,
        TENANT,
        other,
        TENANT,
        other,
        limit,
      );
      if (removed > 0) return true;
    }
  return false;
}

const KEYS = { route: 'domain', alias: 'address', alias_entry: 'dn', routing_setting: 'kind, key' } as const;

/** The lowest and the highest are enough: those in between are asked for again. */
async function generationsBeside(
  tx: Transaction,
  table: (typeof TABLES)[number],
  kept: readonly number[],
): Promise<number[]> {
  const sql = `SELECT min(generation) AS low, max(generation) AS high FROM ${table} WHERE tenant = ?`;
  const row = await tx.get(sql, TENANT);
  const found = [row?.['low'], row?.['high']].filter((generation) => typeof generation === 'number');
  return found.filter((generation) => !kept.includes(generation));
}

export async function differencesIn(
  tx: Transaction,
  limit: number,
): Promise<{ readonly kind: HistoryKind; readonly key: string }[]> {
  const rows = await tx.arrays('SELECT kind, key FROM routing_difference WHERE tenant = ? LIMIT +?', TENANT, limit);
  return rows.map(([kind, key]) => ({ kind: kind as HistoryKind, key: key as string }));
}

export async function forgetDifferences(tx: Transaction): Promise<void> {
  await tx.run('DELETE FROM routing_difference WHERE tenant = ?', TENANT);
}

/** As the history has it: of an alias the DN, of all others the row; null for none. */
export async function rowIn(tx: Transaction, generation: number, kind: HistoryKind, key: string): Promise<unknown> {
  switch (kind) {
    case 'route':
      return routeIn(tx, generation, key);
    case 'alias':
      return aliasDnIn(tx, generation, key);
    case 'entry':
      return recipientIn(tx, generation, key);
    default:
      return settingIn(tx, generation, kind as SettingRow['kind'], key);
  }
}

interface Leftovers {
  readonly left: readonly (readonly [kind: HistoryKind, key: string])[];
  /** The last key that was looked at; undefined: it was the last one. */
  readonly last: string | undefined;
}

/** Keys above `after` of rows in `generation` that the generation `without` does not have. */
export async function keysWithout(
  tx: Transaction,
  of: 'route' | 'alias' | 'entry' | 'setting',
  asked: { readonly generation: number; readonly without: number; readonly after: string; readonly limit: number },
): Promise<Leftovers> {
  const { generation, without, after, limit } = asked;
  if (of === 'setting') {
    const kept = new Set((await settingsIn(tx, without)).map(({ kind, key }) => `${kind} ${key}`));
    const left = (await settingsIn(tx, generation)).filter(({ kind, key }) => !kept.has(`${kind} ${key}`));
    return { left: left.map(({ kind, key }) => [kind, key]), last: undefined };
  }
  const [table, column] = KEYED[of];
  const rows = await tx.arrays(
    `SELECT ${column}, EXISTS (SELECT 1 FROM ${table} AS other WHERE other.tenant = own.tenant
       AND other.generation = ? AND other.${column} = own.${column})
     FROM ${table} AS own WHERE tenant = ? AND generation = ? AND ${column} > ? ORDER BY ${column} LIMIT +?`,
    without,
    TENANT,
    generation,
    after,
    limit,
  );
  return {
    left: rows.filter(([, isThere]) => isThere === 0).map(([key]) => [of, key as string]),
    last: rows.length < limit ? undefined : (rows.at(-1)![0] as string),
  };
}

const KEYED = { route: ['route', 'domain'], alias: ['alias', 'address'], entry: ['alias_entry', 'dn'] } as const;
