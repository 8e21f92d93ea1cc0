// The directory's tables: entries, the index for equality, members of lists, the change log.
//
// The tree lies in `path`: the normalized RDNs from the root, each ended by a comma, so that a subtree is a range of one
// index and needs no walk. An entry's id is the revision that made it, so no id is ever used twice.

import { TENANT } from '../base/tenant.ts';
import type { Unit } from '../database/format.ts';
import type { Migration } from '../database/operation.ts';
import { dropMemberOf } from './drop-member-of.ts';
import { moveMembers } from './move-members.ts';
import { rewriteNames } from './rewrite-names.ts';

const migrations: readonly Migration[] = [
  {
    version: 1,
    statements: [
      `CREATE TABLE dit (
        id INTEGER PRIMARY KEY,
        tenant INTEGER NOT NULL,
        parent INTEGER,
        path TEXT NOT NULL,
        dn TEXT NOT NULL,
        uuid TEXT NOT NULL,
        revision INTEGER NOT NULL,
        generated INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        created_by TEXT NOT NULL,
        modified_at INTEGER NOT NULL,
        modified_by TEXT NOT NULL,
        attributes TEXT NOT NULL
      ) STRICT`,
      'CREATE UNIQUE INDEX dit_path ON dit (tenant, path)',
      'CREATE UNIQUE INDEX dit_uuid ON dit (tenant, uuid)',
      'CREATE INDEX dit_parent ON dit (parent, id)',
      // `value` is prepared for the attribute's equality rule and cut: what is found is compared again.
      `CREATE TABLE dit_index (
        attribute TEXT NOT NULL,
        value TEXT NOT NULL,
        entry INTEGER NOT NULL,
        PRIMARY KEY (attribute, value, entry)
      ) STRICT, WITHOUT ROWID`,
      // `at` never goes back, whatever the clock does. `change` is enough to go either way; see change-log.ts.
      `CREATE TABLE dit_change (
        revision INTEGER PRIMARY KEY,
        tenant INTEGER NOT NULL,
        at INTEGER NOT NULL,
        kind TEXT NOT NULL,
        uuid TEXT NOT NULL,
        dn TEXT NOT NULL,
        author TEXT NOT NULL,
        change TEXT NOT NULL
      ) STRICT`,
    ],
  },
  {
    version: 2,
    statements: [
      `CREATE TABLE dit_index_2 (
        tenant INTEGER NOT NULL,
        attribute TEXT NOT NULL,
        value TEXT NOT NULL,
        entry INTEGER NOT NULL,
        PRIMARY KEY (tenant, attribute, value, entry)
      ) STRICT, WITHOUT ROWID`,
      `INSERT INTO dit_index_2 (tenant, attribute, value, entry)
        SELECT ${TENANT}, attribute, value, entry FROM dit_index ORDER BY attribute, value, entry`,
      'DROP TABLE dit_index',
      'ALTER TABLE dit_index_2 RENAME TO dit_index',
    ],
    run: rewriteNames,
    rewrites: true,
  },
  {
    version: 3,
    statements: [
      // By key a member is found, and an entry that has it; `id` is the order of an entry's values, and a place to go on from.
      `CREATE TABLE dit_value (
        id INTEGER PRIMARY KEY,
        tenant INTEGER NOT NULL,
        entry INTEGER NOT NULL,
        attribute TEXT NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        target TEXT
      ) STRICT`,
      'CREATE UNIQUE INDEX dit_value_key ON dit_value (tenant, attribute, key, entry)',
      'CREATE INDEX dit_value_entry ON dit_value (entry, attribute, id)',
      'CREATE INDEX dit_value_target ON dit_value (tenant, target, entry) WHERE target IS NOT NULL',
      "ALTER TABLE dit ADD COLUMN member_counts TEXT NOT NULL DEFAULT ''",
    ],
    run: moveMembers,
    rewrites: true,
  },
  // The history of one entry is read without the log of all others.
  { version: 4, statements: ['CREATE INDEX dit_change_entry ON dit_change (uuid)'] },
  {
    version: 5,
    statements: [
      // One row: texts that are new where rules, or the places of domains, are others; see access/rules.ts. `defaults`: the
      // rules that a directory begins with have been added.
      `CREATE TABLE dit_access (
        id INTEGER PRIMARY KEY,
        rules TEXT NOT NULL,
        scopes TEXT NOT NULL,
        defaults INTEGER NOT NULL
      ) STRICT`,
      "INSERT INTO dit_access (id, rules, scopes, defaults) VALUES (1, '', '', 0)",
    ],
  },
  // What was stored is computed from then on.
  { version: 6, statements: [], run: dropMemberOf, rewrites: true },
  {
    // An entry that another server has: which source it comes from, its sequence number there, and what mail sees in it
    // (mail-view.ts); '' for our own.
    version: 7,
    statements: [
      "ALTER TABLE dit ADD COLUMN source TEXT NOT NULL DEFAULT ''",
      "ALTER TABLE dit ADD COLUMN csn TEXT NOT NULL DEFAULT ''",
      "ALTER TABLE dit ADD COLUMN mail_as TEXT NOT NULL DEFAULT ''",
      "CREATE INDEX dit_source ON dit (source, id) WHERE source <> ''",
    ],
  },
];

export const directoryUnit: Unit = { name: 'directory', migrations };
