// Says in a file a thread how many statements it has executed; loaded into every thread of a server by NODE_OPTIONS.
//
// In      STATEMENTS: how the files' names begin; process and thread are behind it
// Out     a number, written again every WRITE_MS

import { renameSync, writeFileSync } from 'node:fs';
import { threadName } from 'node:worker_threads';
import { countStatements } from '../../src/database/testing.ts';

const WRITE_MS = 100;
const path = process.env['STATEMENTS'];
if (path !== undefined) {
  const executed = countStatements();
  const file = `${path}.${process.pid}.${threadName || 'main'}`;
  setInterval(() => {
    writeFileSync(`${file}.new`, String(executed()));
    renameSync(`${file}.new`, file);
  }, WRITE_MS).unref();
}
