// The tables of zones: which names the directory gives to DNS, what each asks for, and when that changed last; what all zones
// share; what is to be published at the name servers of others.
//
// zone_name has one row for each name that an entry speaks or spoke of, and for each name above one. So a look-up reads a row for each
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
         row TEXT,                           -- ZoneRow of compile.ts, NULL while no domain entry has this name
         below INTEGER NOT NULL,             -- domain entries below this name now
         changed INTEGER NOT NULL,           -- revision at which the row was last added, changed or removed, 0: never
         changed_below INTEGER NOT NULL,     -- the same of the names below
         PRIMARY KEY (tenant, path)
       ) STRICT, WITHOUT ROWID`,
    ],
    run: byPath,
  },
  {
    version: 3,
    statements: [
      `CREATE TABLE zone_change (
         tenant INTEGER NOT NULL,
         revision INTEGER NOT NULL,
         path TEXT NOT NULL,                 -- '' for a setting
         kind TEXT NOT NULL,                 -- name | key | setting | taken (see states.ts)
         key TEXT NOT NULL DEFAULT '',       -- selector of a key; kind and name of a setting
         before TEXT,                        -- the row before, NULL: none
         at INTEGER NOT NULL,                -- epoch milliseconds
         PRIMARY KEY (tenant, revision, path, kind, key)
       ) STRICT, WITHOUT ROWID`,
      'CREATE INDEX zone_change_path ON zone_change (tenant, path, revision)',
      'CREATE INDEX zone_change_at ON zone_change (at)',
      `CREATE TABLE zone_setting (
         tenant INTEGER NOT NULL,
         kind TEXT NOT NULL,                 -- host | nameserver | key (of the site) | moved (when one did last) | catalog (when a zone did) | publishing (how DNS was served) | pruned (up to where zone_change is not complete) | states (see states.ts)
         key TEXT NOT NULL,
         row TEXT NOT NULL,                  -- ZoneSettingRow of settings.ts
         changed INTEGER NOT NULL,           -- revision
         PRIMARY KEY (tenant, kind, key)
       ) STRICT, WITHOUT ROWID`,
      // Serials of before this version are of other records: no difference from one of them can be told.
      `INSERT INTO zone_setting (tenant, kind, key, row, changed)
         SELECT ${TENANT}, 'moved', '', '{}', max(max(changed, changed_below)) + 1 FROM zone_name HAVING count(*) > 0`,
      `CREATE TABLE zone_key (
         tenant INTEGER NOT NULL,
         path TEXT NOT NULL,                 -- the domain that the key is of
         selector TEXT NOT NULL,
         row TEXT NOT NULL,                  -- ZoneKeyRow of settings.ts
         changed INTEGER NOT NULL,
         PRIMARY KEY (tenant, path, selector)
       ) STRICT, WITHOUT ROWID`,
      `CREATE TABLE key_observed (           -- where the record of a key was seen; zones of ours need no row
         tenant INTEGER NOT NULL,
         path TEXT NOT NULL,
         selector TEXT NOT NULL,
         at INTEGER NOT NULL,
         PRIMARY KEY (tenant, selector, path)
       ) STRICT, WITHOUT ROWID`,
      `CREATE TABLE dns_outbox (             -- domains whose records are to be written at a primary
         tenant INTEGER NOT NULL,
         path TEXT NOT NULL,
         revision INTEGER NOT NULL,
         since INTEGER NOT NULL,
         next_attempt INTEGER NOT NULL,
         attempts INTEGER NOT NULL DEFAULT 0,
         server TEXT NOT NULL DEFAULT '',    -- the primary's cn; stays when its entry is gone
         is_forced INTEGER NOT NULL DEFAULT 0,
         error TEXT,
         PRIMARY KEY (tenant, path)
       ) STRICT, WITHOUT ROWID`,
      'CREATE INDEX dns_outbox_due ON dns_outbox (next_attempt)',
      `CREATE TABLE dns_published (          -- what a primary has acknowledged
         tenant INTEGER NOT NULL,
         path TEXT NOT NULL,                 -- the domain
         name TEXT NOT NULL,
         type TEXT NOT NULL,
         data TEXT NOT NULL,                 -- as in a zone file
         zone TEXT NOT NULL,
         server TEXT NOT NULL,
         at INTEGER NOT NULL,                -- 0: intended
         PRIMARY KEY (tenant, path, name, type, data)
       ) STRICT, WITHOUT ROWID`,
      `CREATE TABLE dns_watch (              -- domains whose records are looked at where others serve them
         tenant INTEGER NOT NULL,
         path TEXT NOT NULL,
         begun INTEGER NOT NULL,
         next_look INTEGER NOT NULL,
         looks INTEGER NOT NULL DEFAULT 0,
         conflicts INTEGER NOT NULL DEFAULT 0,
         found TEXT,                         -- JSON: the last problems
         PRIMARY KEY (tenant, path)
       ) STRICT, WITHOUT ROWID`,
      'CREATE INDEX dns_watch_due ON dns_watch (next_look)',
      'CREATE INDEX dns_watch_conflicts ON dns_watch (path) WHERE conflicts > 0',
      `CREATE TABLE dns_spread (             -- ranges of domains whose rows of the outbox are yet to be made
         id INTEGER PRIMARY KEY AUTOINCREMENT,
         tenant INTEGER NOT NULL,
         from_path TEXT NOT NULL,
         to_path TEXT NOT NULL,
         after TEXT NOT NULL,
         revision INTEGER NOT NULL
       ) STRICT`,
    ],
  },
  {
    version: 4,
    statements: [
      // Nothing had written the one of version 3.
      'DROP TABLE dns_watch',
      `CREATE TABLE dns_watch (              -- domains whose records are looked at where others serve them
         number INTEGER PRIMARY KEY AUTOINCREMENT, -- another one each time that the watch begins again
         tenant INTEGER NOT NULL,
         path TEXT NOT NULL,
         begun INTEGER NOT NULL,             -- epoch milliseconds
         slot INTEGER NOT NULL,              -- second of the period in which it is looked at for good
         seen INTEGER NOT NULL DEFAULT 0,    -- 1: all was seen since it has begun
         conflicts INTEGER NOT NULL DEFAULT 0, -- sets that were left out, since others have written them
         is_elsewhere INTEGER NOT NULL DEFAULT 0, -- 1: its MX names other hosts alone
         found TEXT,                         -- JSON: what was wrong at the last look, NULL: nothing
         UNIQUE (tenant, path)
       ) STRICT`,
      'CREATE INDEX key_observed_path ON key_observed (tenant, path)',
      'CREATE INDEX dns_watch_slot ON dns_watch (slot)',
      'CREATE INDEX dns_watch_conflicts ON dns_watch (path) WHERE conflicts > 0',
      'CREATE INDEX dns_watch_elsewhere ON dns_watch (path) WHERE is_elsewhere = 1',
      // 1: of those alone that are published or watched already, since nobody's standing has moved.
      'ALTER TABLE dns_spread ADD COLUMN is_known INTEGER NOT NULL DEFAULT 0',
    ],
  },
  {
    version: 5,
    statements: [
      // By primary: one that does not answer keeps none of the others waiting.
      'DROP INDEX dns_outbox_due',
      'CREATE INDEX dns_outbox_due ON dns_outbox (server, next_attempt)',
      // Nothing had written the one of version 3.
      'DROP TABLE dns_published',
      `CREATE TABLE dns_published (          -- what stands at a primary because an update has added it
         tenant INTEGER NOT NULL,
         path TEXT NOT NULL,                 -- the domain
         server TEXT NOT NULL,               -- the primary's cn
         zone TEXT NOT NULL,
         name TEXT NOT NULL,
         type TEXT NOT NULL,
         data TEXT NOT NULL,                 -- as in a zone file
         at INTEGER NOT NULL,                -- epoch milliseconds, 0: intended
         PRIMARY KEY (tenant, path, server, zone, name, type, data)
       ) STRICT, WITHOUT ROWID`,
      `CREATE TABLE dns_conflict (           -- sets that an update has left out, since others have written them
         tenant INTEGER NOT NULL,
         path TEXT NOT NULL,                 -- the domain
         name TEXT NOT NULL,
         type TEXT NOT NULL,
         wanted TEXT NOT NULL,               -- JSON: data as in a zone file
         found TEXT NOT NULL,
         PRIMARY KEY (tenant, path, name, type)
       ) STRICT, WITHOUT ROWID`,
    ],
  },
  {
    version: 6,
    statements: [
      // UUID of the entry, NULL: none. The compiler of this version fills it where rows of an earlier one stand.
      'ALTER TABLE zone_name ADD COLUMN entry TEXT',
      // The one before.
      'ALTER TABLE zone_change ADD COLUMN entry TEXT',
      // 1: with it a zone has come or gone, perhaps.
      'ALTER TABLE zone_change ADD COLUMN is_member INTEGER NOT NULL DEFAULT 0',
      'CREATE INDEX zone_change_member ON zone_change (tenant, revision) WHERE is_member = 1',
    ],
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
