// Whether an alias stands beside something else: what would be generated at its name if it were not there.

import { TENANT } from '../base/tenant.ts';
import type { Transaction } from '../database/operation.ts';
import type { CompiledDomain, ZoneRow } from './compile.ts';
import type { NameSource, ZoneName } from './name-source.ts';
import { nameOfPath, pathOf, pathsAbove } from './path.ts';
import { domainOwnerRecords } from './records.ts';
import { type ZoneKeyRow, type ZoneSite, zoneSettingsIn } from './settings.ts';

/** The types that stand beside the alias of this row, undefined where it has none, or stands alone. RFC 1034 §3.6.2 */
export async function besideAliasIn(
  tx: Transaction,
  { name, row }: CompiledDomain,
  site: ZoneSite,
): Promise<readonly string[] | undefined> {
  const types: readonly string[] = row.site?.map(([type]) => type) ?? [];
  if (!types.includes('CNAME')) return undefined;
  const others = [...types.filter((type) => type !== 'CNAME'), ...types.filter((type) => type === 'CNAME').slice(1)];
  if (row.domain !== undefined) others.push('SOA');
  const { site: _site, ...bare } = row;
  const names = await namesAboveIn(tx, name, bare);
  const generated = domainOwnerRecords(name, { names, settings: await zoneSettingsIn(tx, site) });
  others.push(...generated.map(({ type }) => type));
  return others.length === 0 ? undefined : [...new Set(others)];
}

/** The name with this row, and those above it as they stand. */
async function namesAboveIn(tx: Transaction, name: string, row: ZoneRow): Promise<NameSource> {
  const above = pathsAbove(pathOf(name));
  const list = above.map(() => '?').join(', ');
  const found = await tx.arrays(
    `SELECT path, row FROM zone_name WHERE tenant = ? AND row IS NOT NULL AND path IN (${list})`,
    TENANT,
    ...above,
  );
  const keys = await tx.arrays(
    `SELECT path, row FROM zone_key WHERE tenant = ? AND path IN (${list})`,
    TENANT,
    ...above,
  );
  const rows = new Map(
    found.map(([path, text]) => [nameOfPath(path as string), JSON.parse(text as string) as ZoneRow]),
  );
  return {
    find: (each): ZoneName => ({
      name: each,
      row: each === name ? row : rows.get(each),
      ...{ hasBelow: each !== name, changedAt: 0, changedBelowAt: 0 },
    }),
    list: () => [],
    keys: (domain) =>
      keys.filter(([path]) => path === pathOf(domain)).map(([, text]) => JSON.parse(text as string) as ZoneKeyRow),
  };
}
