// Every test file there is, so many at a time; node's own reporter and summary on standard output.
//
// Order  the longest first, then the other tests of the started program, then those of one unit, which are short and fill up
// Exit   0: all passed, or were skipped for want of a peer; 1: one did not
//
// Twice as many at a time as the machine has cores: many wait, for a disk, a deadline, or an answer that is held back after a
// wrong password. No test judges its time.

import { globSync } from 'node:fs';
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

const found = ['test', 'src'].flatMap((folder) => globSync(`${folder}/**/*.test.ts`, { cwd: root }).sort());
const absent = LONGEST.filter((name) => !found.includes(name));
if (absent.length > 0) throw new Error(`not there any more: ${absent.join(', ')}`);
const files = [...new Set([...LONGEST, ...found])].map((name) => join(root, name));

run({ files, cwd: root, concurrency: AT_ONCE, timeout: TIMEOUT_MS, forceExit: true })
  .on('test:fail', () => {
    process.exitCode = 1;
  })
  .compose(new spec())
  .pipe(process.stdout);
