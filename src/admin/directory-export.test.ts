// What of the directory a site administrator gets as LDIF, and what the Directory Manager alone does.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { ADMINISTRATOR_CALLER, ADMINISTRATOR_DN, type Caller, callerOf } from '../directory/caller.ts';
import { normalizeDn } from '../directory/dn.ts';
import { getEntry } from '../directory/entries.ts';
import type { DirectoryChange } from '../directory/entry.ts';
import { wholeEntry } from '../directory/exported-entry.ts';
import { parseLdif } from '../directory/ldif.ts';
import { searchAll } from '../directory/testing.ts';
import { importRecords } from '../provisioning/import.ts';
import { add, addGroup, addUser, groupDn, remove, replace, userDn } from '../provisioning/testing.ts';
import { parseFilter } from '../wire/ldap/filter-text.ts';
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

/** A tree that carries change records out as a server does that follows no references; by normalized DN what is described. */
class OtherTree {
  readonly entries = new Map<string, string>();

  carryOut(change: DirectoryChange): void {
    const dn = normalizeDn(change.dn);
    assert.equal(this.entries.has(dn), change.kind !== 'add', `${change.kind} ${dn}`);
    const above = dn.slice(dn.indexOf(',') + 1);
    switch (change.kind) {
      case 'add':
        assert.ok(this.entries.has(above) || dn === TOP, `nothing above ${dn}`);
        this.entries.set(dn, '');
        break;
      case 'modify':
        for (const { operation, attribute, values } of change.modifications)
          if (attribute === 'description' && operation === 'add') this.entries.set(dn, String(values[0]));
        break;
      case 'delete':
        assert.ok(![...this.entries.keys()].some((each) => each.endsWith(`,${dn}`)), `${dn} is no leaf`);
        this.entries.delete(dn);
        break;
      case 'rename': {
        const to = normalizeDn(`${change.newRdn},${change.newSuperior ?? above}`);
        assert.ok(to === dn || !this.entries.has(to), `${to} is there`);
        for (const [each, value] of [...this.entries])
          if (each === dn || each.endsWith(`,${dn}`)) {
            this.entries.delete(each);
            this.entries.set(`${each.slice(0, -dn.length)}${to}`, value);
          }
      }
    }
  }
}

const TOP = 'ou=moves,o=internet';

function found(): Map<string, string> {
  const request = { base: TOP, scope: 'sub', filter: parseFilter('(objectClass=*)') } as const;
  const entries = searchAll(directory.reader, request, 5000);
  return new Map(
    entries.map(({ normalizedDn, attributes }) => [
      normalizedDn,
      String(attributes.get('description')?.values[0] ?? ''),
    ]),
  );
}

/** All pages; those of the part that is looked at. */
async function changesSince(since: number): Promise<DirectoryChange[]> {
  let ldif = '';
  for (let after: string | null | undefined; after !== null; ) {
    const page = await run(directoryChanges(parts), { since, ...(after === undefined ? {} : { after }) });
    ldif += page.ldif;
    after = page.next;
  }
  return parseLdif(ldif, 10_000);
}

const node = (dn: string) => add(dn, { objectClass: 'organizationalUnit' });
const move = (dn: string, newRdn: string, newSuperior?: string): DirectoryChange => ({
  kind: 'rename',
  dn,
  newRdn,
  deleteOldRdn: true,
  newSuperior,
});

test('what has moved with its superior, and by itself, goes where it is when the changes are carried out elsewhere', async () => {
  const rdn = fc.constantFrom('ou=a', 'ou=b', 'ou=c');
  const dn = fc.array(rdn, { minLength: 1, maxLength: 3 }).map((names) => [...names, TOP].join(','));
  const change = fc.oneof(
    { weight: 4, arbitrary: dn.map(node) },
    {
      weight: 6,
      arbitrary: fc
        .tuple(dn, rdn, fc.option(fc.oneof(dn, fc.constant(TOP)), { nil: undefined }))
        .map(([from, to, above]) => move(from, to, above)),
    },
    {
      weight: 2,
      arbitrary: fc.tuple(dn, fc.constantFrom('x', 'y')).map(([of, description]) => replace(of, { description })),
    },
    { weight: 1, arbitrary: dn.map(remove) },
  );
  await directory.apply(node(TOP));
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 20, maxLength: 80, size: 'max' }), async (changes) => {
      const other = new OtherTree();
      for (const [each, value] of found()) other.entries.set(each, value);
      const since = directory.reader.revision();
      for (const each of changes) await directory.apply(each).catch(() => {});
      for (const each of await changesSince(since)) other.carryOut(each);
      assert.deepEqual(other.entries, found());
    }),
    { numRuns: 20 },
  );
});

test('what names an entry that was renamed or removed has followed it, and is passed over in an import', async () => {
  const list = groupDn('list@acme.example');
  const names = ['p1', 'p2', 'p3'];
  const at = (name: string) => userDn(`${name}@acme.example`);
  const begins = [
    ...names.map((name) => addUser(`${name}@acme.example`)),
    addGroup('list@acme.example', names.map(at)),
  ];
  await directory.apply(...begins, replace(at('p3'), { manager: at('p1') }));
  const other = await openTestAdmin('acme.example');
  try {
    await other.directory.apply(...begins, replace(at('p3'), { manager: at('p1') }));
    const since = directory.reader.revision();
    await directory.apply(move(at('p1'), 'uid=q1'), remove(at('p2')), replace(at('p3'), { description: 'x' }));
    const changes = await changesSince(since);
    assert.ok(changes.some(({ kind, dn }) => kind === 'modify' && dn === list));
    const records = changes.map((change) => ({ change }));
    const imported = { records, existing: 'refuse', caller: ADMINISTRATOR_CALLER, now: 0 } as const;
    const outcome = await other.directory.writer.execute(importRecords, imported);
    assert.ok('counts' in outcome, JSON.stringify(outcome));
    const valuesAt = ({ reader }: typeof directory) => [
      wholeEntry(reader, getEntry(reader, list)).attributes.get('uniquemember')?.values,
      getEntry(reader, at('p3')).attributes.get('manager')?.values,
    ];
    assert.deepEqual(valuesAt(other.directory), valuesAt(directory));
    assert.deepEqual(valuesAt(directory), [[at('p3'), at('q1')], [at('q1')]]);
  } finally {
    other.directory.close();
  }
});

test('a move of more than a page of changes is one record, also where it is made again', async () => {
  const [from, to] = [`ou=from,${TOP}`, `ou=to,${TOP}`];
  await directory.apply(node(from), ...Array.from({ length: 1200 }, (_, n) => node(`ou=n${n},${from}`)));
  const since = directory.reader.revision();
  await directory.apply(move(from, 'ou=to'));
  await directory.apply(node(from), move(`ou=n7,${to}`, 'ou=n7', from), move(`ou=n7,${from}`, 'ou=n7', to));
  const changes = await changesSince(since);
  assert.deepEqual(
    changes.map(({ kind, dn }) => `${kind} ${dn}`),
    [`rename ${from}`, `add ${from}`, `rename ou=n7,${to}`, `rename ou=n7,${from}`],
  );
});
