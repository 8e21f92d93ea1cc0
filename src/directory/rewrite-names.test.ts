// The step of format 2: names of format 1, spelled as clients wrote them, become names as this program writes them.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { TENANT } from '../base/tenant.ts';
import { openForWriting } from '../database/connection.ts';
import { migrate } from '../database/format.ts';
import { parseDn } from './dn.ts';
import { migrations } from './tables.ts';

/** What format 1 kept: the entries with their names as given, and their rows of the index. */
const given = [
  'O = Internet',
  'CN=Directory Manager',
  'o=internet , DC=x',
  'DC = Example , o=INTERNET',
  'dc=acme,DC=example,o=internet',
  'userid=Ann\\2c Lee + 2.5.4.3=\\41nn ,dc=ACME , dc=example,o=internet',
  'dc=acme-2,dc=example,o=internet',
  'dc=acme 2,dc=example,o=internet',
  'cn=#0C024142,dc=Acme 2,dc=example,o=internet',
];
const written = [
  'o=Internet',
  'cn=Directory Manager',
  'o=internet,dc=x',
  'dc=Example,o=Internet',
  'dc=acme,dc=Example,o=Internet',
  'uid=Ann\\, Lee+cn=Ann,dc=acme,dc=Example,o=Internet',
  'dc=acme-2,dc=Example,o=Internet',
  'dc=acme 2,dc=Example,o=Internet',
  'cn=AB,dc=acme 2,dc=Example,o=Internet',
];

test('each name is rewritten, superiors as they are rewritten themselves; the index has its tenant', () => {
  const directory = mkdtempSync(join(tmpdir(), 'waypost-test-'));
  const database = openForWriting(join(directory, 'store.db'), 'OFF');
  try {
    migrate(database, { units: [{ name: 'directory', migrations: migrations.slice(0, 1) }] });
    const insert = database.prepare(
      `INSERT INTO dit (tenant, path, dn, uuid, revision, generated, created_at, created_by, modified_at, modified_by, attributes)
       VALUES (${TENANT}, ?, ?, ?, 1, 0, 0, '', 0, '', '[]')`,
    );
    // Not in the order of the tree: an entry may have been renamed to below a younger one.
    for (const dn of given.toReversed()) insert.run(parseDn(dn).path, dn, dn);
    database.exec(
      "INSERT INTO dit_index (attribute, value, entry) VALUES ('uid', 'ann', 3), ('cn', 'b', 2), ('cn', 'a', 4)",
    );

    const seen: number[][] = [];
    migrate(database, {
      units: [{ name: 'directory', migrations }],
      progress: (_unit, done, of) => seen.push([done, of]),
    });

    const names = database.prepare('SELECT dn FROM dit ORDER BY id DESC').all();
    assert.deepEqual(
      names.map(({ dn }) => dn),
      written,
    );
    for (const dn of written) assert.equal(parseDn(dn).text, dn);
    const rows = database.prepare('SELECT tenant, attribute, value, entry FROM dit_index').all();
    assert.deepEqual(
      rows.map((row) => Object.values(row)),
      [
        [TENANT, 'cn', 'a', 4],
        [TENANT, 'cn', 'b', 2],
        [TENANT, 'uid', 'ann', 3],
      ],
    );
    assert.deepEqual(seen, [[given.length, given.length]]);
  } finally {
    database.close();
    rmSync(directory, { recursive: true });
  }
});
