// A domain gets another name: both deliver at every moment, slice after slice, by another server too; then the old one may go.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { systemClock } from '../../base/clock.ts';
import { Failure } from '../../base/failure.ts';
import { type Log, silentLog } from '../../base/log.ts';
import { operation } from '../../database/operation.ts';
import { ADMINISTRATOR_CALLER } from '../../directory/caller.ts';
import { findEntry } from '../../directory/entries.ts';
import { textValues } from '../../directory/entry.ts';
import {
  add,
  addDomain,
  addGroup,
  addUser,
  domainDn,
  groupDn,
  openTestDirectory,
  remove,
  type TestDirectory,
  userDn,
} from '../testing.ts';
import { leaveNode } from './operations.ts';
import { DomainRenames } from './renames.ts';

const PEOPLE = 600;

let directory: TestDirectory;
let renames: DomainRenames;
beforeEach(async () => {
  directory = await openTestDirectory();
  renames = open();
});
afterEach(() => {
  renames.end();
  directory.close();
});

const open = (log: Log = silentLog) => {
  const { reader, writer } = directory;
  return new DomainRenames({ reader, writer, clock: systemClock, log });
};
const rename = (from = 'acme.example', to = 'neu.example', waitMs = 60_000) =>
  renames.rename({ from, to }, ADMINISTRATOR_CALLER, waitMs);
const values = (dn: string, key: string) => textValues(findEntry(directory.reader, dn)!, key);
const keyOf = (address: string) => directory.resolve(address).targets.map(({ key }) => key);
const fails = (of: Promise<unknown>, kind: string) =>
  assert.rejects(of, (error: Failure) => error instanceof Failure && error.kind === kind);

async function openAcme(people: number): Promise<void> {
  await directory.apply(addDomain('acme.example', { mailDomainCatchallAddress: 'u0@acme.example' }));
  const adds = Array.from({ length: people }, (_, n) => addUser(`u${n}@acme.example`));
  for (let from = 0; from < adds.length; from += 300) await directory.apply(...adds.slice(from, from + 300));
  await directory.apply(addGroup('all@acme.example', [userDn('u0@acme.example'), userDn('u1@acme.example')]));
}

test('both names deliver at every moment, to all; people get addresses of the new one', async () => {
  await openAcme(PEOPLE);
  const account = new Map(Array.from({ length: PEOPLE }, (_, n) => [n, keyOf(`u${n}@acme.example`)]));
  const renamed = rename();
  let isOver = false;
  void renamed.finally(() => (isOver = true));
  let looks = 0;
  for (let n = 0; !isOver; n = (n + 97) % PEOPLE) {
    await new Promise((resolve) => setImmediate(resolve));
    if (directory.cache.route('neu.example') === undefined) continue;
    assert.deepEqual(keyOf(`u${n}@neu.example`), account.get(n));
    assert.deepEqual(keyOf(`u${n}@acme.example`), account.get(n));
    looks++;
  }
  assert.ok(looks > 0);
  assert.deepEqual(await renamed, { from: 'acme.example', to: 'neu.example', entries: PEOPLE + 1, done: true });
  for (const [n, key] of account) assert.deepEqual(keyOf(`u${n}@neu.example`), key);
  assert.deepEqual(values(userDn('u7@acme.example'), 'mail'), ['u7@neu.example']);
  assert.deepEqual(values(userDn('u7@acme.example'), 'mailalternateaddress'), ['u7@acme.example']);
  assert.equal(keyOf('all@neu.example').length, 2);
  assert.deepEqual(values(groupDn('all@acme.example'), 'mail'), ['all@neu.example']);
  assert.deepEqual(values(domainDn('neu.example'), 'inetdomainbasedn'), [domainDn('acme.example')]);
  assert.deepEqual(values(domainDn('neu.example'), 'waypostrenamedfrom'), []);
  assert.deepEqual(keyOf('whoever@neu.example'), account.get(0), 'settings are those of before');
  assert.equal((await rename()).done, true, 'asked again');
});

test('a rename goes on after a restart, from where it was', async () => {
  await openAcme(3);
  // The node is there, and nobody is renamed yet.
  const halting = open();
  halting.end();
  assert.equal(
    (await halting.rename({ from: 'acme.example', to: 'neu.example' }, ADMINISTRATOR_CALLER, 0)).done,
    false,
  );
  assert.deepEqual(values(domainDn('neu.example'), 'waypostrenamedfrom'), ['acme.example']);
  assert.deepEqual(values(userDn('u1@acme.example'), 'mail'), ['u1@acme.example']);
  assert.equal(keyOf('u1@neu.example').length, 1);
  renames.resume();
  assert.deepEqual(await rename(), { from: 'acme.example', to: 'neu.example', entries: 4, done: true });
  assert.deepEqual(values(userDn('u1@acme.example'), 'mail'), ['u1@neu.example']);
});

test('other names go along, and who has an address that another one has under the new name keeps his', async () => {
  await openAcme(1);
  await directory.apply(
    addUser('ann@acme.example', {
      mailAlternateAddress: ['a@acme.example', 'a@elsewhere.example'],
      mailEquivalentAddress: 'e@acme.example',
    }),
    add('uid=plain,ou=People,dc=acme,dc=example,o=internet', {
      objectClass: ['inetOrgPerson', 'inetUser', 'inetMailUser'],
      ...{ uid: 'plain', cn: 'x', sn: 'x', mail: 'Plain@acme.example' },
    }),
    add(domainDn('alias.example'), {
      objectClass: ['domain', 'inetDomain', 'inetDomainAlias'],
      aliasedObjectName: domainDn('acme.example'),
    }),
    {
      kind: 'modify',
      dn: domainDn('acme.example'),
      modifications: [{ operation: 'add', attribute: 'associatedDomain', values: ['more.example'] }],
    },
    addDomain('third.example', { inetDomainBaseDN: domainDn('acme.example') }),
  );
  await rename();
  const ann = userDn('ann@acme.example');
  assert.deepEqual(values(ann, 'mailalternateaddress'), [
    'a@acme.example',
    'a@elsewhere.example',
    'ann@acme.example',
    'a@neu.example',
  ]);
  assert.deepEqual(values(ann, 'mailequivalentaddress'), ['e@acme.example', 'e@neu.example']);
  for (const address of [
    'ann@alias.example',
    'ann@more.example',
    'a@neu.example',
    'plain@neu.example',
    'plain@acme.example',
  ])
    assert.equal(keyOf(address).length, 1, address);
  assert.deepEqual(values(domainDn('alias.example'), 'aliasedobjectname'), [domainDn('neu.example')]);
  await directory.apply(
    addUser('bob@acme.example'),
    addUser('two@acme.example', { mail: 'two@third.example', mailAlternateAddress: 'bob@late.example' }),
  );
  await directory.apply(addDomain('late.example', { inetDomainBaseDN: domainDn('acme.example') }));
  await fails(rename('acme.example', 'late.example'), 'exists');
  await fails(rename('nowhere.example', 'x.example'), 'not-found');
  await fails(rename('alias.example', 'x.example'), 'invalid');
  await fails(rename('neu.example', 'neu.example'), 'invalid');
});

test('who cannot be changed keeps what he has and is named, and all others are renamed', async () => {
  await openAcme(5);
  const bad = userDn('u2@acme.example');
  // It is another directory's: it is changed there.
  const theirs = { waypostUrl: 'ldap://127.0.0.1:1', waypostBase: 'dc=corp', waypostSourceDomain: 'corp.example' };
  await directory.apply(
    add('cn=corp,ou=Sources,ou=Waypost,o=internet', { objectClass: 'waypostLdapSource', cn: 'corp', ...theirs }),
  );
  const store = operation('test.store-source', async (tx, _args: null) => {
    await tx.run("UPDATE dit SET source = 'corp' WHERE path LIKE '%uid=u2,'");
  });
  await directory.writer.execute(store, null);
  const kept: unknown[] = [];
  const warn = (_event: string, fields: { readonly kept?: unknown } = {}): void => void kept.push(fields.kept);
  renames = open({ ...silentLog, warn });
  assert.deepEqual(await rename(), { from: 'acme.example', to: 'neu.example', entries: 5, done: true });
  assert.deepEqual(kept.length, 1);
  assert.match(String(kept[0]), /^uid=u2,.*: .* is mirrored from corp: change it at /i);
  assert.deepEqual(values(bad, 'mail'), ['u2@acme.example']);
  for (const name of ['u0', 'u1', 'u3', 'u4', 'all'])
    assert.ok(keyOf(`${name}@neu.example`).length > 0 && keyOf(`${name}@acme.example`).length > 0, name);
});

test('a rehearsal says who would be renamed and who not, and changes nothing', async () => {
  await openAcme(3);
  await directory.apply(
    addDomain('third.example', { inetDomainBaseDN: domainDn('acme.example') }),
    addUser('u9@acme.example', { mail: 'u1@third.example' }),
  );
  const revision = directory.reader.revision();
  const rehearse = (from: string, to: string) => renames.rehearse({ from, to }, ADMINISTRATOR_CALLER);
  assert.deepEqual(await rehearse('acme.example', 'neu.example'), {
    ...{ from: 'acme.example', to: 'neu.example', entries: 4, done: false, dryRun: true, kept: [] },
  });
  await fails(rehearse('acme.example', 'third.example'), 'exists');
  await fails(rehearse('nowhere.example', 'x.example'), 'not-found');
  assert.equal(directory.reader.revision(), revision);
  assert.equal(findEntry(directory.reader, domainDn('neu.example')), undefined);
  // While one is under way: somebody has an address of the new name already.
  const halting = open();
  halting.end();
  await halting.rename({ from: 'acme.example', to: 'neu.example' }, ADMINISTRATOR_CALLER, 0);
  await directory.apply(addUser('u8@acme.example', { mail: 'u2@neu.example' }));
  const { entries, kept } = await rehearse('acme.example', 'neu.example');
  assert.deepEqual([entries, kept], [3, [userDn('u2@acme.example')]]);
});

test('the old name is removed, and a plain node stays for those below it', async () => {
  await openAcme(2);
  await directory.apply(addUser('only@acme.example'));
  await rename();
  const leave = () =>
    directory.writer.execute(leaveNode, {
      domain: 'acme.example',
      caller: ADMINISTRATOR_CALLER,
      now: systemClock.now(),
    });
  // One who came later has no other address.
  await directory.apply(addUser('late@acme.example'));
  await assert.rejects(leave(), /late@acme.example would route no more/);
  await directory.apply(remove(userDn('late@acme.example')));
  await leave();
  assert.deepEqual(values(domainDn('acme.example'), 'objectclass'), ['domain', 'top']);
  assert.equal(directory.cache.route('acme.example'), undefined);
  assert.equal(keyOf('u1@neu.example').length, 1);
  assert.equal(keyOf('only@neu.example').length, 1);
});
