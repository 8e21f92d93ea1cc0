// Where the data directory and the configuration file are, and the text of that. Later in the list only when nothing before says.
//
//   data           --data, WAYPOST_DATA, `data` in the file given, ./data beside the launcher if it exists, /var/lib/waypost
//   configuration  --config, WAYPOST_CONFIG, waypost.toml in the data directory, none
// Not what the file says: that costs too much for a program that only hands in a message.

import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Failure } from '../base/failure.ts';
import type { Environment } from '../cli/program.ts';

export interface LocateOptions {
  readonly data?: string | undefined;
  readonly config?: string | undefined;
  readonly hostname?: string | undefined;
  readonly development?: boolean | undefined;
}

export interface ConfigurationFile {
  /** Unless the file says another. */
  readonly data: string;
  /** An option or the environment has named the data directory: what the file says does not count. */
  readonly isDataGiven: boolean;
  readonly file: string;
  /** Undefined where there is none. */
  readonly text: string | undefined;
}

/** The checkout, where the launcher is. */
const HOME = resolve(import.meta.dirname, '..', '..');
const AS_WHOM = 'run this as the user that the server runs as, or as root';
const SYSTEM_DATA = '/var/lib/waypost';

function dataDirectory(options: LocateOptions, environment: Environment): string {
  const given = options.data ?? environment['WAYPOST_DATA'];
  if (given !== undefined && given !== '') return resolve(given);
  const beside = join(HOME, 'data');
  return options.development === true || existsSync(beside) ? beside : SYSTEM_DATA;
}

/** Throws Failure `invalid` for a file that was named and is not there; `denied` for one that is not ours to read. */
export function findConfiguration(options: LocateOptions, environment: Environment): ConfigurationFile {
  const data = dataDirectory(options, environment);
  const named = options.config ?? environment['WAYPOST_CONFIG'];
  const file = named === undefined || named === '' ? join(data, 'waypost.toml') : resolve(named);
  const isDataGiven = (options.data ?? environment['WAYPOST_DATA'] ?? '') !== '';
  try {
    return { data, isDataGiven, file, text: readFileSync(file, 'utf8') };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EACCES') throw new Failure('denied', `${file} may not be read by this user: ${AS_WHOM}`);
    const absent = code === 'ENOENT' || code === 'ENOTDIR';
    if (!absent || named !== undefined) throw new Failure('invalid', `${file}: cannot be read: ${String(error)}`);
    return { data, isDataGiven, file, text: undefined };
  }
}
