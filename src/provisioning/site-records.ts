// What an entry says to DNS must mean something: the data of records, words, services of hosts.
//
// In      an entry before and after a change, in its transaction
// Out     nothing; or invalidAttributeSyntax (21) with the value, constraintViolation (19) for an alias beside something else
// What an entry said before it was changed is not held against it.
// RFC 1034 §3.6.2

import type { Transaction } from '../database/operation.ts';
import type { ChangedEntry } from '../directory/entry.ts';
import { hasClass, textValues } from '../directory/entry.ts';
import { directoryFailure } from '../directory/failure.ts';
import { besideAliasIn } from '../zones/alias-conflict.ts';
import { compileZoneName } from '../zones/compile.ts';
import { parseHostService } from '../zones/settings.ts';
import { ANY_SITE } from './write-options.ts';

/** Named, but legal: they mean something elsewhere, or nothing anywhere. */
const LEGAL = new Set(['mailRoutingHosts', 'mDRecord', 'sOARecord']);

export async function checkSiteRecords(tx: Transaction, { before, after }: ChangedEntry): Promise<void> {
  if (after === undefined) return;
  if (hasClass(after, 'wayposthost'))
    for (const value of textValues(after, 'wayposthostservice'))
      if (parseHostService(value) === undefined)
        throw directoryFailure('invalidAttributeSyntax', `waypostHostService ${value} is no service and port`);
  const compiled = compileZoneName(after);
  if (compiled === undefined) return;
  const known = new Set((before && compileZoneName(before))?.row.problems?.map(({ value }) => value));
  for (const { attribute, value, reason } of compiled.row.problems ?? [])
    if (!LEGAL.has(attribute) && !known.has(value))
      throw directoryFailure('invalidAttributeSyntax', `${attribute} ${value} ${reason}`);
  const beside = await besideAliasIn(tx, compiled, ANY_SITE);
  if (beside !== undefined) {
    const alias = textValues(after, 'cnamerecord')[0];
    throw directoryFailure('constraintViolation', `cNAMERecord ${alias} stands beside ${beside.join(', ')}`);
  }
}
