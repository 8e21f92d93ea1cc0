// What no change may make of access rules: one that does not parse, or that asks for what is not carried out, or one too many.
//
// In      an entry before and after
// Out     nothing; or invalidAttributeSyntax with the column, adminLimitExceeded

import type { Transaction } from '../database/operation.ts';
import { parseAci } from '../directory/access/parse.ts';
import { ACI_KEY, ACI_VALUES_MAX, hasTooManyRules } from '../directory/access/rules.ts';
import type { ChangedEntry } from '../directory/entry.ts';
import { directoryFailure } from '../directory/failure.ts';

export async function checkAci(tx: Transaction, { before, after }: ChangedEntry): Promise<void> {
  const values = after?.attributes.get(ACI_KEY)?.values ?? [];
  if (values.length === 0) return;
  const had = new Set(before?.attributes.get(ACI_KEY)?.values);
  let isNew = false;
  for (const value of values) {
    if (had.has(value)) continue;
    const parsed = typeof value === 'string' ? parseAci(value) : { problem: 'column 1: it is no text' };
    if ('problem' in parsed) throw directoryFailure('invalidAttributeSyntax', `aci: ${parsed.problem}`);
    isNew = true;
  }
  if (!isNew) return;
  if (await hasTooManyRules(tx))
    throw directoryFailure(
      'adminLimitExceeded',
      `There are ${ACI_VALUES_MAX} values of aci in the directory: remove some before one is added`,
    );
}
