// What a change of a row means for the names above it: how many rows lie below each, and the serial of the zone it is in.
//
// A zone ends where another one of ours begins: a change is noted at the nearest apex above it alone, so the zone of a domain
// that keeps its own below another does not raise the serial of the one above. A row that begins or ends an apex, or that
// moves a delegation, is noted above too, since it is a delegation there.

import type { Revision } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import type { Transaction } from '../database/operation.ts';
import type { ZoneRow } from './compile.ts';
import { pathOf, pathsAbove } from './path.ts';

export interface BelowChange {
  /** Rows more below the names above: 1, 0 or -1. */
  readonly more: number;
  readonly revision: Revision;
  /** The row before and after. Both absent: something else in the name's zone has moved, not its row. */
  readonly before?: ZoneRow | undefined;
  readonly after?: ZoneRow | undefined;
}

export async function noteBelow(
  tx: Transaction,
  path: string,
  { more, revision, before, after }: BelowChange,
): Promise<void> {
  const above = pathsAbove(path);
  if (above.length === 0) return;
  const apex = await nearestApex(tx, above);
  const isOutside = apex === undefined;
  const isOwnZone = isApexRow(before, isOutside) && isApexRow(after, isOutside);
  const isNoted = apex !== undefined && !(isOwnZone && delegation(before) === delegation(after));
  if (more !== 0)
    for (const each of above)
      await tx.run(
        `INSERT INTO zone_name (tenant, path, row, below, changed, changed_below) VALUES (?, ?, NULL, ?, 0, 0)
         ON CONFLICT (tenant, path) DO UPDATE SET below = below + excluded.below`,
        TENANT,
        each,
        more,
      );
  if (isNoted)
    await tx.run('UPDATE zone_name SET changed_below = ? WHERE tenant = ? AND path = ?', revision, TENANT, apex);
}

/** The path of the nearest apex among these, by the rows alone: the topmost domain, and what is marked. */
async function nearestApex(tx: Transaction, above: readonly string[]): Promise<string | undefined> {
  const rows = await tx.arrays(
    `SELECT path, row FROM zone_name WHERE tenant = ? AND row IS NOT NULL AND path IN (${above.map(() => '?').join(', ')})
     ORDER BY path`,
    TENANT,
    ...above,
  );
  let apex: string | undefined;
  for (const [path, row] of rows)
    if (isApexRow(JSON.parse(row as string) as ZoneRow, apex === undefined)) apex = path as string;
  return apex;
}

function isApexRow(row: ZoneRow | undefined, isOutside: boolean): boolean {
  return row?.isApex === true || (isOutside && row?.domain !== undefined);
}

function delegation(row: ZoneRow | undefined): string {
  return JSON.stringify(row?.site?.filter(([type]) => type === 'NS') ?? []);
}

/** A domain stands above the name. */
export async function hasDomainAbove(tx: Transaction, name: string): Promise<boolean> {
  const above = pathsAbove(pathOf(name));
  return above.length > 0 && (await nearestApex(tx, above)) !== undefined;
}
