// One run of a load generator (bench/*-load.mjs, bench/*-load.ts): its last line as an object.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';

export type Figures = Readonly<Record<string, number | string | object>>;

/** Any reply but the expected one makes the generator fail, and that is an error here: a rate with errors is none. */
export function generate(generator: string, args: readonly (string | number)[]): Figures {
  const command = commandOf(generator, args);
  const run = spawnSync(process.execPath, command, { encoding: 'utf8', maxBuffer: 1 << 26 });
  return lastLine(command, run.status, [run.stdout, run.stderr]);
}

/** The same beside what else this process does. */
export async function generating(generator: string, args: readonly (string | number)[]): Promise<Figures> {
  const command = commandOf(generator, args);
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] });
  const { status, stdout, stderr } = await outputOf(child);
  return lastLine(command, status, [stdout, stderr]);
}

export interface Output {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a child process writes, when it has ended. */
export function outputOf(child: ChildProcess): Promise<Output> {
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name]!.setEncoding('utf8').on('data', (text: string) => {
      texts[name] += text;
    });
  return new Promise((ended, failed) => {
    child.once('error', failed);
    child.once('close', (status) => ended({ status, ...texts }));
  });
}

/** A generator is an .mjs file that knows its protocol alone, or, with that ending, a .ts file that calls the program's parts. */
function commandOf(generator: string, args: readonly (string | number)[]): string[] {
  return [join(import.meta.dirname, generator.endsWith('.ts') ? generator : `${generator}.mjs`), ...args.map(String)];
}

function lastLine(command: readonly string[], status: number | null, texts: readonly [string, string]): Figures {
  if (status !== 0) {
    const shown = command.join(' ').replace(/(--bindpw) \S+/, '$1 ...');
    throw new Error(`${shown}\n${texts.map((text) => text.slice(-1000)).join('')}`);
  }
  return JSON.parse(texts[0].trim().split('\n').at(-1)!) as Figures;
}
