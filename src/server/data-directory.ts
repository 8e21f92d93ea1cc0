// The data directory and the folders in it, made where they are missing.
//
// Errors  one line each: ConfigurationFailure for a path that can be no directory, `denied` where it is not ours to make or to use
// Never   mkdir's own recursion: under /proc it runs for ever

import { accessSync, chmodSync, constants, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { ConfigurationFailure } from '../base/exit.ts';
import { Failure } from '../base/failure.ts';
import { errorCode } from '../net/listen.ts';
import { certificatesPath, databasePath, lockPath, runPath, segmentsPath, submitPath } from './paths.ts';

export function makeDataDirectory(data: string): void {
  for (const directory of [data, segmentsPath(data), runPath(data), certificatesPath(data)]) {
    make(directory);
    checkOurs(directory);
  }
  for (const file of [databasePath(data), lockPath(data)]) checkOurs(file);
}

/** Before anything in it is opened. A file that is not there is made. */
function checkOurs(path: string): void {
  try {
    const needed = constants.R_OK | constants.W_OK;
    accessSync(path, isDirectory(path) ? needed | constants.X_OK : needed);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT') return;
    const { uid } = statSync(path);
    const why = code === 'EROFS' ? 'is on a file system that is read-only' : 'may not be read and written by this user';
    throw new Failure(
      'denied',
      `${path} ${why}: start the server as its owner (uid ${uid}), or give another directory with --data`,
    );
  }
}

/** Who may write there and not list, and remove only what is theirs. */
const FOR_ALL_USERS = 0o1733;

/** The folder where local programs hand in mail: in the data directory the server's alone, outside it for all users of the machine. */
export function makeSubmitFolder(data: string, folder: string | undefined): void {
  const path = submitPath(data, folder);
  make(path);
  if (folder === undefined) return;
  const { uid, mode } = statSync(path);
  if (uid !== process.getuid?.())
    throw new ConfigurationFailure('invalid', `submit.folder: ${path} belongs to another user than the server's`);
  if ((mode & 0o7777) !== FOR_ALL_USERS) chmodSync(path, FOR_ALL_USERS);
}

function make(directory: string): void {
  if (isDirectory(directory)) return;
  const above = dirname(directory);
  if (above !== directory) make(above);
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    throw notMade(directory, error);
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function notMade(directory: string, error: unknown): Error {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOSPC' || code === 'EDQUOT') return new Failure('full', `${directory}: no space left on the device`);
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return new Failure('denied', `${directory} may not be made by this user: give another with --data`);
  const why = code === 'EEXIST' ? 'is there and is no directory' : `cannot be made (${String(code)})`;
  return new ConfigurationFailure('invalid', `${directory} ${why}: give another with --data`);
}
