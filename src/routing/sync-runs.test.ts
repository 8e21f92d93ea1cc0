// Full synchronization, one domain anew, the proof, the digest: on tables that are right, and on tables broken by SQL.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { operation, type Writer } from '../database/operation.ts';
import {
  add,
  addDomain,
  addGroup,
  addUser,
  openTestDirectory,
  replace,
  type TestDirectory,
  userDn,
} from '../provisioning/testing.ts';
import { digestLines, digestTables } from './digest.ts';
import { rowAt } from './history.ts';
import { SyncRuns } from './sync-runs.ts';
import { readTables } from './testing.ts';

const HOST = add('cn=mx2.test.example,ou=Hosts,ou=Waypost,o=internet', {
  objectClass: 'waypostHost',
  cn: 'mx2.test.example',
  waypostHostAddress: '192.0.2.9',
});

async function populated(
  names: readonly string[] = ['ann', 'ben', 'cid'],
): Promise<TestDirectory & { runs: SyncRuns }> {
  const directory = await openTestDirectory();
  await directory.apply(
    addDomain('acme.example'),
    addDomain('b.example'),
    ...names.map((name) => addUser(`${name}@acme.example`)),
    addUser('dan@b.example', { mailAlternateAddress: 'd@b.example' }),
    addGroup(
      'all@b.example',
      [...names].sort().map((name) => userDn(`${name}@acme.example`)),
      // Mail can read nothing in one of them: a problem of the list's row.
      { mgrpRFC822MailMember: ['x@elsewhere.example', 'nobody@acme.example'] },
    ),
    HOST,
  );
  const { reader, writer } = directory;
  return { ...directory, runs: new SyncRuns({ reader, writer, clock: systemClock }) };
}

/** Each breaks one row, and says which. */
const breaks: Readonly<Record<string, readonly [key: string, sql: string]>> = {
  'an address that leads nowhere': ['alias ann@acme.example', "DELETE FROM alias WHERE address = 'ann@acme.example'"],
  'an address that leads to somebody else': [
    'alias d@b.example',
    "UPDATE alias SET dn = (SELECT dn FROM alias_entry WHERE dn LIKE 'uid=ben%') WHERE address = 'd@b.example'",
  ],
  'an address of nobody': [
    'alias ghost@b.example',
    "INSERT INTO alias SELECT tenant, generation, 'ghost@b.example', dn FROM alias LIMIT 1",
  ],
  'an entry with another status': [
    'entry uid=ben,ou=people,dc=acme,dc=example,o=internet',
    "UPDATE alias_entry SET row = json_set(row, '$.mailUserStatus', 'deleted') WHERE dn LIKE 'uid=ben%'",
  ],
  'an entry that is none': [
    'entry uid=eve,ou=people,dc=acme,dc=example,o=internet',
    `INSERT INTO alias_entry SELECT tenant, generation, 'uid=eve,ou=people,dc=acme,dc=example,o=internet',
       json_set(row, '$.addresses', json('[]')), revision, problems, base, path FROM alias_entry WHERE dn LIKE 'uid=ben%'`,
  ],
  'a domain that is none': [
    'route gone.example',
    "INSERT INTO route SELECT tenant, generation, 'gone.example', base, row, revision, problems FROM route WHERE domain = 'b.example'",
  ],
  'a domain with another status': [
    'route acme.example',
    "UPDATE route SET row = json_set(row, '$.mailDomainStatus', 'inactive') WHERE domain = 'acme.example'",
  ],
  'a host with another port': [
    'host mx2.test.example',
    "UPDATE routing_setting SET row = json_set(row, '$.port', 26) WHERE key = 'mx2.test.example'",
  ],
  'a host that is none': [
    'host gone.test.example',
    `INSERT INTO routing_setting SELECT tenant, generation, kind, 'gone.test.example',
       json_set(row, '$.key', 'gone.test.example', '$.dn', 'cn=gone'), revision, problems FROM routing_setting LIMIT 1`,
  ],
};

const named = ({ differences }: Awaited<ReturnType<SyncRuns['verify']>>): string[] =>
  differences.map(({ table, key }) => `${table} ${key}`).sort();

const execute = operation('test.execute', async (tx, sql: string) => {
  await tx.run(sql);
});

for (const [what, [key, sql]] of Object.entries(breaks))
  test(`${what}: the proof names it, a full synchronization mends it`, async () => {
    const directory = await populated();
    const { runs, writer, reader } = directory;
    const right = readTables(reader);
    assert.deepEqual(named(await runs.verify()), []);
    await writer.execute(execute, sql);
    const found = await runs.verify();
    assert.deepEqual([named(found), found.differing], [[key], 1]);
    assert.equal((await runs.full()).differences, 1);
    assert.deepEqual(named(await runs.verify()), []);
    assert.deepEqual(readTables(reader), right);
    assert.equal((await runs.full()).differences, 0);
    assert.equal(runs.lastVerify()?.differences, 0);
    assert.equal(runs.lastFull()?.differences, 0);
    directory.close();
  });

test('an entry that another base owns by its row: the proof names it, and its domain made anew mends it', async () => {
  const directory = await populated();
  const { runs, writer, reader } = directory;
  const right = readTables(reader);
  await writer.execute(execute, "UPDATE alias_entry SET base = 'dc=b,dc=example,o=internet' WHERE dn LIKE 'uid=ben%'");
  assert.deepEqual(named(await runs.verify()), ['entry uid=ben,ou=people,dc=acme,dc=example,o=internet']);
  assert.equal((await runs.domain('acme.example')).differences, 1);
  assert.deepEqual(readTables(reader), right);
  directory.close();
});

test('a full synchronization that fails half-way leaves room for the next one, and two at once are one too many', async () => {
  const directory = await populated();
  const { reader } = directory;
  let isFailing = true;
  const writer: Writer = {
    execute: (called, args) =>
      isFailing && called.name === 'routing.rebuild-slice'
        ? Promise.reject(new Error('the disk is full'))
        : directory.writer.execute(called, args),
  };
  const runs = new SyncRuns({ reader, writer, clock: systemClock });
  await assert.rejects(runs.full(), /the disk is full/);
  isFailing = false;
  const first = runs.full();
  await assert.rejects(runs.full(), /under way/);
  assert.equal((await first).differences, 0);
  assert.equal((await runs.full()).differences, 0);
  directory.close();
});

test('one domain anew: a row that is lost, and its address leads to somebody else', async () => {
  const directory = await populated();
  const { runs, writer, reader } = directory;
  const right = readTables(reader);
  await writer.execute(execute, breaks['an address that leads to somebody else']![1]);
  await writer.execute(execute, "DELETE FROM alias_entry WHERE dn LIKE 'uid=dan%'");
  const before = reader.revision();
  assert.equal((await runs.domain('b.example')).differences, 2);
  assert.deepEqual(readTables(reader), right);
  const remembered = rowAt(reader, 'alias', 'd@b.example', before);
  assert.match(String(remembered), /^uid=ben/, 'the history says what it led to');
  directory.close();
});

test('one domain anew: its row, its people and those who are gone; what is another domain’s stays as it is', async () => {
  const directory = await populated();
  const { runs, writer, reader } = directory;
  const right = readTables(reader);
  for (const [what, [key, sql]] of Object.entries(breaks))
    if (/acme/.test(key) && what) await writer.execute(execute, sql);
  await writer.execute(execute, breaks['an address that leads to somebody else']![1]);
  const before = reader.revision();
  const done = await runs.domain('acme.example');
  assert.deepEqual([done.domains, done.addresses, done.differences], [1, 3, 4]);
  assert.deepEqual(named(await runs.verify()), ['alias d@b.example']);
  assert.equal(directory.cache.route('acme.example')?.mailDomainStatus, undefined);
  assert.ok(reader.revision() > before, 'what was mended is at a revision of its own');
  assert.equal((await runs.domain('b.example')).differences, 1);
  assert.deepEqual(readTables(reader), right);
  const still = reader.revision();
  assert.equal((await runs.domain('b.example')).differences, 0);
  assert.equal(reader.revision(), still);
  await assert.rejects(runs.domain('nowhere.example'), /not a mail domain/);
  directory.close();
});

test('the digest is the same however the entries came, and its lines are in order and complete', async () => {
  const turn = (): Promise<void> => Promise.resolve();
  const one = await populated(['ann', 'ben', 'cid']);
  const uuids = new Map(one.reader.arrays('SELECT dn, uuid FROM dit').map(([dn, uuid]) => [String(dn), String(uuid)]));
  const other = await populated(['cid', 'ann', 'ben']);
  // The same entries have the same UUIDs where a directory is shared.
  const share = operation('test.share', async (tx, pairs: readonly (readonly [string, string])[]) => {
    for (const [dn, uuid] of pairs) {
      await tx.run('UPDATE account SET uuid = ? WHERE uuid = (SELECT uuid FROM dit WHERE dn = ?)', uuid, dn);
      await tx.run('UPDATE dit SET uuid = ? WHERE dn = ?', uuid, dn);
    }
  });
  await other.writer.execute(share, [...uuids]);
  await other.runs.full();
  assert.deepEqual(digestLines(other.reader, undefined, ''), digestLines(one.reader, undefined, ''));
  const digest = await digestTables(one.reader, undefined, turn);
  assert.deepEqual({ ...(await digestTables(other.reader, undefined, turn)), revision: 0 }, { ...digest, revision: 0 });
  const lines: string[] = [];
  for (
    let page = digestLines(one.reader, undefined, '');
    page.length > 0;
    page = digestLines(one.reader, undefined, page.at(-1)!)
  )
    lines.push(...page);
  assert.equal(lines.length, digest.rows);
  for (const [i, line] of lines.entries())
    assert.deepEqual(digestLines(one.reader, undefined, line), lines.slice(i + 1), `behind ${line}`);
  assert.deepEqual(
    lines,
    lines
      .map((line) => Buffer.from(line))
      .sort(Buffer.compare)
      .map(String),
  );
  assert.ok(lines.some((line) => line.startsWith('member\t')));
  const ofDomain = await digestTables(one.reader, 'acme.example', turn);
  assert.ok(ofDomain.rows > 0 && ofDomain.rows < digest.rows);
  await other.apply(replace(userDn('ann@acme.example'), { mailUserStatus: 'inactive' }));
  assert.notEqual((await digestTables(other.reader, 'acme.example', turn)).digest, ofDomain.digest);
  assert.equal(
    (await digestTables(other.reader, 'b.example', turn)).digest,
    (await digestTables(one.reader, 'b.example', turn)).digest,
  );
  one.close();
  other.close();
});
