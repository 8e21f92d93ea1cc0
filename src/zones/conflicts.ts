// Sets of a domain that stand at its primary as somebody else has written them: its updates leave them out.
//
// In      what the last update has left out
// Out     rows of `dns_conflict`; those of a domain

import { TENANT } from '../base/tenant.ts';
import type { Reader, Transaction } from '../database/operation.ts';

export interface ZoneConflict {
  readonly name: string;
  readonly type: string;
  /** Data as in a zone file. */
  readonly wanted: readonly string[];
  readonly found: readonly string[];
}

/** These, and no others. */
export async function noteConflicts(tx: Transaction, path: string, conflicts: readonly ZoneConflict[]): Promise<void> {
  await tx.run('DELETE FROM dns_conflict WHERE tenant = ? AND path = ?', TENANT, path);
  for (const { name, type, wanted, found } of conflicts)
    await tx.run(
      'INSERT OR REPLACE INTO dns_conflict (tenant, path, name, type, wanted, found) VALUES (?, ?, ?, ?, ?, ?)',
      ...[TENANT, path, name, type, JSON.stringify(wanted), JSON.stringify(found)],
    );
}

export function conflictsOf(reader: Reader, path: string): readonly ZoneConflict[] {
  const sql = `SELECT name, type, wanted, found FROM dns_conflict WHERE tenant = ${TENANT} AND path = ?`;
  return (reader.arrays(sql, path) as string[][]).map(([name, type, wanted, found]) => ({
    name: name!,
    type: type!,
    wanted: JSON.parse(wanted!) as string[],
    found: JSON.parse(found!) as string[],
  }));
}
