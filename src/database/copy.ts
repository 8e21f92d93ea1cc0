// A copy of the store as it is now, for work that is thrown away.
//
// In      the path of the store, which may be in use; the path of the copy, where nothing is
// Out     the copy, with all that was committed when it began
// Errors  `full` before it begins where its disk has no space for it twice over
// Blocks its thread for as long as it takes: a gigabyte in some seconds

import { statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Failure } from '../base/failure.ts';
import { BUSY_TIMEOUT_MS } from './connection.ts';

export function copyStore(from: string, to: string): void {
  const { bavail, bsize } = statfsSync(dirname(to));
  if (bavail * bsize < 2 * statSync(from).size)
    throw new Failure('full', 'A dry run works on a copy of the store, and there is no space for one');
  const database = new DatabaseSync(from, { timeout: BUSY_TIMEOUT_MS, readOnly: true });
  try {
    database.prepare('VACUUM INTO ?').run(to);
  } finally {
    database.close();
  }
}
