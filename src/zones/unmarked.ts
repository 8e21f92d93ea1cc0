// The topmost domains without a mark of an apex (see ../provisioning/apexes.ts), found by jumps from one to the next.
//
// In      a range of names
// Out     names of domains that nothing has marked, and that others' name servers do not have
// Limits  at most `limit` names; one statement, however many domains there are

import { TENANT } from '../base/tenant.ts';
import type { Transaction } from '../database/operation.ts';
import { nameOfPath, pathOf, subtreeOf } from './path.ts';
import { zoneSettingsIn } from './settings.ts';

/** Keys of a range: what lies between `after` and `to`. */
export interface PathRange {
  readonly after: string;
  readonly to: string;
}

/** All that lies below a name. */
export function rangeBelow(name: string): PathRange {
  const path = pathOf(name);
  return { after: path, to: subtreeOf(path).to };
}

/** Behind a name of the range and all below it. */
export function rangeBehind(name: string, { to }: PathRange): PathRange {
  return { after: subtreeOf(pathOf(name)).to, to };
}

const NEXT_DOMAIN = `SELECT path FROM zone_name
  WHERE tenant = ?1 AND path < ?3 AND (row ->> '$.domain' IS NOT NULL OR row ->> '$.isTheirs' IS NOT NULL) AND path >`;
/** CROSS: `top` comes first, or each name of the table is looked at. From one topmost domain, or name that is theirs, to the next, past all that lies below it: see subtreeOf. */
const UNMARKED = `WITH RECURSIVE top (path) AS (
    SELECT (${NEXT_DOMAIN} ?2 ORDER BY path LIMIT 1)
    UNION ALL
    SELECT (${NEXT_DOMAIN} substr(top.path, 1, length(top.path) - 1) || '!' ORDER BY path LIMIT 1)
    FROM top WHERE top.path IS NOT NULL)
  SELECT top.path FROM top CROSS JOIN zone_name WHERE zone_name.tenant = ?1 AND zone_name.path = top.path
  AND zone_name.row ->> '$.isApex' IS NULL AND zone_name.row ->> '$.isTheirs' IS NULL AND NOT EXISTS
    (SELECT 1 FROM json_each(?5) WHERE top.path > value ->> '$.from' AND top.path < value ->> '$.to')
  LIMIT +?4`;

/**
 * The topmost domains of a range that carry no mark and lie in no zone of a primary, at most `limit`; one statement, however
 * many there are.
 */
export async function unmarkedApexes(
  tx: Transaction,
  { after, to }: PathRange,
  limit: number,
): Promise<readonly string[]> {
  const { nameServers } = await zoneSettingsIn(tx, { hostname: '', mode: 'embedded' });
  const zones = nameServers.filter(({ role }) => role === 'primary').flatMap((server) => server.zones);
  const subtrees = zones.map((zone) => subtreeOf(pathOf(zone)));
  const rows = await tx.arrays(UNMARKED, TENANT, after, to, limit, JSON.stringify(subtrees));
  return rows.map(([path]) => nameOfPath(path as string));
}
