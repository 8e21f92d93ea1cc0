// One file of tests in a process of its own, until its first failure.
//
// In      the copy of the checkout, the file, part of its tests by name, a bound of time
// Out     green; or red, by which test; or hung
// Nothing that it has started is left: its process group ends with it, and whoever else has its temporary folder in the environment

import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Tree } from './tree.ts';

export interface TestRun {
  readonly result: 'green' | 'red' | 'hung';
  /** The test that failed first; empty where the file could not be loaded. */
  readonly failed: string;
  readonly ms: number;
}

/** Part of a file of tests. */
export interface TestFile {
  readonly file: string;
  /** As node's --test-name-pattern. All without it. */
  readonly pattern?: string;
}

/** The program's own; a tree without it is loaded by Node alone. */
const LOADER = 'src/server/load-sources.ts';

export async function runTests(tree: Tree, { file, pattern }: TestFile, boundMs: number): Promise<TestRun> {
  const began = performance.now();
  const loader = join(tree.root, LOADER);
  const child = spawn(
    process.execPath,
    [
      ...(existsSync(loader) ? ['--import', loader] : []),
      ...['--test-reporter=tap', '--test-force-exit'],
      ...(pattern === undefined ? [] : [`--test-name-pattern=${pattern}`]),
      join(tree.root, file),
    ],
    { cwd: tree.root, env: environmentOf(tree), stdio: ['ignore', 'pipe', 'ignore'], detached: true },
  );
  let failed: string | undefined;
  let isHung = false;
  const end = (): void => endGroup(child.pid!, tree.temporary);
  process.on('exit', end);
  const bound = setTimeout(() => {
    isHung = true;
    end();
  }, boundMs);
  createInterface({ input: child.stdout }).on('line', (line) => {
    const found = /^\s*not ok \d+ - (.*)/.exec(line);
    if (found === null || failed !== undefined || /# (TODO|SKIP)/.test(line)) return;
    failed = found[1]!;
    end();
  });
  const { promise: closed, resolve } = Promise.withResolvers<number | null>();
  // What it has left running may hold its output open.
  child.on('exit', end);
  child.on('close', resolve);
  const code = await closed;
  clearTimeout(bound);
  process.off('exit', end);
  tree.clear();
  const ms = Math.round(performance.now() - began);
  if (failed !== undefined) return { result: 'red', failed, ms };
  if (isHung) return { result: 'hung', failed: '', ms };
  return { result: code === 0 ? 'green' : 'red', failed: '', ms };
}

function environmentOf(tree: Tree): NodeJS.ProcessEnv {
  const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, PROCESSOR_SECONDS: ___, ...inherited } = process.env;
  return { ...inherited, TMPDIR: tree.temporary, NODE_COMPILE_CACHE: join(tree.root, '.cache/compile') };
}

function endGroup(group: number, temporary: string): void {
  for (const pid of [-group, ...strayed(temporary)])
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
}

/** Processes in groups of their own; none where the system does not tell (/proc). */
function strayed(temporary: string): number[] {
  if (!existsSync('/proc/self/environ')) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(`TMPDIR=${temporary}`);
      } catch {
        return false;
      }
    })
    .map(Number);
}
