// This host's name and its former names: mail to postmaster at any of them is ours, and an MX that names one names us.
//
// Kept in the file `hostname` of the data directory, a name a line, the present one first.

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { hostname as machineName } from 'node:os';
import { join } from 'node:path';
import { isValidDomain, normalizeDomain } from '../message/address.ts';
import type { Configuration } from './configuration.ts';

/** Former names beyond this are forgotten. */
const NAMES_MAX = 20;

/** Present name first. A configured name wins over the persisted one; the machine's own does not. */
export function hostNames(configuration: Configuration): readonly string[] {
  const file = nameFile(configuration.data);
  const persisted = readNames(file);
  const present = configuration.hostnameGiven ? configuration.hostname : (persisted[0] ?? configuration.hostname);
  const names = [present, ...persisted.filter((name) => name !== present)].slice(0, NAMES_MAX);
  if (names.join('\n') !== persisted.join('\n')) {
    writeFileSync(`${file}.new`, `${names.join('\n')}\n`, { flush: true });
    renameSync(`${file}.new`, file);
  }
  return names;
}

/** A name without a dot is completed, never refused: the first start must work. */
export function machineHostName(): string {
  const name = normalizeDomain(machineName()) ?? 'localhost';
  return name.includes('.') ? name : `${name}.localdomain`;
}

/** The present name of a server that has started here, or would; for who has no configuration of it. */
export function knownHostName(data: string): string {
  return readNames(nameFile(data))[0] ?? machineHostName();
}

function nameFile(data: string): string {
  return join(data, 'hostname');
}

function readNames(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => isValidDomain(line));
  } catch {
    return [];
  }
}
