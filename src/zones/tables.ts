// The one table of zones: which names the mail domains give to DNS, and when that changed last. Records are not in it.
//
// One row for each name that is or was a domain entry's, and for each name above one. So a look-up reads a row for each
// label it walks, whether a name exists below another needs no search, and a zone has a serial that a removal raises too:
// the row of a domain that went stays and holds the revision.

import type { Unit } from '../database/format.ts';
import type { Migration } from '../database/operation.ts';

export const migrations: readonly Migration[] = [
  {
    version: 1,
    statements: [
      `CREATE TABLE zone_name (
         name TEXT PRIMARY KEY,              -- lower case, as wire/dns/name.ts writes names
         domain INTEGER NOT NULL,            -- 1 while a domain entry has this name
         below INTEGER NOT NULL,             -- domain entries below this name now
         changed INTEGER NOT NULL,           -- revision at which a domain entry of this name came or went last, 0: never
         changed_below INTEGER NOT NULL      -- the same of the names below
       ) STRICT, WITHOUT ROWID`,
    ],
  },
];

export const zonesUnit: Unit = { name: 'zones', migrations };
