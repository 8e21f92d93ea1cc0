// Where the data directory and the configuration file are. Later in the list only when nothing before says.
//
//   data           --data, WAYPOST_DATA, `data` in the file given, ./data beside the launcher if it exists, /var/lib/waypost
//   configuration  --config, WAYPOST_CONFIG, waypost.toml in the data directory, none

import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Failure } from '../base/failure.ts';
import type { Environment } from '../cli/program.ts';
import { type Configuration, configure } from './configuration.ts';

export interface LocateOptions {
  readonly data?: string | undefined;
  readonly config?: string | undefined;
  readonly hostname?: string | undefined;
  readonly development?: boolean | undefined;
}

/** The checkout, where the launcher is. */
const HOME = resolve(import.meta.dirname, '..', '..');
const SYSTEM_DATA = '/var/lib/waypost';

function dataDirectory(options: LocateOptions, environment: Environment): string {
  const given = options.data ?? environment['WAYPOST_DATA'];
  if (given !== undefined && given !== '') return resolve(given);
  const beside = join(HOME, 'data');
  return options.development === true || existsSync(beside) ? beside : SYSTEM_DATA;
}

/** Throws Failure `invalid` for a file that is broken, or was named and is not there; `denied` for one that is not ours to read. */
export function locate(options: LocateOptions, environment: Environment): Configuration {
  const data = dataDirectory(options, environment);
  const named = options.config ?? environment['WAYPOST_CONFIG'];
  const file = named === undefined || named === '' ? join(data, 'waypost.toml') : resolve(named);
  let text: string | undefined;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EACCES') throw new Failure('denied', `${file} may not be read by this user`);
    const absent = code === 'ENOENT' || code === 'ENOTDIR';
    if (!absent || named !== undefined) throw new Failure('invalid', `${file}: cannot be read: ${String(error)}`);
  }
  const isDataGiven = (options.data ?? environment['WAYPOST_DATA'] ?? '') !== '';
  const configuration = configure(text, file, {
    data,
    development: options.development ?? false,
    hostname: options.hostname ?? environment['WAYPOST_HOSTNAME'],
    listen: environment['WAYPOST_LISTEN'],
    portOffset: environment['WAYPOST_PORT_OFFSET'],
    log: environment['WAYPOST_LOG'],
  });
  return isDataGiven ? { ...configuration, data } : configuration;
}
