// user move: the entry, its addresses, what stays and what goes; whose lists it is in.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Failure } from '../base/failure.ts';
import { findEntry } from '../directory/entries.ts';
import { textValues } from '../directory/entry.ts';
import { readMemberValues } from '../directory/member-values.ts';
import { addDomain, addGroup, domainDn, groupDn, userDn } from '../provisioning/testing.ts';
import { openTestAdmin, run, type TestAdmin } from './testing.ts';
import { userAdd } from './user.ts';
import { userMove } from './user-move.ts';

let admin: TestAdmin;
before(async () => {
  admin = await openTestAdmin('acme.example');
  await admin.directory.apply(
    addDomain('other.example'),
    addDomain('twin.example', { inetDomainBaseDN: domainDn('acme.example') }),
  );
});
after(() => admin.directory.close());

const accountOf = (address: string) => admin.directory.resolve(address).targets.map(({ key }) => key);
const values = (dn: string, key: string) => textValues(findEntry(admin.directory.reader, dn)!, key);

test('to another domain: the mailbox stays, what routes no more goes, lists follow', async () => {
  const { directory, parts } = admin;
  await run(userAdd(parts), { address: 'ann@acme.example', alias: ['a@acme.example'] });
  await directory.apply(addGroup('all@acme.example', [userDn('ann@acme.example')]));
  const account = accountOf('ann@acme.example');
  const was = directory.reader.revision();
  const dry = await run(userMove(parts), { address: 'ann@acme.example', to: 'anna@other.example', dryRun: true });
  assert.equal(dry.dryRun, true);
  assert.equal(directory.reader.revision(), was);
  const moved = await run(userMove(parts), { address: 'a@acme.example', to: 'Anna@other.example' });
  assert.deepEqual(
    moved.entries.map(({ change }) => change),
    dry.entries.map(({ change }) => change),
  );
  const dn = userDn('anna@other.example');
  assert.deepEqual(values(dn, 'mail'), ['anna@other.example']);
  assert.deepEqual(values(dn, 'mailalternateaddress'), []);
  assert.deepEqual(accountOf('anna@other.example'), account);
  assert.deepEqual(accountOf('ann@acme.example'), []);
  assert.deepEqual(accountOf('all@acme.example'), account);
  const list = findEntry(directory.reader, groupDn('all@acme.example'))!;
  assert.deepEqual(
    readMemberValues(directory.reader, list.id, 0, 10).map(({ value }) => value),
    [dn],
  );
});

test('to a domain with the same base: the entry stays, and the old address is one more', async () => {
  const { parts } = admin;
  await run(userAdd(parts), { address: 'bob@acme.example', alias: ['b@acme.example'] });
  await run(userMove(parts), { address: 'bob@acme.example', to: 'bob@twin.example' });
  const dn = userDn('bob@acme.example');
  assert.deepEqual(values(dn, 'mail'), ['bob@twin.example']);
  assert.deepEqual(values(dn, 'mailalternateaddress'), ['b@acme.example', 'bob@acme.example']);
  for (const address of ['bob@twin.example', 'bob@acme.example', 'b@acme.example'])
    assert.equal(accountOf(address).length, 1, address);
  // And back: an address stands once.
  await run(userMove(parts), { address: 'bob@twin.example', to: 'bob@acme.example' });
  assert.deepEqual(values(dn, 'mailalternateaddress'), ['b@acme.example', 'bob@twin.example']);
});

test('what cannot be done is said by address, and nothing is', async () => {
  const { parts } = admin;
  await run(userAdd(parts), { address: 'eve@acme.example' });
  await run(userAdd(parts), { address: 'eve@other.example' });
  const fails = (address: string, to: string, kind: string) =>
    assert.rejects(run(userMove(parts), { address, to }), (error: Failure) => error.kind === kind);
  await fails('eve@acme.example', 'eve@other.example', 'exists');
  await fails('eve@acme.example', 'eve@nowhere.example', 'not-found');
  await fails('nobody@acme.example', 'x@other.example', 'not-found');
  await fails('eve@acme.example', 'bob@acme.example', 'exists');
  await fails('eve@acme.example', 'no address', 'invalid');
  assert.equal(accountOf('eve@acme.example').length, 1);
});
