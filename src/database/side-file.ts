// A file of the engine beside the store, for what can be made anew from the store at any time: an index of texts, say.
//
// In      its path, statements
// Out     one writer in the process, readers on any thread, each with one committed state at a time
// Safe    a process or a machine that ends leaves the state of some commit, perhaps not of the last one: the log is synced
//         before a checkpoint writes into the file, and no commit waits for a disk
// Errors  `conflict`: what is there is no such file, or not a whole one: its owner makes it anew; `full`; else `unavailable`
// Never   in a backup

import { rmSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { Failure } from '../base/failure.ts';
import { BUSY_TIMEOUT_MS, classifyEngineError, isDamage, Statements } from './connection.ts';
import type { Value } from './operation.ts';

const CACHE_KIB = 2048;
/** Pages of the log after which it is written into the file. */
const CHECKPOINT_PAGES = 2000;
const LOG_BYTES = 16 * 1024 * 1024;

export interface SideFile {
  /** Bounded by the caller. */
  arrays(sql: string, ...parameters: Value[]): Value[][];
  /** Of a file that was opened for writing. */
  run(sql: string, ...parameters: Value[]): void;
  /** All that `work` reads and writes is of one state; what it throws leaves the file as it was. Synchronous. */
  transaction<T>(work: () => T): T;
  /** Another file stands in its place now, or none. */
  isReplaced(): boolean;
  close(): void;
}

/** Undefined: there is no such file. */
export function openSideReader(path: string): SideFile | undefined {
  for (;;) {
    const before = fileNumber(path);
    if (before === undefined) return undefined;
    const file = open(path, true, `PRAGMA query_only = ON; PRAGMA cache_size = -${CACHE_KIB}`);
    // The log is found by its name at the first look: it must be that of the file which was opened, and not of a successor.
    if (fileNumber(path) === before) return file;
    file.close();
  }
}

/** Made where there is none. */
export function openSideWriter(path: string): SideFile {
  return open(
    path,
    false,
    `PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES};
     PRAGMA journal_size_limit = ${LOG_BYTES}; PRAGMA cache_size = -${4 * CACHE_KIB}; PRAGMA temp_store = MEMORY`,
  );
}

/** Who has it open goes on with what it held. No writer has it open. */
export function removeSideFile(path: string): void {
  // The log last: without its file it means nothing, and a file without its log is not whole.
  for (const end of ['', '-wal', '-shm']) rmSync(path + end, { force: true });
}

function fileNumber(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

function open(path: string, readOnly: boolean, pragmas: string): SideFile {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, readOnly });
    database.exec(`${pragmas}; SELECT count(*) FROM sqlite_schema`);
    return new OpenSideFile(database, path);
  } catch (error) {
    database?.close();
    throw sideFailure(error);
  }
}

class OpenSideFile implements SideFile {
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  readonly #path: string;
  readonly #number: number | undefined;

  constructor(database: DatabaseSync, path: string) {
    this.#database = database;
    this.#statements = new Statements(database);
    this.#path = path;
    this.#number = fileNumber(path);
  }

  arrays(sql: string, ...parameters: Value[]): Value[][] {
    try {
      return this.#statements.arrays(sql).all(...parameters) as unknown as Value[][];
    } catch (error) {
      throw sideFailure(error);
    }
  }

  run(sql: string, ...parameters: Value[]): void {
    // Not the statement's own run(): it gives the last rowid too, which in a full-text index may be more than a number holds.
    this.arrays(sql, ...parameters);
  }

  transaction<T>(work: () => T): T {
    this.run('BEGIN');
    try {
      const result = work();
      this.run('COMMIT');
      return result;
    } finally {
      // An engine error may have ended it by itself.
      if (this.#database.isTransaction) this.run('ROLLBACK');
    }
  }

  isReplaced(): boolean {
    return fileNumber(this.#path) !== this.#number;
  }

  close(): void {
    this.#database.close();
  }
}

function sideFailure(error: unknown): unknown {
  const kind = classifyEngineError(error);
  if (kind === undefined) return error;
  const { errcode, message } = error as Error & { readonly errcode?: number };
  const options = { detail: message, cause: error };
  if (isDamage(errcode)) return new Failure('conflict', 'The file beside the store is damaged', options);
  return new Failure(kind === 'full' ? 'full' : 'unavailable', 'The file beside the store does not answer', options);
}
