// A domain that was the apex of a zone keeps its zone when a domain above it comes: otherwise its delegation, which the world
// knows, would lead to a name server that says it has no such zone.
//
// In      a domain that has been added, in its transaction
// Out     the marks (waypostApex) of the domains below it that were the topmost until now
// Limits  MARKS_MAX marks in one transaction

import type { Transaction } from '../database/operation.ts';
import { applyChange } from '../directory/apply-change.ts';
import { dcDnOfDomain } from '../directory/dn.ts';
import type { ChangedEntry } from '../directory/entry.ts';
import { directoryFailure } from '../directory/failure.ts';
import { hasDomainAbove, unmarkedApexesBelow } from '../zones/below.ts';
import { compileZoneName } from '../zones/compile.ts';
import type { WriteOptions } from './write-options.ts';

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
  const below = await unmarkedApexesBelow(tx, is.name, MARKS_MAX + 1);
  if (below.length > MARKS_MAX)
    throw directoryFailure(
      'adminLimitExceeded',
      `More than ${MARKS_MAX} zones lie below ${is.name}: add it domain by domain`,
    );
  const marked: ChangedEntry[] = [];
  for (const name of below) {
    const modifications = [{ operation: 'replace' as const, attribute: 'waypostApex', values: ['TRUE'] }];
    const change = { kind: 'modify', dn: dcDnOfDomain(name), modifications } as const;
    marked.push(await applyChange(tx, change, { ...options, ofServer: true }));
  }
  return marked;
}
