// Users whose delivery option `shared` names a group that has no mailbox here: mail passes over it. A row is made of its own
// entry alone, so this is seen when somebody looks.
//
// In      the directory's index of waypostSharedMailbox; rows of the tables
// Out     the values that lead nowhere, entry by entry, for `sync status`
// Limits  GROUPS_MAX names of groups are looked at, NAMED_MAX entries are named

import { asciiLower } from '../base/characters.ts';
import type { Reader } from '../database/operation.ts';
import { entriesWith, indexedValues } from '../directory/entries.ts';
import { formatAddress } from '../message/address.ts';
import { readState } from './generation.ts';
import { addressOfKey, type Problem } from './rows.ts';
import { whyNotShared } from './shared-mailbox.ts';
import type { EntryProblems } from './table-contents.ts';
import { readAlias, readRecipient } from './tables.ts';

const ATTRIBUTE = 'waypostSharedMailbox';
const GROUPS_MAX = 10_000;
const PAGE = 500;
const NAMED_MAX = 1000;

export async function unservedShares(reader: Reader): Promise<EntryProblems[]> {
  const found = new Map<string, EntryProblems>();
  for (const value of indexedValues(reader, asciiLower(ATTRIBUTE), GROUPS_MAX)) {
    for (let after = 0; found.size < NAMED_MAX; ) {
      const page = entriesWith(reader, ATTRIBUTE, value, PAGE, after);
      const names = page.map(({ normalizedDn }) => normalizedDn);
      const unserved = reader.snapshot(() => names.flatMap((dn) => unservedOf(reader, dn) ?? []));
      for (const each of unserved) if (found.size < NAMED_MAX) found.set(each.dn, each);
      if (page.length < PAGE) break;
      after = page.at(-1)!.id;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  return [...found.values()];
}

/** Inside a snapshot. Undefined: all that this entry names is served, or its option is not set. */
function unservedOf(reader: Reader, entry: string): EntryProblems | undefined {
  const { generation } = readState(reader);
  const row = readRecipient(reader, generation, entry);
  const problems = (row?.shared ?? []).flatMap((key): Problem[] => {
    const reason = whyNotShared(readAlias(reader, generation, key)?.row);
    return reason === undefined ? [] : [{ attribute: ATTRIBUTE, value: formatAddress(addressOfKey(key)), reason }];
  });
  return problems.length === 0 ? undefined : { dn: row!.dn, problems };
}
