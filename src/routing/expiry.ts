// waypostExpire of a user or a domain: its values as rules, and those that are none as problems.
//
// In      an entry, as mail sees it
// Out     rules; what does not parse acts as if it were not there, and is named: another directory may hold any value

import type { Reader } from '../database/operation.ts';
import { entriesIndexed } from '../directory/entries.ts';
import { type Entry, textValues } from '../directory/entry.ts';
import { type ExpiryRule, parseExpiry } from '../directory/expiry-value.ts';
import type { Problem } from './rows.ts';

export const EXPIRE_KEY = 'waypostexpire';

/** Whether an entry has rules. */
export function isAnyExpiry(reader: Reader): boolean {
  return entriesIndexed(reader, EXPIRE_KEY, 1).length > 0;
}

export function expiryOf(entry: Pick<Entry, 'attributes'>, problems: Problem[] = []): ExpiryRule[] {
  return textValues(entry, EXPIRE_KEY).flatMap((value) => {
    const rule = parseExpiry(value);
    if (rule === undefined)
      problems.push({ attribute: 'waypostExpire', value, reason: 'says nothing that can be done' });
    return rule ?? [];
  });
}
