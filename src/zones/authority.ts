// Who answers for a name: our zones, a primary that takes our updates, or somebody whom we only advise. Derived from the
// entries and settings alone, never from the Internet.
//
// In      a name, the rows at it and above it, the name servers
// Out     its standing: the authority, and the zone in which the name lies
// States  walked from the top. Outside a zone of ours a domain is theirs where it or one above says so, updatable where a
//         primary has its zone, else the apex of a zone of ours. Within one, a name leaves it only where name servers of
//         others stand at it (a delegation), and begins another one of ours where it was an apex before

import { TENANT } from '../base/tenant.ts';
import type { Transaction } from '../database/operation.ts';
import { isSubdomain, parentName, ROOT } from '../wire/dns/name.ts';
import type { CompiledDomain, ZoneRow } from './compile.ts';
import type { NameSource } from './name-source.ts';
import { nameOfPath, pathOf, pathsAbove } from './path.ts';
import { type NameServerRow, type ZoneSettings, type ZoneSite, zoneSettingsIn } from './settings.ts';

export type Authority = 'ours' | 'updatable' | 'theirs';

export interface ZoneStanding {
  readonly authority: Authority;
  /** Its apex where the zone is ours, the primary's zone where it is updatable. */
  readonly zone: string | undefined;
  /** The primary's name. */
  readonly server?: string;
  /** It is meant to be theirs or a primary's, but nothing delegates it out of our zone above: it stays. */
  readonly isLeftBehind?: true;
}

/** The name and those above it, the topmost first. */
export function namesFromTop(name: string): string[] {
  const names: string[] = [];
  for (let at: string | undefined = name; at !== undefined && at !== ROOT; at = parentName(at)) names.push(at);
  return names.reverse();
}

const THEIRS: ZoneStanding = { authority: 'theirs', zone: undefined };

export function authorityOf(name: string, names: Pick<NameSource, 'find'>, settings: ZoneSettings): ZoneStanding {
  const walk = new AuthorityWalk(settings);
  for (const each of namesFromTop(name)) {
    const found = names.find(each);
    if (found === undefined) break;
    if (found.row !== undefined) walk.pass(each, found.row);
    if (!found.hasBelow) break;
  }
  return walk.standing(name);
}

/**
 * The same in a transaction: one statement for all labels, one for the settings. A domain with its row: as if that stood in
 * the table.
 */
export async function authorityIn(tx: Transaction, of: string | CompiledDomain, site: ZoneSite): Promise<ZoneStanding> {
  const name = typeof of === 'string' ? of : of.name;
  const path = pathOf(name);
  const paths = [path, ...pathsAbove(path)];
  const rows = await tx.arrays(
    `SELECT path, row FROM zone_name WHERE tenant = ? AND row IS NOT NULL AND path IN (${paths.map(() => '?').join(', ')})
     ORDER BY path`,
    TENANT,
    ...paths,
  );
  const walk = new AuthorityWalk(await zoneSettingsIn(tx, site));
  for (const [at, row] of rows)
    if (typeof of === 'string' || at !== path)
      walk.pass(nameOfPath(at as string), JSON.parse(row as string) as ZoneRow);
  if (typeof of !== 'string') walk.pass(name, of.row);
  return walk.standing(name);
}

/** The rows at and above a name, passed from the top. */
export class AuthorityWalk {
  readonly #settings: ZoneSettings;
  /** The apex of the zone of ours that the walk is in. */
  apex: string | undefined;
  /** Below a delegation to others. */
  #isDelegated = false;
  /** Where the walk has left a zone of ours, and which. */
  cut: { readonly name: string; readonly apex: string } | undefined;
  #isTheirs = false;
  #isLeftBehind = false;
  #hasDomain = false;

  constructor(settings: ZoneSettings) {
    this.#settings = settings;
  }

  pass(name: string, row: ZoneRow): void {
    if (row.isTheirs === true) this.#isTheirs = true;
    if (row.domain !== undefined) this.#hasDomain = true;
    if (this.apex === undefined) {
      if (this.#isDelegated) {
        if (row.isApex === true && this.#wanted(name).authority === 'ours') this.#begin(name);
      } else if (row.domain !== undefined && this.#wanted(name).authority === 'ours') this.#begin(name);
      return;
    }
    if (isCut(row)) {
      if (row.isApex === true && this.#wanted(name).authority === 'ours') this.#begin(name);
      else this.#leave(name);
      return;
    }
    if (row.isApex === true) this.#begin(name);
    if (row.domain !== undefined || row.isTheirs === true) this.#isLeftBehind = this.#wanted(name).authority !== 'ours';
  }

  #begin(name: string): void {
    this.apex = name;
    this.cut = undefined;
    this.#isDelegated = false;
    this.#isLeftBehind = false;
  }

  #leave(name: string): void {
    this.cut = { name, apex: this.apex! };
    this.apex = undefined;
    this.#isDelegated = true;
    this.#isLeftBehind = false;
  }

  /** What it would be outside any zone of ours. */
  #wanted(name: string): ZoneStanding {
    if (this.#settings.mode === 'none' || this.#isTheirs) return THEIRS;
    const primary = primaryOf(name, this.#settings);
    return primary === undefined
      ? { authority: 'ours', zone: undefined }
      : { authority: 'updatable', zone: primary.zone, server: primary.server.key };
  }

  standing(name: string): ZoneStanding {
    if (this.apex !== undefined)
      return { authority: 'ours', zone: this.apex, ...(this.#isLeftBehind ? { isLeftBehind: true } : {}) };
    const wanted = this.#wanted(name);
    if (wanted.authority !== 'ours') return wanted;
    // Below a delegation without a primary: whoever has it. A name that no entry is above: it would be a zone of ours.
    return this.#isDelegated ? THEIRS : { authority: 'ours', zone: this.#hasDomain ? undefined : name };
  }
}

/** Name servers of others stand at it. */
function isCut(row: ZoneRow): boolean {
  return row.site?.some(([type]) => type === 'NS') === true;
}

/** The primary whose zone is nearest above the name, or at it. */
function primaryOf(
  name: string,
  { nameServers }: ZoneSettings,
): { readonly server: NameServerRow; readonly zone: string } | undefined {
  let best: { readonly server: NameServerRow; readonly zone: string } | undefined;
  for (const server of nameServers) {
    if (server.role !== 'primary') continue;
    for (const zone of server.zones)
      if (isSubdomain(name, zone) && (best === undefined || zone.length > best.zone.length)) best = { server, zone };
  }
  return best;
}
