// What a file of tests costs: at its end the processor time of its process, and of all that it has started and waited for, is
// written down. Named with `--import`.
//
// In      PROCESSOR_SECONDS: a file
// Out     a line there: seconds, the file of tests. Nothing where the system does not tell (/proc)

import { appendFileSync, readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { isMainThread } from 'node:worker_threads';

const root = resolve(import.meta.dirname, '../..');
/** Linux counts in hundredths. */
const TICKS_A_SECOND = 100;

const [, file = ''] = process.argv;
const written = process.env['PROCESSOR_SECONDS'];
// What it forks inherits all this.
if (written !== undefined && isMainThread && file.endsWith('.test.ts')) process.on('exit', () => note(written));

function note(written: string): void {
  try {
    // utime, stime, cutime, cstime: proc(5).
    const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]!.split(' ').slice(11, 15);
    const seconds = fields.reduce((sum, field) => sum + Number(field), 0) / TICKS_A_SECOND;
    appendFileSync(written, `${seconds.toFixed(1)} ${relative(root, file)}\n`);
  } catch {
    // Another system.
  }
}
