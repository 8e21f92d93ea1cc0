// Whose domain an entry is of: that of the nearest entry, itself or above it, which is a domain or a domain's base.
//
// In      a DN; whoever walks remembers what it finds (`Domains`)
// Out     the domain entries there, more than one where domains share a base; none for what is in no domain
// A domain is a boundary where its entry stands and where its people are: neither is of the domain above.

import { asciiLower } from '../../base/characters.ts';
import { TENANT } from '../../base/tenant.ts';
import { decodeEntry, ENTRY_COLUMNS } from '../entries.ts';
import { type Entry, textValues } from '../entry.ts';
import { cutIndexValue } from '../indexes.ts';
import { DOMAIN_CLASSES, hasDomainClass } from '../mail-domain.ts';
import { prepareFor } from '../matching.ts';
import type { Look } from './look.ts';

export const ADMINISTRATOR_KEY = 'waypostadministrator';

export interface OwnDomain {
  /** Normalized DN of the domain's entry. */
  readonly dn: string;
  /** Normalized DNs of persons and groups. */
  readonly administrators: readonly string[];
}

/** By normalized DN: what was found there, or that there is none. */
export type Domains = Map<string, readonly OwnDomain[]>;

const KEPT_MAX = 20_000;
const DOMAINS_MAX = 1000;

const AT = `SELECT ${ENTRY_COLUMNS} FROM dit WHERE tenant = ?1 AND path = ?2
  UNION ALL SELECT ${ENTRY_COLUMNS} FROM dit WHERE id IN (
    SELECT entry FROM dit_index WHERE tenant = ?1 AND attribute = 'inetdomainbasedn' AND value = ?3) LIMIT +?4`;

/** Of a normalized DN. */
export function* ownDomainsOf(dn: string, known: Domains): Look<readonly OwnDomain[]> {
  const walked: string[] = [];
  let found: readonly OwnDomain[] = [];
  for (let at: string | undefined = dn; at !== undefined; at = aboveOf(at)) {
    const kept = known.get(at);
    if (kept !== undefined) {
      found = kept;
      break;
    }
    walked.push(at);
    const rows = yield [AT, TENANT, treePathOf(at), cutIndexValue(at), DOMAINS_MAX];
    found = domainsAmong(rows.map(decodeEntry), at);
    if (found.length > 0) break;
  }
  if (known.size > KEPT_MAX) known.clear();
  for (const each of walked) known.set(each, found);
  return found;
}

function domainsAmong(entries: readonly Entry[], dn: string): readonly OwnDomain[] {
  const own = new Map<string, OwnDomain>();
  for (const entry of entries)
    if (isDomain(entry) && (entry.normalizedDn === dn || baseOf(entry) === dn))
      own.set(entry.normalizedDn, ownDomain(entry));
  return [...own.values()];
}

/** In a normalized DN each comma is a border. */
export function aboveOf(dn: string): string | undefined {
  const comma = dn.indexOf(',');
  return comma < 0 ? undefined : dn.slice(comma + 1);
}

export function treePathOf(dn: string): string {
  return `${dn.split(',').reverse().join(',')},`;
}

/** A domain is one whatever its status; an alias of a domain, too. */
export function isDomain(entry: Entry): boolean {
  return hasDomainClass(entry);
}

/** In lower case. */
export function isDomainClass(name: string): boolean {
  return CLASSES.has(name);
}

const CLASSES: ReadonlySet<string> = new Set(DOMAIN_CLASSES.map(asciiLower));

function baseOf(entry: Entry): string | undefined {
  const [base] = textValues(entry, 'inetdomainbasedn');
  return base === undefined ? undefined : prepareFor('distinguishedNameMatch', base);
}

function ownDomain(entry: Entry): OwnDomain {
  return {
    dn: entry.normalizedDn,
    administrators: textValues(entry, ADMINISTRATOR_KEY).flatMap(
      (dn) => prepareFor('distinguishedNameMatch', dn) ?? [],
    ),
  };
}

/** Whether these are, in part, the same domains. */
export function shareDomain(some: readonly OwnDomain[], others: readonly OwnDomain[]): boolean {
  return some.some(({ dn }) => others.some((other) => other.dn === dn));
}
