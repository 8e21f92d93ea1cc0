// The store of an older format for a test: a copy of it to migrate, and all that a database holds, to compare.

import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export const made = (format: 1 | 2 | 3 | 4 | 5): string => join(import.meta.dirname, `format-${format}`);

export interface StoreCopy {
  readonly data: string;
  /** Of the database. */
  readonly path: string;
  [Symbol.dispose](): void;
}

/** In a folder of its own below `parent`. */
export function copyOfStore({
  format = 1,
  parent = tmpdir(),
}: {
  format?: 1 | 2 | 3 | 4 | 5;
  parent?: string;
} = {}): StoreCopy {
  const data = join(mkdtempSync(join(parent, `waypost-format-${format}-`)), 'data');
  cpSync(join(made(format), 'store'), data, { recursive: true });
  return {
    data,
    path: join(data, 'store.db'),
    [Symbol.dispose]: () => rmSync(resolve(data, '..'), { recursive: true }),
  };
}

/** The format, the schema, and every row of every table; of a secret, which each store draws, its octets are counted. */
export function contents(path: string): Record<string, unknown> {
  const database = new DatabaseSync(path, { readOnly: true });
  const found: Record<string, unknown> = { format: database.prepare('PRAGMA user_version').get() };
  const tables = database.prepare("SELECT name, sql FROM sqlite_schema WHERE sql <> '' ORDER BY name").all();
  for (const { name, sql } of tables as { name: string; sql: string }[]) {
    const rows = sql.startsWith('CREATE TABLE') ? database.prepare(`SELECT * FROM "${name}"`).all() : [];
    const withoutSecret = (key: string, value: unknown) =>
      key === 'secret' ? Object.keys(value as object).length : value;
    found[name] = [sql, ...rows.map((row) => JSON.stringify(row, withoutSecret)).sort()];
  }
  database.close();
  return found;
}
