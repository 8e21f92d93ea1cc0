// Indexes until it kills itself, in the middle of what it was doing: arguments are a directory and how many statements it has.

import { StatementSync } from 'node:sqlite';
import { systemClock } from '../../src/base/clock.ts';
import { idOf } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { openTestDatabase } from '../../src/database/testing.ts';
import { Blobs } from '../../src/store/blobs.ts';
import { IndexUpkeep } from '../../src/store/search-index/index-upkeep.ts';
import { storeUnit } from '../../src/store/tables.ts';

const [directory = '', count = ''] = process.argv.slice(2);
const { reader, writer } = openTestDatabase([storeUnit], directory);
let left = Number(count);
const all = StatementSync.prototype.all;
StatementSync.prototype.all = function (this: StatementSync, ...parameters: unknown[]) {
  if (/\btext\b|indexed_message|index_mark|COMMIT/.test(this.sourceSQL) && --left <= 0)
    process.kill(process.pid, 'SIGKILL');
  return all.apply(this, parameters as never);
} as typeof all;
const upkeep = new IndexUpkeep({
  ...{ reader, writer, log: silentLog, clock: systemClock, directory: `${directory}/index` },
  blobs: new Blobs(directory, reader),
  isOwned: (account) => account !== idOf(0),
  count: () => {},
});
for (let slice = 0; slice < 100; slice++) await upkeep.run();
