// Where `waypost sendmail` puts messages, and this host's name: read without the rest of the configuration, because every
// message of a local program pays for it.
//
// In      options, environment; the configuration file, of which three keys are looked at
// Out     the folder and the name, as the server itself has them
// Errors  Failure `invalid` for a file that cannot be read as TOML, `denied` for one that is not ours to read

import { dirname, resolve } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { Failure } from '../base/failure.ts';
import type { Environment } from '../cli/program.ts';
import type { SubmitPlace } from '../cli/sendmail/sendmail.ts';
import { normalizeDomain } from '../message/address.ts';
import { findConfiguration, type LocateOptions } from './configuration-file.ts';
import { knownHostName } from './host-name.ts';
import { submitPath } from './paths.ts';

export function submitPlace(options: LocateOptions, environment: Environment): SubmitPlace {
  const { data, isDataGiven, file, text } = findConfiguration(options, environment);
  const values = text === undefined ? {} : valuesOf(text, file);
  const beside = (path: unknown): string | undefined =>
    typeof path === 'string' && path !== '' ? resolve(dirname(file), path) : undefined;
  const ours = isDataGiven ? data : (beside(values['data']) ?? data);
  const { submit } = values;
  const folder = typeof submit === 'object' && submit !== null && 'folder' in submit ? submit.folder : undefined;
  const given = environment['WAYPOST_HOSTNAME'] ?? values['hostname'];
  const named = typeof given === 'string' ? normalizeDomain(given) : undefined;
  return {
    folder: submitPath(ours, beside(folder)),
    hostname: named === undefined ? knownHostName(ours) : whole(named),
  };
}

function whole(name: string): string {
  return name.includes('.') ? name : `${name}.localdomain`;
}

function valuesOf(text: string, file: string): Readonly<Record<string, unknown>> {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw new Failure('invalid', `${file}:${error.line}: ${error.message.split('\n')[0]}`);
  }
}
