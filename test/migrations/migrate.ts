// Migrates a data directory and ends: a process of its own, for the tests that kill it or take its disk away.
//
//     migrate.ts DATA
//
// Out     exit codes as those of `serve`

import { EXIT, exitCode } from '../../src/base/exit.ts';
import { asFailure } from '../../src/base/failure.ts';
import { silentLog } from '../../src/base/log.ts';
import { FatalStoreError } from '../../src/database/batch.ts';
import { bringToFormat } from '../../src/server/upgrade.ts';

try {
  bringToFormat(process.argv[2]!, { log: silentLog, synchronous: 'FULL' });
} catch (error) {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = error instanceof FatalStoreError ? EXIT.ioError : exitCode(asFailure(error).kind);
}
