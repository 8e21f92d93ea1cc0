// The tables as a test compares them.

import { TENANT } from '../base/tenant.ts';
import type { Reader } from '../database/operation.ts';
import { readState } from './tables.ts';

/** All rows of the generation that answers, without generation and revision, in order. */
export function readTables(reader: Reader): { routes: unknown[]; aliases: unknown[]; entries: unknown[] } {
  return reader.snapshot(() => {
    const { generation } = readState(reader);
    const rows = (columns: string, table: string): unknown[] =>
      reader.arrays(
        `SELECT ${columns} FROM ${table} WHERE tenant = ? AND generation = ? ORDER BY 1`,
        TENANT,
        generation,
      );
    return {
      routes: rows('domain, base, row', 'route'),
      aliases: rows('address, dn', 'alias'),
      entries: rows('dn, row, problems', 'alias_entry'),
    };
  });
}
