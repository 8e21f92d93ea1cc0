// Entries that say they are mail domains and stand where no domain can: they are stored and do nothing.
//
// Found by the directory's index for `sync status`; no row is kept of them.

import type { Reader } from '../database/operation.ts';
import { entriesWith } from '../directory/entries.ts';
import { DOMAIN_CLASSES, mailDomainOf } from '../directory/mail-domain.ts';
import type { EntryProblems } from './table-contents.ts';

const PAGE = 500;

/** At most `limit` of them, a page of domains a turn: there may be many that are right. */
export async function misplacedDomains(reader: Reader, limit = 1000): Promise<EntryProblems[]> {
  const found = new Map<string, EntryProblems>();
  for (const objectClass of DOMAIN_CLASSES) {
    for (let after = 0; ; ) {
      const page = entriesWith(reader, 'objectClass', objectClass, PAGE, after);
      for (const entry of page)
        if (mailDomainOf(entry) === undefined && found.size < limit)
          found.set(entry.uuid, misplaced(entry.dn, objectClass));
      if (page.length < PAGE || found.size >= limit) break;
      after = page.at(-1)!.id;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  return [...found.values()];
}

function misplaced(dn: string, objectClass: string): EntryProblems {
  return {
    dn,
    problems: [{ attribute: 'objectClass', value: objectClass, reason: 'this entry is no domain of the DC tree' }],
  };
}
