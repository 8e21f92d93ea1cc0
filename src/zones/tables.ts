// The one table of zones: which names the mail domains give to DNS, what each asks for, and when that changed last.
//
// One row for each name that is or was a domain entry's, and for each name above one. So a look-up reads a row for each
// label it walks, whether a name exists below another needs no search, and a zone has a serial that a removal raises too:
// the row of a domain that went stays and holds the revision. Records are not in it: records.ts makes them.

import { TENANT } from '../base/tenant.ts';
import type { Unit } from '../database/format.ts';
import type { Migration, MigrationConnection } from '../database/operation.ts';
import { pathOf } from './path.ts';

const migrations: readonly Migration[] = [
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
  {
    version: 2,
    rewrites: true,
    statements: [
      'ALTER TABLE zone_name RENAME TO zone_name_before',
      `CREATE TABLE zone_name (
         tenant INTEGER NOT NULL,
         path TEXT NOT NULL,                 -- the name, as path.ts writes it
         row TEXT,                           -- DomainRow of compile.ts, NULL while no domain entry has this name
         below INTEGER NOT NULL,             -- domain entries below this name now
         changed INTEGER NOT NULL,           -- revision at which the row was last added, changed or removed, 0: never
         changed_below INTEGER NOT NULL,     -- the same of the names below
         PRIMARY KEY (tenant, path)
       ) STRICT, WITHOUT ROWID`,
    ],
    run: byPath,
  },
];

export const zonesUnit: Unit = { name: 'zones', migrations };

/** What version 1 answered for a domain: the same records, the same serials. */
const ROW_OF_VERSION_1 = '{"mxPreference":10}';

function byPath(connection: MigrationConnection): void {
  const before =
    'SELECT name, domain, below, changed, changed_below FROM zone_name_before WHERE name > ? ORDER BY name LIMIT +?';
  for (const page of connection.pages(before, ['name'], [''])) {
    for (const { name, domain, below, changed, changed_below } of page) {
      connection.run(
        'INSERT INTO zone_name (tenant, path, row, below, changed, changed_below) VALUES (?, ?, ?, ?, ?, ?)',
        TENANT,
        pathOf(String(name)),
        domain === 1 ? ROW_OF_VERSION_1 : null,
        below!,
        changed!,
        changed_below!,
      );
    }
  }
  connection.run('DROP TABLE zone_name_before');
}
