// The history of the tables: what has moved, and how each row stood before.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idOf, type Revision } from '../base/ids.ts';
import { operation } from '../database/operation.ts';
import type { DirectoryChange } from '../directory/entry.ts';
import {
  add,
  addDomain,
  addUser,
  domainDn,
  openTestDirectory,
  remove,
  replace,
  type TestDirectory,
  userDn,
} from '../provisioning/testing.ts';
import { changedKeysAfter } from './history.ts';
import { synchronizeFully } from './rebuild.ts';
import { readTables } from './testing.ts';

const moved = ({ reader }: TestDirectory, after: number): string[] =>
  changedKeysAfter(reader, idOf<Revision>(after), 1000).map(({ kind, key }) => `${kind} ${key}`);

test('a change names the keys of the rows that it moves, and no others', async () => {
  const directory = await openTestDirectory();
  await directory.apply(addDomain('acme.example'), addUser('ann@acme.example'));
  const { reader, shared } = directory;
  const step = async (...changes: readonly DirectoryChange[]): Promise<string[]> => {
    const before = reader.revision();
    await directory.apply(...changes);
    return moved(directory, before);
  };
  const ann = 'uid=ann,ou=people,dc=acme,dc=example,o=internet';
  assert.deepEqual(await step(replace(userDn('ann@acme.example'), { telephoneNumber: '+1 555 0100' })), []);
  assert.deepEqual(await step(replace(userDn('ann@acme.example'), { mailUserStatus: 'disabled' })), [`entry ${ann}`]);
  assert.deepEqual(await step(replace(userDn('ann@acme.example'), { mail: 'anna@acme.example' })), [
    'alias ann@acme.example',
    'alias anna@acme.example',
    `entry ${ann}`,
  ]);
  assert.deepEqual(await step(replace(domainDn('acme.example'), { mailDomainStatus: 'inactive' })), [
    'route acme.example',
  ]);
  const host = add('cn=mx2.test.example,ou=Hosts,ou=Waypost,o=internet', {
    objectClass: 'waypostHost',
    cn: 'mx2.test.example',
    waypostHostAddress: '192.0.2.9',
  });
  assert.deepEqual(await step(host), ['host mx2.test.example']);
  const last = shared.routingRevision();
  assert.equal(last, reader.revision());
  await directory.apply(replace(userDn('ann@acme.example'), { description: 'x' }));
  assert.equal(shared.routingRevision(), last, 'the routing revision stands still');
  assert.deepEqual(await step(remove(userDn('ann@acme.example'))), ['alias anna@acme.example', `entry ${ann}`]);
  directory.close();
});

test('a full synchronization mends what was broken, at a revision of its own that names each row', async () => {
  const directory = await openTestDirectory();
  await directory.apply(
    addDomain('acme.example'),
    addDomain('b.example'),
    ...['ann', 'ben', 'cid'].map((name) => addUser(`${name}@acme.example`)),
  );
  const right = readTables(directory.reader);
  const before = directory.reader.revision();
  const spoil = operation('test.spoil', async (tx, _args: null) => {
    await tx.run("DELETE FROM alias WHERE address = 'ann@acme.example'");
    await tx.run("UPDATE alias_entry SET row = json_set(row, '$.mailUserStatus', 'deleted') WHERE dn LIKE 'uid=ben%'");
    await tx.run(
      "UPDATE alias SET dn = (SELECT dn FROM alias_entry WHERE dn LIKE 'uid=ben%') WHERE address LIKE 'cid%'",
    );
    await tx.run(
      "INSERT INTO route SELECT tenant, generation, 'gone.example', base, row, revision, problems FROM route LIMIT 1",
    );
  });
  await directory.writer.execute(spoil, null);
  const steps = synchronizeFully(directory.writer);
  let step = await steps.next();
  await assert.rejects(synchronizeFully(directory.writer).next(), /under way/);
  while (step.done !== true) step = await steps.next();
  assert.equal(step.value.differences, 4);
  assert.deepEqual(readTables(directory.reader), right);
  assert.deepEqual(moved(directory, before), [
    'alias ann@acme.example',
    'alias cid@acme.example',
    'entry uid=ben,ou=people,dc=acme,dc=example,o=internet',
    'route gone.example',
  ]);
  const again = synchronizeFully(directory.writer);
  for (step = await again.next(); step.done !== true; ) step = await again.next();
  assert.equal(step.value.differences, 0);
  directory.close();
});
