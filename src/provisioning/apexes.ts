// The topmost domain is the apex of a zone. It keeps that zone when a domain above it comes: otherwise its delegation, which the
// world knows, would lead to a name server that says it has no such zone.
//
// In      a domain that has been added, in its transaction
// Out     marks (waypostApex). A domain that is made at the top has its own at once (domain-life.ts), so one that comes above
//         finds hardly any to make: where a domain above has gone, or somebody else's name servers had the zone before
// Limits  MARKS_MAX marks in one transaction

import type { Transaction } from '../database/operation.ts';
import { applyChange } from '../directory/apply-change.ts';
import { dcDnOfDomain } from '../directory/dn.ts';
import type { ChangedEntry, DirectoryChange } from '../directory/entry.ts';
import { directoryFailure } from '../directory/failure.ts';
import { authorityIn } from '../zones/authority.ts';
import { hasDomainAbove } from '../zones/below.ts';
import { type CompiledDomain, compileZoneName } from '../zones/compile.ts';
import { rangeBelow, unmarkedApexes } from '../zones/unmarked.ts';
import { ANY_SITE, type WriteOptions } from './write-options.ts';

const MARKS_MAX = 1000;

export async function markApexes(
  tx: Transaction,
  { before, after }: ChangedEntry,
  options: WriteOptions,
): Promise<readonly ChangedEntry[]> {
  const is = after && compileZoneName(after);
  const was = before && compileZoneName(before);
  if (is?.row.domain === undefined || (was?.name === is.name && was.row.domain !== undefined)) return [];
  if (await hasDomainAbove(tx, is.name)) return [];
  // What somebody else's name servers have above them is theirs, too.
  if ((await authorityIn(tx, is, ANY_SITE)).authority !== 'ours') return [];
  const below = await unmarkedApexes(tx, rangeBelow(is.name), MARKS_MAX + 1);
  if (below.length > MARKS_MAX)
    throw directoryFailure(
      'adminLimitExceeded',
      `More than ${MARKS_MAX} zones lie below ${is.name}: add it domain by domain`,
    );
  const marked: ChangedEntry[] = [];
  for (const name of below)
    if (await isApex(tx, name)) marked.push(await applyChange(tx, markOf(name), { ...options, ofServer: true }));
  return marked;
}

/** As the rows stand: a zone of ours begins at the name, or would if this server answered for zones. */
export async function isApex(tx: Transaction, of: string | CompiledDomain): Promise<boolean> {
  const { authority, zone } = await authorityIn(tx, of, ANY_SITE);
  return authority === 'ours' && zone === (typeof of === 'string' ? of : of.name);
}

export function markOf(name: string): DirectoryChange {
  const modifications = [{ operation: 'replace' as const, attribute: 'waypostApex', values: ['TRUE'] }];
  return { kind: 'modify', dn: dcDnOfDomain(name), modifications };
}
