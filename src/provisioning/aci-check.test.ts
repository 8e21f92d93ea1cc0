// A hundred thousand access rules are enough: one more is refused, and what is there is obeyed.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { TENANT } from '../base/tenant.ts';
import { operation } from '../database/operation.ts';
import { sightOf } from '../directory/access/sight.ts';
import { callerOf } from '../directory/caller.ts';
import { getEntry } from '../directory/entries.ts';
import { add, addDomain, addUser, openTestDirectory, replace, userDn } from './testing.ts';

const directory = await openTestDirectory();
after(() => directory.close());

const ANN = userDn('ann@acme.example');
const NODE = 'ou=People,dc=acme,dc=example,o=internet';
const rule = (name: string, permission: string): string =>
  `(targetattr="*")(version 3.0; acl "${name}"; ${permission} userdn="ldap:///all";)`;
const sql = operation('test.sql', (tx, statement: string) => tx.run(statement));

test('one value more is refused, and says why; other changes go on', async () => {
  await directory.apply(addDomain('acme.example'), addUser('ann@acme.example'));
  await directory.apply(replace(ANN, { aci: rule('mine', 'allow (read)') }));
  await directory.writer.execute(
    sql,
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
      INSERT INTO dit_index (tenant, attribute, value, entry) SELECT ${TENANT}, 'aci', 'of another entry ' || i, -1 FROM n`,
  );
  const more = directory.apply(replace(NODE, { aci: rule('more', 'allow (read)') }));
  await assert.rejects(more, { kind: 'too-many', message: /remove some/ });
  await directory.apply(replace(ANN, { description: 'x' }), replace(ANN, { aci: [] }));
  await directory.writer.execute(sql, "DELETE FROM dit_index WHERE attribute = 'aci' AND entry = -1");
});

test('where there are more all the same, the last one is obeyed too', async () => {
  await directory.apply(
    add(`ou=zz,${NODE}`, { objectClass: 'organizationalUnit', aci: rule('open', 'allow (read)') }),
    add(`cn=zz,ou=zz,${NODE}`, { objectClass: 'person', cn: 'zz', sn: 'z', aci: rule('shut', 'deny (read)') }),
  );
  const sees = (dn: string) => {
    const { reader } = directory;
    return sightOf(reader, callerOf(getEntry(reader, ANN)), true).shown(getEntry(reader, dn)) !== undefined;
  };
  const isOpen = () => [sees(`ou=zz,${NODE}`), sees(`cn=zz,ou=zz,${NODE}`)];
  assert.deepEqual(isOpen(), [true, false]);
  // A hundred thousand entries before them, which nobody has made one by one.
  const { path } = directory.reader.get('SELECT path FROM dit WHERE dn = ?', NODE) as { path: string };
  const name = "'ou=a' || printf('%06d', i)";
  await directory.writer.execute(
    sql,
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
      INSERT INTO dit (id, tenant, path, dn, uuid, revision, generated, created_at, created_by, modified_at, modified_by,
        attributes, member_counts)
      SELECT 10000000 + i, ${TENANT}, '${path}' || ${name} || ',', ${name} || ',${NODE}', 'uuid' || i, 1, 0, 0, '', 0, '', '[]', ''
      FROM n`,
  );
  await directory.writer.execute(
    sql,
    `INSERT INTO dit_index (tenant, attribute, value, entry) SELECT ${TENANT}, 'aci', 'x', id FROM dit WHERE id > 10000000`,
  );
  const own = Object.assign(Object.create(directory.reader) as typeof directory.reader, {
    arrays: (text: string, ...values: never[]) => directory.reader.arrays(text, ...values),
    snapshot: <T>(read: () => T): T => directory.reader.snapshot(read),
    revision: () => directory.reader.revision(),
  });
  const shown = (dn: string) =>
    sightOf(own, callerOf(getEntry(directory.reader, ANN)), true).shown(getEntry(directory.reader, dn));
  assert.deepEqual([shown(`ou=zz,${NODE}`) !== undefined, shown(`cn=zz,ou=zz,${NODE}`)], [true, undefined]);
});
