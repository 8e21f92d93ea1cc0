// The store's format: whose file it is, which version, and the steps that bring an older one up to date.
//
// In      the writer's connection before any thread uses it, each unit's migrations, the versions of what is derived
// Out     a database of this program's format; every unit's steps in one transaction
// An older program refuses a newer store: it would not know what it breaks. So the format rises only where an older
// program would do harm: a new table alone is a step, and no new format.

import type { DatabaseSync } from 'node:sqlite';
import { Failure } from '../base/failure.ts';
import { type Log, silentLog } from '../base/log.ts';
import { Statements } from './connection.ts';
import type { Derived } from './derived.ts';
import type { Migration, MigrationConnection, Row, Value } from './operation.ts';

/** "WPST" */
const APPLICATION_ID = 0x57505354;
/** Goes up with any change that an older program must not touch. */
export const FORMAT = 6;
/** Rows that a step has in memory at once. */
const PAGE_ROWS = 1000;

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
        // What the first version of the code derived.
        "INSERT INTO derived (name, version) VALUES ('directory.index', 1), ('routing', 1), ('zones', 1)",
      ],
    },
    {
      version: 3,
      // The revision of the last change that moved a row of the routing tables. See Transaction.routingChanged.
      statements: ['ALTER TABLE revision ADD COLUMN routing INTEGER NOT NULL DEFAULT 0'],
    },
  ],
};

/** Undefined for a file without anything in it. Throws `conflict` for another program's file and for a newer format. */
export function formatOf(database: DatabaseSync): number | undefined {
  const applicationId = pragma(database, 'application_id');
  const format = pragma(database, 'user_version');
  const isEmpty = Number(database.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.['n']) === 0;
  if (applicationId === 0 && isEmpty) return undefined;
  if (applicationId !== APPLICATION_ID) throw foreignFile();
  if (format > FORMAT)
    throw new Failure('conflict', `the store has format ${format}, this program knows ${FORMAT}: use a newer Waypost`);
  return format;
}

export function foreignFile(): Failure {
  return new Failure('conflict', 'the database file belongs to another program');
}

function pragma(database: DatabaseSync, name: string): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0);
}

/** A unit with steps that this store has not gone through. */
interface PendingSteps {
  readonly unit: string;
  /** Where the store is; 0 for a unit that it does not know. */
  readonly from: number;
  readonly steps: readonly Migration[];
}

export function pendingSteps(database: DatabaseSync, units: readonly Unit[]): PendingSteps[] {
  const hasTable = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'format'").get() !== undefined;
  const rows = hasTable ? database.prepare('SELECT unit, version FROM format').all() : [];
  const versions = new Map(rows.map((row) => [row['unit'], Number(row['version'])]));
  return [own, ...units]
    .map(({ name, migrations }) => {
      const from = versions.get(name) ?? 0;
      return { unit: name, from, steps: migrations.filter((step) => step.version > from) };
    })
    .filter(({ steps }) => steps.length > 0);
}

export interface MigrateOptions {
  readonly units: readonly Unit[];
  /** A store that is made now has today's versions. */
  readonly derived?: readonly Pick<Derived, 'name' | 'version'>[];
  readonly log?: Log;
  readonly progress?: (unit: string, done: number, of: number) => void;
}

/** All steps that are missing, in one transaction; an error of any leaves the store as it was. */
export function migrate(database: DatabaseSync, options: MigrateOptions): void {
  const format = formatOf(database);
  const pending = pendingSteps(database, options.units);
  if (format === FORMAT && pending.length === 0) return;
  database.exec('BEGIN IMMEDIATE');
  try {
    database.exec('CREATE TABLE IF NOT EXISTS format (unit TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID');
    for (const { unit, steps } of pending) {
      const connection = migrationConnection(database, unit, options);
      for (const step of steps) {
        for (const statement of step.statements ?? []) database.exec(statement);
        step.run?.(connection);
      }
      const version = steps.at(-1)!.version;
      database.prepare('INSERT OR REPLACE INTO format (unit, version) VALUES (?, ?)').run(unit, version);
    }
    if (format === undefined)
      for (const { name, version } of options.derived ?? [])
        database.prepare('INSERT OR REPLACE INTO derived (name, version) VALUES (?, ?)').run(name, version);
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    database.exec(`PRAGMA user_version = ${FORMAT}`);
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

/** What `unit`'s steps see, and for reading beside them. */
export function migrationConnection(
  database: DatabaseSync,
  unit: string,
  { log = silentLog, progress }: Pick<MigrateOptions, 'log' | 'progress'> = {},
): MigrationConnection {
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
    progress: (done, of) => progress?.(unit, done, of),
    log,
  };
}
