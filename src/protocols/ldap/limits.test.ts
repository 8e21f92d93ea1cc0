// What one operation may take, at its real bounds: users look at 10,000 entries without an index and get 1,000; who administers a
// domain 100,000 of both, who keeps the site all there is; a change moves or deletes 10,000. The entries are copies of one that the
// directory has made.
//
// LIMITS=full has the site's keeper read all 100,300 of them, too.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { operation } from '../../database/operation.ts';
import { add, addDomain, addUser, domainDn, replace, userDn } from '../../provisioning/testing.ts';
import { subtreeDelete } from '../../wire/ldap/controls/subtree-delete.ts';
import { codeOf, GEHEIM, openTestDoor, RawClient, searchFor, type TestDoor } from './testing.ts';

const [ANN, BOB] = [userDn('ann@acme.example'), userDn('bob@acme.example')];
const MANY = `ou=many,${domainDn('acme.example')}`;
const COLUMNS =
  'tenant, parent, revision, generated, created_at, created_by, modified_at, modified_by, attributes, member_counts';

const copyPattern = operation('test.copy', (tx, { from, to }: { from: number; to: number }) =>
  tx.run(
    `WITH RECURSIVE n (i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
      INSERT INTO dit (id, path, dn, uuid, ${COLUMNS})
      SELECT 10000000 + i, replace(path, 'cn=0,', 'cn=' || i || ','), 'cn=' || i || substr(dn, 5), 'copy' || i, ${COLUMNS}
      FROM dit, n WHERE dn = 'cn=0,${MANY}'`,
    from,
    to,
  ),
);

let door: TestDoor;
before(async () => {
  door = await openTestDoor();
  await door.directory.apply(
    addDomain('acme.example'),
    addUser('ann@acme.example', GEHEIM),
    addUser('bob@acme.example', GEHEIM),
    replace(domainDn('acme.example'), { waypostAdministrator: ANN }),
    add(MANY, {
      objectClass: 'organizationalUnit',
      aci: '(targetattr="*")(version 3.0; acl "open"; allow (read, search) userdn="ldap:///all";)',
    }),
    add(`cn=0,${MANY}`, { objectClass: 'person', cn: '0', sn: 'x', description: 'x' }),
  );
});
after(() => door.close());

let there = 1;
async function grow(count: number): Promise<void> {
  await door.directory.writer.execute(copyPattern, { from: there, to: count - 1 });
  there = count;
}

/** The result's code, and how many entries came before it. Undefined: the Directory Manager. */
async function asked(dn: string | undefined, text: string): Promise<[number, number]> {
  using client = await RawClient.open(door.port);
  assert.equal(await (dn === undefined ? client.bind() : client.bind(dn, 'geheim')), 0);
  client.request(searchFor(MANY, { scope: 'one', text, attributes: ['1.1'] }));
  const { code, entries } = (await client.result())!;
  return [code, entries.length];
}

/** Nobody has it, and no index knows. */
const NOBODY = '(description=nobody)';
const EACH = '(description=x)';

test('a user gets a thousand entries, and looks at ten thousand', async () => {
  await grow(1000);
  assert.deepEqual(await asked(BOB, EACH), [0, 1000]);
  await grow(1001);
  assert.deepEqual(await asked(BOB, EACH), [4, 1000]);
  await grow(10_000);
  assert.deepEqual(await asked(BOB, NOBODY), [0, 0]);
  // What is asked of them all counts, too.
  assert.deepEqual(await asked(BOB, `(|${NOBODY.repeat(20)})`), [0, 0]);
  assert.deepEqual(await asked(BOB, `(|${NOBODY.repeat(200)})`), [11, 0]);
  await grow(10_300);
  assert.deepEqual(await asked(BOB, NOBODY), [11, 0]);
});

test('a subtree of more than ten thousand entries neither moves nor goes', async () => {
  using client = await RawClient.open(door.port);
  assert.equal(await client.bind(), 0);
  const was = door.directory.reader.revision();
  const request = {
    kind: 'modifyDn',
    dn: MANY,
    newRdn: 'ou=most',
    deleteOldRdn: true,
    newSuperior: undefined,
  } as const;
  assert.equal(await codeOf(client, request), 11);
  client.request({ kind: 'delete', dn: MANY }, [{ type: subtreeDelete.type, critical: true, value: undefined }]);
  assert.equal((await client.result())?.code, 11);
  assert.equal(door.directory.reader.revision(), was);
});

test('who administers a domain gets, and looks at, a hundred thousand; who keeps the site all', async () => {
  assert.deepEqual(await asked(ANN, EACH), [0, there]);
  await grow(100_000);
  assert.deepEqual(await asked(ANN, NOBODY), [0, 0]);
  await grow(100_001);
  assert.deepEqual(await asked(ANN, EACH), [4, 100_000]);
  await grow(100_300);
  assert.deepEqual(await asked(ANN, NOBODY), [11, 0]);
  assert.deepEqual(await asked(undefined, NOBODY), [0, 0]);
  if (process.env['LIMITS'] === 'full') assert.deepEqual(await asked(undefined, EACH), [0, there]);
});
