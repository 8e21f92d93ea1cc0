// One server a data directory: an exclusive transaction on a lock file, held as long as the process lives.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Failure } from '../base/failure.ts';
import { classifyEngineError } from './connection.ts';

/**
 * Takes the directory or throws `conflict` naming the holder. The kernel drops the lock with the process, so a crash
 * leaves nothing to clean up; the pid file beside it is for people only.
 */
export function lockDirectory(directory: string): { release(): void } {
  const pidFile = join(directory, 'run', 'server.pid');
  const database = new DatabaseSync(join(directory, 'lock'), { timeout: 0 });
  try {
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (classifyEngineError(error) !== 'busy') throw error;
    let holder = 'another server';
    try {
      holder = `another server, process ${readFileSync(pidFile, 'latin1').trim()}`;
    } catch {
      // The process id only makes the message more helpful.
    }
    throw new Failure('conflict', `${directory} is in use by ${holder}`);
  }
  writeFileSync(pidFile, `${process.pid}\n`);
  return {
    release() {
      if (database.isTransaction) database.exec('ROLLBACK');
      database.close();
    },
  };
}
