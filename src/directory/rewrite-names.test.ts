// The step of format 2: names of format 1, spelled as clients wrote them, become names as this program writes them.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DN_LENGTH_MAX } from '../base/limits.ts';
import { TENANT } from '../base/tenant.ts';
import { openForWriting } from '../database/connection.ts';
import { migrate } from '../database/format.ts';
import { parseDn } from './dn.ts';
import { directoryUnit } from './tables.ts';

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

/** Names that format 1 kept and that do not say what the path says: what it cut off, and what a move made too long. */
const PEOPLE = 'ou=people,o=internet';
const long = `ou=${'x'.repeat(DN_LENGTH_MAX)}`;
const wrong = [
  { path: 'o=internet,', dn: 'o=internet', name: 'o=internet' },
  { path: 'o=internet,ou=people,', dn: PEOPLE, name: PEOPLE },
  { path: 'o=internet,ou=people,cn=ann,', dn: `cn=Ann\\,${PEOPLE}`, name: `cn=Ann\\ ,${PEOPLE}` },
  { path: 'o=internet,ou=people,cn=b\\2c c,', dn: `cn=B\\, c\\, ou=People,o=internet`, name: `cn=B\\, c\\ ,${PEOPLE}` },
  { path: 'o=internet,ou=people,uid=low,', dn: `uid=Low,${long}`, name: `uid=Low,${PEOPLE}` },
  { path: 'o=internet,ou=people,uid=other,', dn: '?', name: `uid=other,${PEOPLE}` },
  { path: `o=internet,${long},`, dn: `${long},o=internet`, name: `${long},o=internet` },
  { path: `o=internet,${long},uid=x,`, dn: `uid=x,${long},o=internet`, name: `uid=x,${long},o=internet` },
];

test('each name is rewritten, superiors as they are rewritten themselves; the index has its tenant', () => {
  withFormat1((database, insert) => {
    // Not in the order of the tree: an entry may have been renamed to below a younger one.
    for (const dn of given.toReversed()) insert(parseDn(dn).path, dn);
    database.exec(
      "INSERT INTO dit_index (attribute, value, entry) VALUES ('uid', 'ann', 3), ('cn', 'b', 2), ('cn', 'a', 4)",
    );

    const seen: number[][] = [];
    migrate(database, {
      units: [directoryUnit],
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
  });
});

test('a name that is not the one of its path becomes that one, and none ends the migration', () => {
  withFormat1((database, insert) => {
    for (const { path, dn } of wrong) insert(path, dn);
    migrate(database, { units: [directoryUnit] });
    const names = database.prepare('SELECT path, dn AS name FROM dit ORDER BY id').all();
    assert.deepEqual(
      names.map((row) => ({ ...row })),
      wrong.map(({ path, name }) => ({ path, name })),
    );
  });
});

/** A database of format 1, and what inserts an entry. */
function withFormat1(
  run: (database: ReturnType<typeof openForWriting>, insert: (path: string, dn: string) => void) => void,
): void {
  const directory = mkdtempSync(join(tmpdir(), 'waypost-test-'));
  const database = openForWriting(join(directory, 'store.db'), 'OFF');
  try {
    migrate(database, { units: [{ ...directoryUnit, migrations: directoryUnit.migrations.slice(0, 1) }] });
    const insert = database.prepare(
      `INSERT INTO dit (tenant, path, dn, uuid, revision, generated, created_at, created_by, modified_at, modified_by, attributes)
       VALUES (${TENANT}, ?, ?, ?, 1, 0, 0, '', 0, '', '[]')`,
    );
    run(database, (path, dn) => insert.run(path, dn, path));
  } finally {
    database.close();
    rmSync(directory, { recursive: true });
  }
}
