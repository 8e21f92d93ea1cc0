// An older store becomes today's: checked, copied where rows are rewritten, brought along in one transaction.
//
// In      the path of the database, before any thread has it open; the units and their steps
// Out     a store of this program's format; beside it, for COPY_KEPT_MS, a copy as the older program left it
// Order   check -> .part of a killed run goes -> space -> VACUUM INTO .part -> sync, rename, sync of the directory
//         -> one transaction -> checkpoint. Killed anywhere, the next start ends the same: until the commit the store is
//         the old one, and the copy is made anew, because an older program may have written to it in between
// Errors  another program's file, a newer format, a database without its log or the other way round: `conflict`, nothing touched. No space: `full`, or `unavailable` with
//         both figures where it is seen before; the store is as it was. A file that may not be written: `denied`. Any
//         other I/O error: FatalStoreError

import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Failure } from '../base/failure.ts';
import type { Log } from '../base/log.ts';
import { FatalStoreError } from './batch.ts';
import { classifyEngineError, openForWriting } from './connection.ts';
import {
  FORMAT,
  foreignFile,
  formatOf,
  type MigrateOptions,
  migrate,
  migrationConnection,
  pendingSteps,
} from './format.ts';
import type { MigrationConnection } from './operation.ts';
import { atIntervals, grouped } from './progress.ts';

/** A copy is kept so long: the need to go back shows within days. */
const COPY_KEPT_MS = 7 * 24 * 3600 * 1000;
const SQLITE_READONLY = 8;
const SQLITE_NOTADB = 26;

export interface UpgradeOptions extends Pick<MigrateOptions, 'units'> {
  /** Of the database. */
  readonly path: string;
  readonly derived: NonNullable<MigrateOptions['derived']>;
  readonly log: Log;
  /** One line for people, on standard error. */
  readonly say: (line: string) => void;
  /** How much there is to migrate, such as `12,345 messages`. */
  readonly size: (connection: MigrationConnection) => string;
  readonly synchronous?: 'FULL' | 'OFF';
  /** Asked before a store is made where there is none; throws where none may be. */
  readonly mayBegin?: () => void;
}

/** Makes the store if there is none. */
export function upgradeStore(options: UpgradeOptions): void {
  const { path } = options;
  try {
    requireLog(path);
    const format = check(path);
    if (format === undefined) options.mayBegin?.();
    for (const { name, isPart } of copiesOf(path)) if (isPart) rmSync(join(dirname(path), name), { force: true });
    const database = openForWriting(path, options.synchronous);
    try {
      if (format === undefined) migrate(database, options);
      else upgrade(database, format, options);
    } finally {
      database.close();
    }
  } catch (error) {
    throw meaningOf(error, path);
  }
}

/**
 * The log holds what was committed last. The engine makes one where it is missing, and takes away one whose database is: so it is
 * looked at before. At a clean end it goes behind its index, so an index alone has lost its log.
 */
function requireLog(path: string): void {
  const [database, log, index] = ['', '-wal', '-shm'].map((end) => `${path}${end}`) as [string, string, string];
  if (existsSync(index) && !existsSync(log))
    throw new Failure(
      'conflict',
      `${log} is missing, and with it what was written last: put it back; or remove ${basename(index)} to start without that`,
    );
  if (sizeOf(log) > 0 && sizeOf(database) === 0)
    throw new Failure(
      'conflict',
      `${database} is missing or empty, and its log ${basename(log)} is there: put the database back, or move both away to begin anew`,
    );
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** By a connection that cannot write: opening for writing would already change another program's file. */
function check(path: string): number | undefined {
  if (!existsSync(path)) return undefined;
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return formatOf(database);
  } catch (error) {
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_NOTADB) throw foreignFile();
    throw error;
  } finally {
    database.close();
  }
}

function upgrade(database: DatabaseSync, format: number, options: UpgradeOptions): void {
  const { path, say } = options;
  // A unit that the store does not know has no rows to rewrite.
  const isRewritten = pendingSteps(database, options.units).some(
    ({ from, steps }) => from > 0 && steps.some((step) => step.rewrites === true),
  );
  if (isRewritten) {
    const copy = `${path}.format-${format}`;
    const size = options.size(migrationConnection(database, 'database'));
    // Of a run that was killed before its commit: what is in it is in the store too.
    rmSync(copy, { force: true });
    requireSpace(database, path);
    // What may not be written is not copied either.
    database.exec(`BEGIN IMMEDIATE; PRAGMA user_version = ${format}; ROLLBACK`);
    say(`migrating the store from format ${format} to ${FORMAT} (${size}); copy: ${basename(copy)}`);
    copyTo(database, copy);
  }
  const report = atIntervals((unit: string, done: number, of: number) =>
    say(`migrating ${unit}: ${grouped(done)} of ${grouped(of)} rows`),
  );
  migrate(database, { ...options, progress: report });
  if (isRewritten) database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
}

/** The copy takes the size of the database once, the log of the transaction at most once more. */
function requireSpace(database: DatabaseSync, path: string): void {
  const number = (name: string): number => Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
  const needed = 2 * number('page_count') * number('page_size');
  const { bavail, bsize } = statfsSync(dirname(path));
  const free = bavail * bsize;
  if (free >= needed) return;
  throw new Failure(
    'unavailable',
    `migrating the store needs ${mebibytes(needed)} of space in ${dirname(path)}, ${mebibytes(free)} are free: ` +
      'make some, then start again',
  );
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toLocaleString('en-US', { maximumFractionDigits: 1 })} MiB`;
}

function copyTo(database: DatabaseSync, copy: string): void {
  const part = `${copy}.part`;
  try {
    database.prepare('VACUUM INTO ?').run(part);
    sync(part);
    renameSync(part, copy);
    sync(dirname(copy));
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  }
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function meaningOf(error: unknown, path: string): unknown {
  if (error instanceof Failure || !(error instanceof Error)) return error;
  const kind = classifyEngineError(error);
  const code = 'code' in error ? error.code : undefined;
  // The lower octet is the kind, the upper ones say more.
  if ('errcode' in error && (Number(error.errcode) & 0xff) === SQLITE_READONLY)
    return new Failure('denied', `${path} may not be written by this user`, { cause: error });
  if (kind === 'full' || code === 'ENOSPC' || code === 'EDQUOT')
    return new Failure('full', `no space left for ${path}`, { cause: error });
  return kind === 'fatal' || code === 'EIO' ? new FatalStoreError(error) : error;
}

interface Copy {
  readonly name: string;
  readonly isPart: boolean;
}

/** Copies of this database that lie beside it, finished or not. */
function copiesOf(path: string): Copy[] {
  const prefix = `${basename(path)}.format-`;
  return readdirSync(dirname(path))
    .filter((name) => name.startsWith(prefix) && /^\d+(\.part(-journal)?)?$/.test(name.slice(prefix.length)))
    .map((name) => ({ name, isPart: name.includes('.part') }));
}

/** Whether a copy as an older program left it lies beside the database: that knows where bytes were then. */
export function hasOldCopies(path: string): boolean {
  return copiesOf(path).some(({ isPart }) => !isPart);
}

/** Takes away copies that have been kept long enough, and gives their names. `now` in epoch milliseconds. */
export function removeOldCopies(path: string, now: number): string[] {
  const removed: string[] = [];
  for (const { name, isPart } of copiesOf(path)) {
    const file = join(dirname(path), name);
    if (isPart || statSync(file).mtimeMs + COPY_KEPT_MS > now) continue;
    rmSync(file, { force: true });
    removed.push(name);
  }
  return removed;
}
