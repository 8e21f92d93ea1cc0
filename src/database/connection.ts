// Connections to the embedded engine: SQLite in WAL mode. One for writing, in the writer; one for reading on each thread.
//
// Limits  a busy database is waited for 5 s, then it is a temporary failure
// Never   opens the database file by any other way: closing such a descriptor would drop SQLite's POSIX locks

import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { Failure } from '../base/failure.ts';
import { idOf, type Revision } from '../base/ids.ts';
import type { Reader, Row, Value } from './operation.ts';

export const BUSY_TIMEOUT_MS = 5000;

/** What an error of the engine means for the process. */
type EngineError = 'full' | 'busy' | 'fatal' | 'statement';

const SQLITE_BUSY = 5;
const SQLITE_NOMEM = 7;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;
/** A full tmpfs shows when the shared-memory file cannot grow. */
const SQLITE_IOERR_SHMSIZE = 4874;

export function classifyEngineError(error: unknown): EngineError | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  const code = error.errcode;
  if (code === SQLITE_IOERR_SHMSIZE || (code & 0xff) === SQLITE_FULL) return 'full';
  switch (code & 0xff) {
    case SQLITE_BUSY:
      return 'busy';
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_CANTOPEN:
    case SQLITE_NOTADB:
    case SQLITE_NOMEM:
      return 'fatal';
    default:
      return 'statement';
  }
}

/** What is in the file is no database, or not a whole one. */
export function isDamage(code: number | undefined): boolean {
  const kind = (code ?? 0) & 0xff;
  return kind === SQLITE_CORRUPT || kind === SQLITE_NOTADB;
}

/** The engine's error as a Failure, for a reader: whatever it is, the answer could not be found out. */
function engineFailure(error: unknown): unknown {
  const kind = classifyEngineError(error);
  if (kind === undefined) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new Failure(kind === 'full' ? 'full' : 'unavailable', 'The store does not answer, try again later', {
    detail,
    cause: error,
  });
}

/** Statements of one connection, prepared once. The texts are constants of the units, so the map is bounded. */
export class Statements {
  readonly #database: DatabaseSync;
  readonly #rows = new Map<string, StatementSync>();
  readonly #arrays = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  rows(sql: string): StatementSync {
    let statement = this.#rows.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#rows.set(sql, statement);
    }
    return statement;
  }

  arrays(sql: string): StatementSync {
    let statement = this.#arrays.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      statement.setReturnArrays(true);
      this.#arrays.set(sql, statement);
    }
    return statement;
  }
}

/** Also as parts of statements that have to know of which state their rows are. */
export const REVISION = 'SELECT value FROM revision WHERE id = 1';
export const ROUTING_REVISION = 'SELECT routing FROM revision WHERE id = 1';

class SqliteReader implements Reader {
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  #snapshots = 0;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#statements = new Statements(database);
  }

  get(sql: string, ...parameters: Value[]): Row | undefined {
    try {
      return this.#statements.rows(sql).get(...parameters) as Row | undefined;
    } catch (error) {
      throw engineFailure(error);
    }
  }

  all(sql: string, ...parameters: Value[]): Row[] {
    try {
      return this.#statements.rows(sql).all(...parameters) as Row[];
    } catch (error) {
      throw engineFailure(error);
    }
  }

  arrays(sql: string, ...parameters: Value[]): Value[][] {
    try {
      return this.#statements.arrays(sql).all(...parameters) as unknown as Value[][];
    } catch (error) {
      throw engineFailure(error);
    }
  }

  revision(): Revision {
    return idOf(this.get(REVISION)?.['value'] ?? 0);
  }

  routingRevision(): Revision {
    return idOf(this.get(ROUTING_REVISION)?.['routing'] ?? 0);
  }

  get openSnapshot(): number | undefined {
    return this.#database.isTransaction ? this.#snapshots : undefined;
  }

  snapshot<T>(read: () => T): T {
    if (this.#database.isTransaction) return read();
    this.#snapshots++;
    try {
      this.#statements.rows('BEGIN').run();
    } catch (error) {
      throw engineFailure(error);
    }
    try {
      return read();
    } finally {
      // An engine error may have ended the transaction by itself.
      if (this.#database.isTransaction) this.#statements.rows('COMMIT').run();
    }
  }
}

export interface OpenReader {
  readonly reader: Reader;
  close(): void;
}

/** A connection of this thread that cannot write. */
export function openReader(path: string): OpenReader {
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: false });
  database.exec('PRAGMA query_only = ON; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY');
  return { reader: new SqliteReader(database), close: () => database.close() };
}

/** The writer's connection. `synchronous` is OFF only in the test that shows that FULL is needed. */
export function openForWriting(path: string, synchronous: 'FULL' | 'OFF' = 'FULL'): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: false });
  database.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}; PRAGMA wal_autocheckpoint = 0; ` +
      'PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY',
  );
  return database;
}
