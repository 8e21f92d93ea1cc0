// Domains whose records stand at name servers of others, and are looked at there.
//
// In      a publication, or the change of a domain that is somebody else's; the time
// Out     a row a domain: since when it is watched, in which second of the period it is looked at for good, what was found
// States  begun (looked at often, until all was seen or WATCH_OFTEN_MS are over) -> once each WATCH_PERIOD_MS. Begun again by each
//         publication; ended when the domain is gone, or in a zone of ours
// A row is written when something has changed, never for a look alone: when the next one is due follows from the row.

import { TENANT } from '../base/tenant.ts';
import type { Transaction } from '../database/operation.ts';

const WATCH_PERIOD_MS = 6 * 3_600_000;

export interface BeginWatch {
  /** Of the domain. */
  readonly path: string;
  readonly now: number;
  /** Sets that the publication has left out; undefined: as many as before. */
  readonly conflicts?: number;
}

/** In the transaction of what makes the domain's records others than they were, where others serve them. */
export async function beginWatch(tx: Transaction, { path, now, conflicts }: BeginWatch): Promise<void> {
  const [before] = await tx.arrays(
    'SELECT conflicts, found FROM dns_watch WHERE tenant = ? AND path = ?',
    TENANT,
    path,
  );
  await tx.run(
    'INSERT OR REPLACE INTO dns_watch (tenant, path, begun, slot, conflicts, found) VALUES (?, ?, ?, ?, ?, ?)',
    TENANT,
    path,
    now,
    slotOf(path),
    conflicts ?? before?.[0] ?? 0,
    before?.[1] ?? null,
  );
}

/** The domain is gone, or others serve it no more: what was seen there says nothing of a later one of the name. */
export async function endWatch(tx: Transaction, path: string): Promise<void> {
  await tx.run('DELETE FROM dns_watch WHERE tenant = ? AND path = ?', TENANT, path);
  await tx.run('DELETE FROM key_observed WHERE tenant = ? AND path = ?', TENANT, path);
}

/** The second of the period in which a domain is looked at: spread evenly, the same at each start. FNV-1a */
function slotOf(path: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < path.length; at++) hash = Math.imul(hash ^ path.charCodeAt(at), 0x01000193);
  return (hash >>> 0) % (WATCH_PERIOD_MS / 1000);
}
