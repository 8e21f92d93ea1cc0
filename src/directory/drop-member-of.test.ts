// What clients had written as memberOf goes at the upgrade, and nothing else of the entry.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { TENANT } from '../base/tenant.ts';
import { openForWriting } from '../database/connection.ts';
import { migrate } from '../database/format.ts';
import { directoryUnit } from './tables.ts';

const STORED = [
  '[["cn",["a"]],["memberOf",["cn=x,o=internet"]],["description",["[\\"memberOf\\""]]]',
  '[["cn",["b"]]]',
  '[["memberOf",["cn=x","cn=y"]]]',
];
const KEPT = ['[["cn",["a"]],["description",["[\\"memberOf\\""]]]', '[["cn",["b"]]]', '[]'];

test('stored values of memberOf are dropped', () => {
  const directory = mkdtempSync(join(tmpdir(), 'waypost-test-'));
  const database = openForWriting(join(directory, 'store.db'), 'OFF');
  try {
    const before = directoryUnit.migrations.findIndex(({ run }) => run?.name === 'dropMemberOf');
    migrate(database, { units: [{ ...directoryUnit, migrations: directoryUnit.migrations.slice(0, before) }] });
    const insert = database.prepare(
      `INSERT INTO dit (tenant, path, dn, uuid, revision, generated, created_at, created_by, modified_at, modified_by, attributes)
       VALUES (${TENANT}, ?, ?, ?, 1, 0, 0, '', 0, '', ?)`,
    );
    for (const [at, attributes] of STORED.entries()) insert.run(`cn=${at},`, `cn=${at}`, String(at), attributes);
    migrate(database, { units: [directoryUnit] });
    const rows = database.prepare('SELECT attributes FROM dit ORDER BY id').all();
    assert.deepEqual(
      rows.map((row) => row['attributes']),
      KEPT,
    );
  } finally {
    database.close();
    rmSync(directory, { recursive: true });
  }
});
