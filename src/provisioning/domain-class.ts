// Waypost's own attributes of a domain bring their class along: who writes them has no need to know of it.
//
// In      an entry as a change has made it; in its transaction
// Out     the further change that adds the class, where it is missing

import type { Transaction } from '../database/operation.ts';
import { type ApplyOptions, applyChange } from '../directory/apply-change.ts';
import { type ChangedEntry, type Entry, hasClass } from '../directory/entry.ts';
import { SERVER_NAME_KEY } from '../directory/server-names.ts';

const CLASS = 'waypostDomain';
const OF_CLASS = [SERVER_NAME_KEY, 'waypostroute', 'waypostdisabledtext', 'waypostsource'];

export async function addDomainClass(
  tx: Transaction,
  entry: Entry,
  options: ApplyOptions,
): Promise<readonly ChangedEntry[]> {
  if (!OF_CLASS.some((key) => entry.attributes.has(key)) || hasClass(entry, CLASS.toLowerCase())) return [];
  const modification = { operation: 'add', attribute: 'objectClass', values: [CLASS] } as const;
  return [await applyChange(tx, { kind: 'modify', dn: entry.dn, modifications: [modification] }, options)];
}
