// The groups that an entry is in, by member and uniqueMember: its own, and those that these are members of.
//
// Limits  NESTING_MAX levels: what is further away does not count. GROUPS_MAX groups: nothing is decided by some of them, the
//         operation is refused

import { TENANT } from '../../base/tenant.ts';
import { normalizedOfPath } from '../dn.ts';
import { directoryFailure } from '../failure.ts';
import type { Look } from './look.ts';

export const NESTING_MAX = 5;
const GROUPS_MAX = 100_000;

const NAMING = `SELECT path FROM dit WHERE id IN (
  SELECT entry FROM dit_value WHERE tenant = ?1 AND attribute IN ('member', 'uniquemember') AND target IS NULL
    AND key IN (SELECT value FROM json_each(?2))
  UNION SELECT entry FROM dit_value WHERE tenant = ?1 AND target IN (SELECT value FROM json_each(?2))
    AND attribute IN ('member', 'uniquemember')) LIMIT +?3`;

/** Normalized DNs; of a normalized DN. Throws `adminLimitExceeded`. */
export function* groupsOf(dn: string): Look<ReadonlySet<string>> {
  const found = new Set<string>();
  let level = [dn];
  for (let depth = 0; depth < NESTING_MAX && level.length > 0; depth++) {
    const rows = yield [NAMING, TENANT, JSON.stringify(level), GROUPS_MAX + 1];
    level = rows.map(([path]) => normalizedOfPath(path as string)).filter((group) => !found.has(group));
    for (const group of level) found.add(group);
    if (rows.length > GROUPS_MAX || found.size > GROUPS_MAX)
      throw directoryFailure(
        'adminLimitExceeded',
        `In more than ${GROUPS_MAX} groups: which rules apply cannot be said`,
      );
  }
  return found;
}
