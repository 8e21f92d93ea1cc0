// Every test file there is, so many at a time; node's own reporter and summary on standard output.
//
// Order  the longest first, then the other tests of the started program, then those of one unit, which are short and fill up
// Those of one unit share a process, a suite a file: most of what one took alone was loading the same modules
// Exit   0: all passed, or were skipped for want of a peer; 1: one did not
//
// Twice as many at a time as the machine has cores: many wait, for a disk, a deadline, or an answer that is held back after a
// wrong password. No test judges its time.

import { globSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

const root = resolve(import.meta.dirname, '../..');
const AT_ONCE = 2 * Math.min(4, availableParallelism());
const TIMEOUT_MS = 1_500_000;
/** Those that take longest alone, most of it waiting. */
const LONGEST = [
  'test/sessions.test.ts',
  'test/tls.test.ts',
  'test/crash/crash.test.ts',
  'test/threads.test.ts',
  'test/cli.test.ts',
  'test/scram.test.ts',
  'test/options-model.test.ts',
  'test/signing-keys.test.ts',
  'test/crash/publishing.test.ts',
  'test/no-false-bounce.test.ts',
  'test/interop/peers.test.ts',
  'test/migrations/interrupted.test.ts',
  'test/faults/io-error.test.ts',
  'test/hostile/fuzz.test.ts',
  'test/outgoing-tls.test.ts',
];

/** Folders whose tests share a process, and how many files at most. */
const SHARED = new Set(['base', 'message', 'wire', 'directory']);
const FILES_MAX = 24;

const found = ['test', 'src'].flatMap((folder) => globSync(`${folder}/**/*.test.ts`, { cwd: root }).sort());
const absent = LONGEST.filter((name) => !found.includes(name));
if (absent.length > 0) throw new Error(`not there any more: ${absent.join(', ')}`);
const alone = found.filter((name) => !isShared(name));
const files = [...[...new Set([...LONGEST, ...alone])].map((name) => join(root, name)), ...shared()];

/** Those that start a server, or judge the process that they are in, have one of their own. */
function isShared(name: string): boolean {
  return SHARED.has(name.split('/')[1]!) && name.startsWith('src/');
}

/** A file for each folder, which runs the tests below it. */
function shared(): string[] {
  const at = join(root, '.cache/tests/units');
  rmSync(at, { recursive: true, force: true });
  mkdirSync(at, { recursive: true });
  return [...SHARED].flatMap((folder) => {
    const names = found.filter((name) => name.startsWith(`src/${folder}/`));
    // Enough of them for all cores.
    return Array.from({ length: Math.ceil(names.length / FILES_MAX) }, (_, part) => {
      const own = names.slice(part * FILES_MAX, (part + 1) * FILES_MAX);
      const suites = own.map((name) => {
        const file = JSON.stringify(join(root, name));
        return `describe(${JSON.stringify(name)}, async () => {\n  await import(${file});\n});\n`;
      });
      const file = join(at, `${folder}-${part + 1}.test.ts`);
      writeFileSync(file, `import { describe } from 'node:test';\n${suites.join('')}`);
      return file;
    });
  });
}

run({ files, cwd: root, concurrency: AT_ONCE, timeout: TIMEOUT_MS, forceExit: true })
  .on('test:fail', () => {
    process.exitCode = 1;
  })
  .compose(new spec())
  .pipe(process.stdout);
