// A process of tests that ends before they are over has failed, whatever its exit code, and names the test that it ended in: to
// Node an exit(0) on the way is a file that has passed, with fewer tests. Named with `--import`.
//
// In      LAST_TESTS: a folder
// Out     exit code 70 and a line on standard error; there a file whose text is the test, also of one that was killed. None of one
//         that came to its end

import { closeSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { after, beforeEach } from 'node:test';
import { isMainThread } from 'node:worker_threads';

const EARLY = 70;
const root = resolve(import.meta.dirname, '../..');
const [, file = ''] = process.argv;
// What it forks inherits this.
if (isMainThread && file.endsWith('.test.ts')) follow(relative(root, file), process.env['LAST_TESTS']);

function follow(name: string, folder: string | undefined): void {
  let last = `${name}, before its first test`;
  let isOver = false;
  const path = folder === undefined ? undefined : join(folder, String(process.pid));
  const written = path === undefined ? undefined : openSync(path, 'w');
  const note = (text: string): void => {
    last = text;
    if (written === undefined) return;
    ftruncateSync(written);
    writeSync(written, last, 0);
  };
  note(last);
  beforeEach((test) => note(`${name}, ${test.fullName}`));
  after(() => {
    isOver = true;
  });
  process.on('exit', (code) => {
    if (isOver) {
      if (written !== undefined) closeSync(written);
      if (path !== undefined) rmSync(path, { force: true });
      return;
    }
    console.error(`ended early, with exit code ${code}: ${last}`);
    if (code === 0) process.exitCode = EARLY;
  });
}
