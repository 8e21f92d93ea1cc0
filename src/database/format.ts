// The store's format: whose file it is, which version, and the steps that bring an older one up to date.
//
// In      the writer's connection before any thread uses it, and each unit's migrations
// Out     a database of this program's format; every unit's steps in one transaction
// An older program refuses a newer store: it would not know what it breaks.

import type { DatabaseSync } from 'node:sqlite';
import { Failure } from '../base/failure.ts';
import { type Log, silentLog } from '../base/log.ts';
import { Statements } from './connection.ts';
import type { Migration, MigrationConnection, Row, Value } from './operation.ts';

/** "WPST" */
const APPLICATION_ID = 0x57505354;
/** Goes up with any change that an older program must not touch. */
export const FORMAT = 2;

/** A folder that owns tables, and how they came to be. */
export interface Unit {
  readonly name: string;
  readonly migrations: readonly Migration[];
}

const own: Unit = {
  name: 'database',
  migrations: [
    {
      version: 1,
      statements: [
        // The directory's commit number, one row. See Transaction.nextRevision.
        'CREATE TABLE revision (id INTEGER PRIMARY KEY CHECK (id = 1), value INTEGER NOT NULL)',
        'INSERT INTO revision (id, value) VALUES (1, 0)',
      ],
    },
    {
      version: 2,
      statements: [
        'CREATE TABLE derived (name TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID',
        // What the first version of the code derived. A store that is made now gets today's versions beside it.
        "INSERT INTO derived (name, version) VALUES ('directory.index', 1), ('routing', 1), ('zones', 1)",
      ],
    },
  ],
};

function pragma(database: DatabaseSync, name: string): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0);
}

export function migrate(database: DatabaseSync, units: readonly Unit[], log: Log = silentLog): void {
  const applicationId = pragma(database, 'application_id');
  const format = pragma(database, 'user_version');
  if (applicationId === 0) {
    if (Number(database.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.['n']) > 0)
      throw new Failure('conflict', 'the database file belongs to another program');
  } else if (applicationId !== APPLICATION_ID) {
    throw new Failure('conflict', 'the database file belongs to another program');
  }
  if (format > FORMAT)
    throw new Failure('conflict', `the store has format ${format}, this program knows ${FORMAT}: use a newer Waypost`);
  const connection = migrationConnection(database, log);
  database.exec('BEGIN IMMEDIATE');
  try {
    database.exec('CREATE TABLE IF NOT EXISTS format (unit TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID');
    for (const unit of [own, ...units]) {
      const row = database.prepare('SELECT version FROM format WHERE unit = ?').get(unit.name);
      let version = Number(row?.['version'] ?? 0);
      for (const step of unit.migrations) {
        if (step.version <= version) continue;
        for (const statement of step.statements ?? []) database.exec(statement);
        step.run?.(connection);
        version = step.version;
      }
      database.prepare('INSERT OR REPLACE INTO format (unit, version) VALUES (?, ?)').run(unit.name, version);
    }
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    database.exec(`PRAGMA user_version = ${FORMAT}`);
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

/** Rows that a step has in memory at once. */
const PAGE_ROWS = 1000;

function migrationConnection(database: DatabaseSync, log: Log): MigrationConnection {
  const statements = new Statements(database);
  const all = (sql: string, ...parameters: Value[]): Row[] => statements.rows(sql).all(...parameters) as Row[];
  return {
    get: (sql, ...parameters) => statements.rows(sql).get(...parameters) as Row | undefined,
    all,
    arrays: (sql, ...parameters) => statements.arrays(sql).all(...parameters) as unknown as Value[][],
    run: (sql, ...parameters) => Number(statements.rows(sql).run(...parameters).changes),
    *pages(sql, key, first) {
      let page: Row[] = [];
      let above = first;
      do {
        page = all(sql, ...above, PAGE_ROWS);
        if (page.length > 0) yield page;
        above = key.map((column) => page.at(-1)?.[column] ?? null);
      } while (page.length === PAGE_ROWS);
    },
    progress() {},
    log,
  };
}
