// Where the data directory is, for who only asks a server that runs: without what reads a configuration, where there is no file.
//
// In      options, environment
// Out     the data directory; later, where the file may name another, or may be broken, which is said then

import type { Environment } from '../cli/program.ts';
import { findConfiguration, type LocateOptions } from './configuration-file.ts';

/** Throws, or rejects with, what `locate` throws. */
export function locateData(options: LocateOptions, environment: Environment): string | Promise<string> {
  const { data, text } = findConfiguration(options, environment);
  return text === undefined ? data : import('./locate.ts').then(({ locate }) => locate(options, environment).data);
}
