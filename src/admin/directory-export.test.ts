// What of the directory a site administrator gets as LDIF, and what the Directory Manager alone does.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { ADMINISTRATOR_DN, type Caller, callerOf } from '../directory/caller.ts';
import { getEntry } from '../directory/entries.ts';
import { addUser, replace, userDn } from '../provisioning/testing.ts';
import { directoryChanges, directoryExport, directorySearch } from './directory-export.ts';
import { type AdminOperation, runAdminOperation } from './operation.ts';
import { openTestAdmin, run } from './testing.ts';

const { directory, parts } = await openTestAdmin('acme.example');
after(() => directory.close());

const ANN = userDn('ann@acme.example');
await directory.apply(
  addUser('ann@acme.example', { userPassword: '{SSHA}secret' }),
  replace('cn=Site Administrators,ou=Waypost,o=internet', { member: ANN }),
);
const caller: Caller = callerOf(getEntry(directory.reader, ANN));
const as = <I, T>(operation: AdminOperation<I, T>, input: I) =>
  runAdminOperation(operation, input, { caller, peer: '' });

test('secrets and the log of changes go to the Directory Manager alone', async () => {
  const denied = { kind: 'denied' };
  await assert.rejects(as(directoryExport(parts), { passwords: true }), denied);
  await assert.rejects(as(directorySearch(parts), { filter: '(uid=ann)', passwords: true }), denied);
  await assert.rejects(as(directoryChanges(parts), { since: 0, passwords: true }), denied);
  await assert.rejects(as(directoryChanges(parts), { since: 0 }), denied);
  assert.match((await run(directoryExport(parts), { passwords: true })).ldif, /^userPassword:/m);
});

test('a site administrator finds, and is given, what the rules let it see', async () => {
  const find = async (filter: string, base?: string) => (await as(directorySearch(parts), { filter, base })).entries;
  assert.equal(await find('(mail=ann@acme.example)'), 1);
  assert.equal(await find('(userPassword=*)'), 0);
  assert.equal(await find('(objectClass=*)', ADMINISTRATOR_DN), 0);
  assert.equal((await run(directorySearch(parts), { filter: '(userPassword=*)', base: ANN })).entries, 1);
  assert.match((await as(directoryExport(parts), {})).ldif, /^dn: uid=ann,/m);
  const rule = '(targetattr = "cn")(version 3.0; acl "no names"; deny (read) userdn = "ldap:///anyone";)';
  await directory.apply(replace(ANN, { aci: rule }));
  const record = (await as(directoryExport(parts), {})).ldif.split('\n\n').find((each) => /^dn: uid=ann,/m.test(each));
  assert.ok(record !== undefined && !/^cn:/m.test(record));
  assert.match((await run(directoryExport(parts), {})).ldif, /^cn: ann/m);
});
