// What no change may make of access rules: one that does not parse, or that asks for what is not carried out.
//
// In      an entry before and after
// Out     nothing; or invalidAttributeSyntax with the column

import type { Transaction } from '../database/operation.ts';
import { parseAci } from '../directory/access/parse.ts';
import { ACI_KEY } from '../directory/access/rules.ts';
import type { ChangedEntry } from '../directory/entry.ts';
import { directoryFailure } from '../directory/failure.ts';

export function checkAci(_tx: Transaction, { before, after }: ChangedEntry): void {
  const values = after?.attributes.get(ACI_KEY)?.values ?? [];
  const had = new Set(before?.attributes.get(ACI_KEY)?.values);
  for (const value of values) {
    if (had.has(value)) continue;
    const parsed = typeof value === 'string' ? parseAci(value) : { problem: 'column 1: it is no text' };
    if ('problem' in parsed) throw directoryFailure('invalidAttributeSyntax', `aci: ${parsed.problem}`);
  }
}
