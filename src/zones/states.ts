// Of zones whose directory is another server's: since when what stood here at each serial is known, as it is known there.
//
// In      what that server has told behind the entries of a commit: its changes since the commit before
// Out     zone_change as it is there, so that differences between two serials are the same; from which revision on
// States  exact: all is as it was there at a revision. On the way: a commit that is a part of what is told, whose serials say
//         nothing of what stands there: nobody is given a zone meanwhile. Each commit that follows the one before without a gap is
//         exact again; behind a gap it begins anew
// Order   what has moved here is noted by setRow and its like at this server's revision, for who remembers answers and for who is
//         reading a zone. Where the other server has told the change itself, that one takes its place

import type { Revision } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import type { Reader, Transaction } from '../database/operation.ts';
import { rememberZoneChange } from './changes.ts';
import { pathsAbove } from './path.ts';
import type { ToldChange } from './told.ts';

export interface ZoneStates {
  /** What stood in the zones at this revision, and at any later one that was a serial, is known. */
  readonly since: Revision;
  readonly isOnTheWay: boolean;
}

const STATES = `SELECT changed, row FROM zone_setting WHERE tenant = ${TENANT} AND kind = 'states' AND key = ''`;
const ON_THE_WAY = '{"isOnTheWay":true}';

/** Undefined: the directory is this server's own, and all that zone_change has is known. */
export function zoneStates(reader: Reader): ZoneStates | undefined {
  return statesOf(reader.arrays(STATES));
}

function statesOf([row]: readonly (readonly unknown[])[]): ZoneStates | undefined {
  return row && { since: row[0] as Revision, isOnTheWay: row[1] === ON_THE_WAY };
}

async function noteStates(tx: Transaction, { since, isOnTheWay }: ZoneStates): Promise<void> {
  await tx.run(
    `INSERT OR REPLACE INTO zone_setting (tenant, kind, key, row, changed) VALUES (?, 'states', '', ?, ?)`,
    TENANT,
    isOnTheWay ? ON_THE_WAY : '{}',
    since,
  );
}

/** A commit without a revision of the other server has changed something, perhaps. */
export async function leaveZoneState(tx: Transaction): Promise<void> {
  const states = statesOf(await tx.arrays(STATES));
  if (states?.isOnTheWay !== true) await noteStates(tx, { since: states?.since ?? tx.revision, isOnTheWay: true });
}

export interface StateReached {
  /** The other server's: that of this commit, and that of the one before; undefined: none is known. */
  readonly reached: Revision;
  readonly before: Revision | undefined;
  /** This server's, when the transaction began. */
  readonly began: Revision;
  /** All that has changed in between; undefined: it was not told. */
  readonly changes: readonly ToldChange[] | undefined;
  /** Nothing newer was told. */
  readonly isExact: boolean;
}

/** Behind all else of the commit. */
export async function reachZoneState(tx: Transaction, at: StateReached): Promise<void> {
  const { began, changes, isExact } = at;
  const states = statesOf(await tx.arrays(STATES));
  const isOnTheWay = !isExact;
  const before = followed(states, at);
  if (before === undefined || changes === undefined || tx.revision !== at.reached) {
    await noteStates(tx, { since: tx.revision, isOnTheWay });
    return;
  }
  if (changes.length > 0 || began !== before) await takeChanges(tx, changes, { began, before });
  if (states?.isOnTheWay !== isOnTheWay) await noteStates(tx, { since: states?.since ?? before, isOnTheWay });
}

/** The revision of the commit before, where nothing but parts of this one lies in between. */
function followed(states: ZoneStates | undefined, { before, began }: StateReached): Revision | undefined {
  if (before === undefined || states === undefined || states.since > before) return undefined;
  return began === before || states.isOnTheWay ? before : undefined;
}

interface Between {
  readonly began: Revision;
  readonly before: Revision;
}

/**
 * What was noted here meanwhile is of no state there: a row that begins again as `taken` says that something has moved, and
 * nothing of what stood there. Where a change that was told says the same to who remembers answers, it goes.
 */
async function takeChanges(tx: Transaction, changes: readonly ToldChange[], { began, before }: Between): Promise<void> {
  if (began === before) await removeCovered(tx, changes, before);
  await tx.run(
    `UPDATE OR REPLACE zone_change SET kind = 'taken', before = NULL, entry = NULL, is_member = 0
     WHERE tenant = ? AND revision > ?`,
    TENANT,
    before,
  );
  for (const change of changes) await rememberZoneChange(tx, change);
}

async function removeCovered(tx: Transaction, changes: readonly ToldChange[], before: Revision): Promise<void> {
  const covered = new Set(changes.flatMap(({ path }) => [path, ...pathsAbove(path)]));
  const rows = await tx.arrays(
    'SELECT revision, path, kind, key FROM zone_change WHERE tenant = ? AND revision > ?',
    TENANT,
    before,
  );
  for (const [revision, path, kind, key] of rows)
    if (covered.has(path as string))
      await tx.run(
        'DELETE FROM zone_change WHERE tenant = ? AND revision = ? AND path = ? AND kind = ? AND key = ?',
        ...[TENANT, revision!, path!, kind!, key!],
      );
}
