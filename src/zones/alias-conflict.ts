// Whether an alias stands beside something else: what would be generated at its name if it were not there; and, the other way
// round, whether what a domain, a host or a key begins to generate meets an alias that is there. RFC 1034 §3.6.2

import { TENANT } from '../base/tenant.ts';
import type { Transaction, Value } from '../database/operation.ts';
import type { CompiledDomain, ZoneRow } from './compile.ts';
import type { NameSource, ZoneName } from './name-source.ts';
import { nameOfPath, pathOf, pathsAbove } from './path.ts';
import { domainOwnerRecords, generatedOwners } from './records.ts';
import { type ZoneHostRow, type ZoneKeyRow, type ZoneSite, zoneSettingsIn } from './settings.ts';

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

export interface MetAlias {
  readonly name: string;
  readonly target: string;
}

/** At a name below the domain where its entry wants a record. */
export async function aliasMetByDomainIn(
  tx: Transaction,
  { name, row }: CompiledDomain,
  site: ZoneSite,
): Promise<MetAlias | undefined> {
  const { site: _site, ...bare } = row;
  const names = await namesAboveIn(tx, name, bare);
  const owners = generatedOwners(name, { names, settings: await zoneSettingsIn(tx, site) });
  return aliasAmongIn(
    tx,
    owners.filter((owner) => owner !== name),
  );
}

export function aliasMetByHostIn(tx: Transaction, { key }: ZoneHostRow): Promise<MetAlias | undefined> {
  return aliasAmongIn(tx, [key]);
}

/** Of the site: at any domain, by a walk over all names. */
export async function aliasMetByKeyIn(tx: Transaction, { key, domain }: ZoneKeyRow): Promise<MetAlias | undefined> {
  const owner = `${key}._domainkey`;
  if (domain !== undefined) return aliasAmongIn(tx, [`${owner}.${domain}`]);
  const rows = await tx.arrays(
    `SELECT path, row FROM zone_name WHERE tenant = ? AND path LIKE ? AND row LIKE '%"CNAME"%' LIMIT 100`,
    TENANT,
    `% ${pathOf(owner)}`,
  );
  return rows.flatMap((found) => metIn(found) ?? []).find(({ name }) => name.startsWith(`${owner}.`));
}

async function aliasAmongIn(tx: Transaction, names: readonly string[]): Promise<MetAlias | undefined> {
  if (names.length === 0) return undefined;
  const rows = await tx.arrays(
    `SELECT path, row FROM zone_name WHERE tenant = ? AND row LIKE '%"CNAME"%' AND path IN (${names.map(() => '?').join(', ')})`,
    TENANT,
    ...names.map(pathOf),
  );
  return rows.flatMap((found) => metIn(found) ?? [])[0];
}

function metIn([path, text]: readonly Value[]): MetAlias | undefined {
  const { site } = JSON.parse(text as string) as ZoneRow;
  const target = site?.find(([type]) => type === 'CNAME')?.[1];
  return target === undefined ? undefined : { name: nameOfPath(path as string), target };
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
    `SELECT path, row FROM zone_key WHERE tenant = ? AND path IN (${list === '' ? '?' : `${list}, ?`})`,
    TENANT,
    ...above,
    pathOf(name),
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
