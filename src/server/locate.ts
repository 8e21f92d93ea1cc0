// The configuration of the server that options and environment name.

import type { Environment } from '../cli/program.ts';
import { type Configuration, configure } from './configuration.ts';
import { findConfiguration, type LocateOptions } from './configuration-file.ts';

/** Throws Failure `invalid` for a file that is broken, or was named and is not there; `denied` for one that is not ours to read. */
export function locate(options: LocateOptions, environment: Environment): Configuration {
  const { data, isDataGiven, file, text } = findConfiguration(options, environment);
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
