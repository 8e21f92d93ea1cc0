// The history goes with the change log: what that no longer tells cannot be asked for by time or by revision either.

import { TENANT } from '../base/tenant.ts';
import { operation } from '../database/operation.ts';
import { oldestChangeIn } from '../directory/change-log.ts';
import { setHistoryFrom, stateIn } from './generation.ts';

/** Rows a call removes: the writer must not be held. */
const PRUNE_ROWS = 2000;

/** Takes away some rows that are older than the change log. Fewer than 2000: all are removed. */
export const pruneHistory = operation('routing.prune-history', async (tx, _args: null): Promise<number> => {
  const oldest = await oldestChangeIn(tx);
  if (oldest === undefined) return 0;
  const { historyFrom } = await stateIn(tx);
  // Not so from the second call on: rows may be left all the same.
  if (oldest > historyFrom) await setHistoryFrom(tx, oldest);
  return tx.run(
    `DELETE FROM routing_history WHERE (tenant, kind, key, revision) IN
      (SELECT tenant, kind, key, revision FROM routing_history WHERE tenant = ? AND revision < ? LIMIT +?)`,
    TENANT,
    oldest,
    PRUNE_ROWS,
  );
});
