// The task that keeps the indexes of accounts that search (store/search-index/), made of the upkeep thread's parts.

import { systemClock } from '../base/clock.ts';
import type { UpkeepTask } from '../base/upkeep.ts';
import { entryByUuid } from '../directory/entries.ts';
import { entryOfAccount } from '../store/accounts.ts';
import { IndexUpkeep } from '../store/search-index/index-upkeep.ts';
import { searchIndexPath } from './paths.ts';
import type { UpkeepParts } from './upkeep-tasks.ts';

export function indexTask({ configuration, database, writer, log, counters, blobs }: UpkeepParts): UpkeepTask {
  const { reader } = database;
  return new IndexUpkeep({
    ...{ reader, writer, blobs, log, clock: systemClock },
    directory: searchIndexPath(configuration.data),
    isOwned(account) {
      const uuid = entryOfAccount(reader, account);
      return uuid !== undefined && entryByUuid(reader, uuid) !== undefined;
    },
    count: (what, count) => counters.add('index', what, count),
  });
}
