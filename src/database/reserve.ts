// Room for the write-ahead log and its index, taken at the start: on a full disk what frees space must still commit.
//
// How     a transaction larger than the page cache spills into the log and is rolled back; the log file and the
//         shared-memory file keep their size, and commits overwrite them. An overwrite also syncs faster than an append
// Limits  RESERVE_BYTES at least, where they can be had; LOG_BYTES at most; a twentieth of the free space between them

import { statfsSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { classifyEngineError } from './connection.ts';

const RESERVE_BYTES = 1024 * 1024;
const LOG_BYTES = 32 * 1024 * 1024;
const PAGES_IN_MEMORY = 64;

/** Best effort: a disk without room for it is served as it is. `path` is the database's. */
export function reserveLog(database: DatabaseSync, path: string): void {
  const { bavail, bsize } = statfsSync(path);
  const bytes = Math.floor(Math.min(LOG_BYTES, Math.max(RESERVE_BYTES, (bavail * bsize) / 20)));
  const cache = Number(database.prepare('PRAGMA cache_size').get()?.['cache_size']);
  database.exec(`PRAGMA cache_size = ${PAGES_IN_MEMORY}`);
  try {
    database.exec('BEGIN IMMEDIATE; CREATE TABLE reserve (bytes BLOB)');
    database.prepare('INSERT INTO reserve VALUES (zeroblob(?))').run(bytes);
  } catch (error) {
    const kind = classifyEngineError(error);
    if (kind !== 'full' && kind !== 'busy') throw error;
  } finally {
    if (database.isTransaction) database.exec('ROLLBACK');
    database.exec(`PRAGMA cache_size = ${cache}`);
  }
}
