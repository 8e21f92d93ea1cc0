// Every test file there is, so many at a time; node's own reporter and summary on standard output, processor time on standard error.
//
// Order  the longest first, then those of units in groups, then the other tests of the started program, which are short and fill up
// Those of one folder of units share processes, a suite a file: most of what one took alone was loading the same modules
// Exit   0: all passed, or were skipped for want of a peer; 1: one did not, or a process ended before its tests were over: the last is named
//
// Three times as many at a time as the machine has cores: many wait, for a disk, a deadline, or an answer that is held back after a
// wrong password. No test judges its time.

import { execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

const root = resolve(import.meta.dirname, '../..');
const AT_ONCE = 3 * Math.min(4, availableParallelism());
const TIMEOUT_MS = 1_500_000;
/** A file that hangs is named, and the others of its process go on. */
const SUITE_MS = 900_000;
/** Those that take longest alone, by the clock: begun at the end they would leave cores without work. */
const LONGEST = [
  'test/second-server.test.ts',
  'test/openldap-follows.test.ts',
  'test/sources-that-fail.test.ts',
  'test/source-asked.test.ts',
  'test/sessions.test.ts',
  'test/crash/crash.test.ts',
  'test/crash/publishing.test.ts',
  'test/tls.test.ts',
  'test/threads.test.ts',
  'test/cli.test.ts',
  'test/sendmail.test.ts',
  'test/signing-keys.test.ts',
  'test/scram.test.ts',
  'test/crash/lists.test.ts',
  'test/programs-files-shared.test.ts',
  'test/options-model.test.ts',
  'test/no-false-bounce.test.ts',
  'test/interop/peers.test.ts',
  'test/migrations/interrupted.test.ts',
  'test/faults/io-error.test.ts',
  'test/hostile/fuzz.test.ts',
  'test/hostile/resources.test.ts',
  'test/outgoing-tls.test.ts',
  'test/faults/rewrite-full.test.ts',
  'test/space.test.ts',
  'test/secrets.test.ts',
];

/** Files of one folder below src/ that share a process, at most. */
const FILES_MAX = 16;
/** These judge the process that they are in. */
const APART = new Set([
  'src/protocols/ldap/search.test.ts',
  'src/server/load-sources.test.ts',
  'src/server/zone-transfers.test.ts',
  'src/transfer/long-list.test.ts',
  // Sharing a process saves these nothing, and one that ended early was not told apart.
  ...globSync('src/zones/*.test.ts', { cwd: root }),
]);

const found = ['test', 'src'].flatMap((folder) => globSync(`${folder}/**/*.test.ts`, { cwd: root }).sort());
const absent = [...LONGEST, ...APART].filter((name) => !found.includes(name));
if (absent.length > 0) throw new Error(`not there any more: ${absent.join(', ')}`);
const alone = found.filter((name) => !isShared(name) && !LONGEST.includes(name));
// The groups first: what is left at the end is short.
const files = [...LONGEST.map((name) => join(root, name)), ...shared(), ...alone.map((name) => join(root, name))];

function isShared(name: string): boolean {
  return name.startsWith('src/') && !APART.has(name);
}

/** Files that import those of a folder. */
function shared(): string[] {
  const at = join(root, '.cache/tests/units');
  rmSync(at, { recursive: true, force: true });
  mkdirSync(at, { recursive: true });
  const names = found.filter(isShared);
  return [...Map.groupBy(names, (name) => name.split('/')[1]!)].flatMap(([folder, all]) => {
    const parts = Math.ceil(all.length / FILES_MAX);
    return Array.from({ length: parts }, (_, part) => {
      const suites = all
        .filter((_, nth) => nth % parts === part)
        .map((name) => {
          const file = JSON.stringify(join(root, name));
          return `describe(${JSON.stringify(name)}, { timeout: ${SUITE_MS} }, async () => {\n  await import(${file});\n});\n`;
        });
      const file = join(at, `${folder}-${part + 1}.test.ts`);
      writeFileSync(file, `import { describe } from 'node:test';\n${suites.join('')}`);
      return file;
    });
  });
}

/** Servers of tests are those of the package; other commands are run from the sources. */
const packed = join(root, '.cache/tests/packed');
execFileSync(join(root, 'pack'), ['--program', packed], { stdio: 'inherit' });
process.env['PACKED_PROGRAM'] = packed;

const written = join(root, '.cache/tests/processor-seconds');
rmSync(written, { force: true });
process.env['PROCESSOR_SECONDS'] = written;
process.on('exit', () => {
  if (!existsSync(written)) return;
  const lines = readFileSync(written, 'utf8').trim().split('\n');
  lines.sort((one, other) => Number.parseFloat(other) - Number.parseFloat(one));
  writeFileSync(written, `${lines.join('\n')}\n`);
  const seconds = lines.reduce((sum, line) => sum + Number.parseFloat(line), 0);
  console.error(`${Math.round(seconds)} processor seconds; of each file: ${relative(root, written)}`);
});

/** A process of tests that runs has a file here that names its last test; at the end there is none. */
const last = join(root, '.cache/tests/last');
rmSync(last, { recursive: true, force: true });
mkdirSync(last, { recursive: true });
process.env['LAST_TESTS'] = last;
const ended = new Set<string>();
process.on('exit', () => {
  const early = readdirSync(last).map((pid) => `ended early: ${readFileSync(join(last, pid), 'utf8')}`);
  const missing = files.filter((file) => !ended.has(file)).map((file) => `did not end: ${relative(root, file)}`);
  for (const line of [...early, ...missing]) console.error(line);
  if (early.length + missing.length > 0) process.exitCode = 1;
});

run({
  files,
  cwd: root,
  concurrency: AT_ONCE,
  timeout: TIMEOUT_MS,
  forceExit: true,
  execArgv: ['processor-time', 'last-test'].flatMap((name) => ['--import', join(root, `test/support/${name}.ts`)]),
})
  .on('test:complete', ({ name, nesting }) => {
    if (nesting === 0) ended.add(resolve(root, name));
  })
  .on('test:fail', () => {
    process.exitCode = 1;
  })
  .compose(new spec())
  .pipe(process.stdout);
