// The store's format: whose file it is, which version, and the steps that bring an older one up to date.
//
// In      the writer's connection before any thread uses it, and each unit's migrations
// Out     a database of this program's format; every unit's steps in one transaction
// An older program refuses a newer store: it would not know what it breaks.

import type { DatabaseSync } from 'node:sqlite';
import { Failure } from '../base/failure.ts';
import type { Migration } from './operation.ts';

/** "WPST" */
const APPLICATION_ID = 0x57505354;
/** Goes up with any change that an older program must not touch. */
export const FORMAT = 1;

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
  ],
};

function pragma(database: DatabaseSync, name: string): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0);
}

export function migrate(database: DatabaseSync, units: readonly Unit[]): void {
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
  database.exec('BEGIN IMMEDIATE');
  try {
    database.exec('CREATE TABLE IF NOT EXISTS format (unit TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID');
    for (const unit of [own, ...units]) {
      const row = database.prepare('SELECT version FROM format WHERE unit = ?').get(unit.name);
      let version = Number(row?.['version'] ?? 0);
      for (const step of unit.migrations) {
        if (step.version <= version) continue;
        for (const statement of step.statements) database.exec(statement);
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
