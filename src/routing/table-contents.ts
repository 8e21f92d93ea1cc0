// What stands in the tables: pages of rows, counts, and the problems that the compiler has met. For people, digests and proofs.
//
// In      a reader, or a transaction
// Out     rows of the answering generation in order of their keys; totals
// Limits  each call gives at most `limit` rows

import { TENANT } from '../base/tenant.ts';
import type { Reader, Transaction } from '../database/operation.ts';
import { dcDnOfDomain } from '../directory/dn.ts';
import { readState } from './generation.ts';
import type { Problem, RecipientRow, RouteRow } from './rows.ts';
import type { SettingRow } from './settings.ts';

export interface KeyedRow {
  readonly key: string;
  /** JSON; of an alias its DN. */
  readonly row: string;
}

const PAGES = {
  route: 'SELECT domain, row FROM route WHERE tenant = ? AND generation = ? AND domain > ? ORDER BY domain LIMIT +?',
  alias: 'SELECT address, dn FROM alias WHERE tenant = ? AND generation = ? AND address > ? ORDER BY address LIMIT +?',
  entry: 'SELECT dn, row FROM alias_entry WHERE tenant = ? AND generation = ? AND dn > ? ORDER BY dn LIMIT +?',
} as const;

/** At most `limit` rows of the answering generation with keys above `after`, in order of octets. */
export function readRowsAfter(reader: Reader, table: keyof typeof PAGES, after: string, limit: number): KeyedRow[] {
  const { generation } = readState(reader);
  return reader
    .arrays(PAGES[table], TENANT, generation, after, limit)
    .map(([key, row]) => ({ key: key as string, row: row as string }));
}

/** Domains in order of name, after `after`. */
export function readRoutes(reader: Reader, after = '', limit = 1000): RouteRow[] {
  const { generation } = readState(reader);
  return reader
    .all(
      'SELECT row FROM route WHERE tenant = ? AND generation = ? AND domain > ? ORDER BY domain LIMIT +?',
      TENANT,
      generation,
      after,
      limit,
    )
    .map((row) => JSON.parse(row['row'] as string) as RouteRow);
}

interface TableCounts {
  readonly domains: number;
  readonly addresses: number;
}

export function countRows(reader: Reader): TableCounts {
  const { generation } = readState(reader);
  const count = (table: 'route' | 'alias'): number => {
    const sql = `SELECT count(*) AS n FROM ${table} WHERE tenant = ? AND generation = ?`;
    return Number(reader.get(sql, TENANT, generation)?.['n']);
  };
  return { domains: count('route'), addresses: count('alias') };
}

export async function countRowsIn(tx: Transaction, generation: number): Promise<TableCounts & { rows: number }> {
  const count = async (table: 'route' | 'alias' | 'routing_setting'): Promise<number> => {
    const sql = `SELECT count(*) AS n FROM ${table} WHERE tenant = ? AND generation = ?`;
    return Number((await tx.get(sql, TENANT, generation))?.['n']);
  };
  const domains = await count('route');
  const addresses = await count('alias');
  return { domains, addresses, rows: domains + addresses + (await count('routing_setting')) };
}

export interface EntryProblems {
  readonly dn: string;
  readonly problems: readonly Problem[];
}

const NAMED_MAX = 1000;

/** What the compiler could not use, entry by entry; at most NAMED_MAX entries. */
export function readProblems(reader: Reader): EntryProblems[] {
  const { generation } = readState(reader);
  const found: EntryProblems[] = [];
  for (const table of ['route', 'alias_entry', 'routing_setting'] as const) {
    const sql = `SELECT row FROM ${table} WHERE tenant = ? AND generation = ? AND problems > 0 LIMIT +?`;
    for (const { row } of reader.all(sql, TENANT, generation, NAMED_MAX - found.length)) {
      const compiled = JSON.parse(row as string) as RouteRow | RecipientRow | SettingRow;
      const dn = 'dn' in compiled ? compiled.dn : dcDnOfDomain(compiled.domain);
      found.push({ dn, problems: compiled.problems ?? [] });
    }
  }
  return found;
}
