// One run of a load generator (bench/*-load.mjs): its last line as an object.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

export type Figures = Readonly<Record<string, number | string | object>>;

/** Any reply but the expected one makes the generator fail, and that is an error here: a rate with errors is none. */
export function generate(generator: string, args: readonly (string | number)[]): Figures {
  const command = [join(import.meta.dirname, `${generator}.mjs`), ...args.map(String)];
  const run = spawnSync(process.execPath, command, { encoding: 'utf8', maxBuffer: 1 << 26 });
  if (run.status !== 0) {
    const shown = command.join(' ').replace(/(--bindpw) \S+/, '$1 ...');
    throw new Error(`${shown}\n${run.stdout.slice(-1000)}${run.stderr.slice(-1000)}`);
  }
  return JSON.parse(run.stdout.trim().split('\n').at(-1)!) as Figures;
}
