// Further names of a domain without nodes of their own: values of `associatedDomain` in its entry.
//
// In      domain entries, and the directory that they stand in
// Out     the row of each name: that of its own entry, which wins, or an alias of the domain that names it
// A name stands in one domain entry only: constraintViolation. Where a directory from before that rule has it in two, the
// older entry counts.

import type { Reader, Transaction } from '../database/operation.ts';
import { dcDnOfDomain } from '../directory/dn.ts';
import { entriesWith, entriesWithIn, findEntry, findEntryIn } from '../directory/entries.ts';
import type { Entry } from '../directory/entry.ts';
import { directoryFailure } from '../directory/failure.ts';
import { bareDomainOf, mailDomainOf } from '../directory/mail-domain.ts';
import { associatedDomainsOf, compileDomain } from './compile.ts';
import type { RouteRow } from './rows.ts';

/** Entries that are no mail domains may have it, too. */
const HOLDERS_MAX = 1000;

/** The domains whose rows may be others after a change of an entry. */
export function domainsMovedBy(before: Entry | undefined, after: Entry | undefined): ReadonlySet<string> {
  const [was, is] = [namesOf(before), namesOf(after)];
  if (was.own === undefined && is.own === undefined) return was.all;
  if (was.own !== is.own) return was.all.union(is.all);
  const moved = was.all.symmetricDifference(is.all);
  return is.own === undefined ? moved : moved.add(is.own);
}

/** The domains whose rows an entry makes. */
export function domainsOf(entry: Entry): ReadonlySet<string> {
  return namesOf(entry).all;
}

function namesOf(entry: Entry | undefined): { readonly own: string | undefined; readonly all: Set<string> } {
  if (entry === undefined) return { own: undefined, all: new Set() };
  const own = mailDomainOf(entry) ?? bareDomainOf(entry);
  return { own, all: new Set(own === undefined ? [] : [own, ...associatedDomainsOf(entry)]) };
}

/** What the directory says of this domain now. */
export async function routeOfDirectory(tx: Transaction, domain: string): Promise<RouteRow | undefined> {
  const own = await findEntryIn(tx, dcDnOfDomain(domain));
  return (own && compileDomain(own)) ?? aliasBy((await holdersOf(tx, domain))[0], domain);
}

/** The same, on any thread. */
export function readRouteOfDirectory(reader: Reader, domain: string): RouteRow | undefined {
  const own = findEntry(reader, dcDnOfDomain(domain));
  const row = own && compileDomain(own);
  return row ?? aliasBy(holdersAmong(entriesWith(reader, 'associatedDomain', domain, HOLDERS_MAX), domain)[0], domain);
}

function aliasBy(holder: Entry | undefined, domain: string): RouteRow | undefined {
  return holder && { domain, base: '', aliasOf: mailDomainOf(holder)! };
}

/** Throws constraintViolation for a name that the change adds and another domain has. */
export async function checkAssociatedDomains(
  tx: Transaction,
  before: Entry | undefined,
  after: Entry | undefined,
): Promise<void> {
  const names = after === undefined ? [] : associatedDomainsOf(after);
  if (names.length === 0) return;
  const known = new Set(before === undefined ? [] : associatedDomainsOf(before));
  for (const name of names) {
    if (known.has(name)) continue;
    const other = (await holdersOf(tx, name)).find(({ id }) => id !== after!.id);
    if (other !== undefined)
      throw directoryFailure('constraintViolation', `${name} is an associatedDomain of ${mailDomainOf(other)} already`);
  }
}

/** In order of their ids. */
async function holdersOf(tx: Transaction, domain: string): Promise<Entry[]> {
  return holdersAmong(await entriesWithIn(tx, 'associatedDomain', domain, HOLDERS_MAX), domain);
}

function holdersAmong(found: readonly Entry[], domain: string): Entry[] {
  return found.filter((entry) => associatedDomainsOf(entry).includes(domain));
}
