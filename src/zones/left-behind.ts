// Domains that are meant to be somebody else's and stay in a zone of ours, since nothing delegates them out of it.
//
// Out     for `sync status`: found by walking the rows, none is kept of them

import { TENANT } from '../base/tenant.ts';
import type { Reader } from '../database/operation.ts';
import { isSubdomain } from '../wire/dns/name.ts';
import { authorityOf } from './authority.ts';
import { zoneNames } from './names.ts';
import { nameOfPath } from './path.ts';
import { readZoneSettings, type ZoneSite } from './settings.ts';

const PAGE = 2000;
/** Of those that are found. */
const NAMED_MAX = 1000;

export interface LeftBehind {
  readonly domain: string;
  /** Ours, in which it stays. */
  readonly zone: string;
}

/** At most NAMED_MAX of them, a page of names a turn: there may be many that are right. */
export async function leftBehind(reader: Reader, site: ZoneSite): Promise<readonly LeftBehind[]> {
  const found: LeftBehind[] = [];
  const sql = `SELECT path, row FROM zone_name WHERE tenant = ${TENANT} AND path > ? AND row IS NOT NULL ORDER BY path LIMIT +?`;
  for (let after = ''; found.length < NAMED_MAX; ) {
    const rows = reader.snapshot(() => {
      const settings = readZoneSettings(reader, site);
      const names = zoneNames(reader);
      const zones = settings.nameServers.flatMap((server) => (server.role === 'primary' ? server.zones : []));
      const page = reader.arrays(sql, after, PAGE) as [string, string][];
      for (const [path, row] of page) {
        const domain = nameOfPath(path);
        if (!row.includes('"isTheirs"') && !zones.some((zone) => isSubdomain(domain, zone))) continue;
        const { zone, isLeftBehind } = authorityOf(domain, names, settings);
        if (isLeftBehind === true) found.push({ domain, zone: zone! });
      }
      return page;
    });
    if (rows.length < PAGE) break;
    after = rows.at(-1)![0];
    await new Promise((turn) => setImmediate(turn));
  }
  return found.slice(0, NAMED_MAX);
}
