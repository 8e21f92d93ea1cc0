// Users that take the short way of an import leave what they would leave by the way of all changes.

import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { asciiLower } from '../base/characters.ts';
import type { Transaction } from '../database/operation.ts';
import { SERVER } from '../directory/caller.ts';
import type { Attribute, ChangedEntry, DirectoryChange, Entry } from '../directory/entry.ts';
import { schema } from '../directory/schema.ts';
import { alongs } from './along.ts';
import { checks } from './checks.ts';
import { followers } from './followers.ts';
import { type ImportedRecord, type ImportOutcome, importedRecord, importRecords, type PlainFailure } from './import.ts';
import { ORDINARY_CLASSES } from './ordinary-user.ts';
import { add, addDomain, addGroup, addUser, openTestDirectory, replace, type TestDirectory } from './testing.ts';
import { ANY_SITE } from './write-options.ts';

const NOW = 1_800_000_000_000;
const RECORDS = 400;

const folder = mkdtempSync(join(tmpdir(), 'waypost-ordinary-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** `new`: another one each time. */
const given = process.env['SEED'] ?? '1';
const seed = given === 'new' ? Math.floor(Math.random() * 1e9) : Number(given);
const random = generator(seed);

test(`records of an import and changes one by one leave the same tables: SEED=${seed}`, async () => {
  const first = join(folder, 'first');
  const base = await openTestDirectory([], mkdtempSync(first));
  await base.apply(
    addDomain('a.example'),
    addDomain('b.example'),
    addDomain('hosted.example', { preferredMailHost: 'elsewhere.example' }),
    addDomain('other.example', { inetDomainBaseDN: 'dc=a,dc=example,o=internet' }),
    addUser('held@a.example'),
  );
  base.close();
  const second = mkdtempSync(join(folder, 'second'));
  cpSync(base.directory, second, { recursive: true });
  const directories = [await openTestDirectory([], base.directory), await openTestDirectory([], second)] as const;

  // One that takes the short way, one that is refused there, one that never takes it; then others.
  const sure = [
    addUser('first@a.example'),
    addUser('second@a.example', { mail: 'held@a.example' }),
    addGroup('g@a.example', []),
  ];
  const changes = [...sure, ...Array.from({ length: RECORDS }, randomChange)];
  const records = changes.map(importedRecord);
  assert.deepEqual(
    records.slice(0, 3).map(({ prepared }) => prepared !== undefined),
    [true, true, false],
  );
  const refused = await inCommits(directories[0], records);
  const plain = records.map(({ prepared: _, ...record }) => record);
  const refusedOneByOne: Refused[] = [];
  for (const [at, record] of plain.entries()) {
    const outcome = await send(directories[1], [record]);
    if ('refused' in outcome) refusedOneByOne.push([at, outcome.failure]);
  }
  assert.deepEqual(refused, refusedOneByOne);
  assert.equal(refused[0]?.[0], 1);
  const [one, other] = directories.map(contents);
  for (const [table, rows] of Object.entries(other!)) assert.deepEqual(one![table], rows, table);
  assert.deepEqual(Object.keys(one!), Object.keys(other!));
  for (const directory of directories) directory.close();
});

type Refused = readonly [at: number, failure: PlainFailure];

function send({ writer }: TestDirectory, records: readonly ImportedRecord[]): Promise<ImportOutcome> {
  return writer.execute(importRecords, { records, existing: 'refuse', caller: SERVER, now: NOW });
}

/** As admin/directory-import.ts with --continue: what stands before a record that is refused is done, then what stands behind it. */
async function inCommits(directory: TestDirectory, records: readonly ImportedRecord[]): Promise<Refused[]> {
  const refused: Refused[] = [];
  for (let from = 0; from < records.length; ) {
    const to = from + 1 + Math.floor(random() * 50);
    const outcome = await send(directory, records.slice(from, to));
    if ('refused' in outcome) {
      refused.push([from + outcome.refused, outcome.failure]);
      await send(directory, records.slice(from, from + outcome.refused));
      from += outcome.refused + 1;
    } else from = to;
  }
  return refused;
}

function randomChange(): DirectoryChange {
  const domain = pick(['a.example', 'b.example', 'hosted.example', 'missing.example']);
  const name = pick(['held', 'Ann', 'böb', `u${Math.floor(random() * 200)}`]);
  const address = `${name}@${domain}`;
  const user = addUser(address, { mail: random() < 0.9 ? address : `${name}@b.example`, ...some(FURTHER) });
  const kind = random();
  if (kind < 0.04) return addGroup(address, []);
  if (kind < 0.06) return addDomain(`${name.replace('ö', 'o')}.example`);
  if (kind < 0.08) return replace(user.dn, { description: 'changed' });
  if (kind < 0.1) return { ...user, dn: user.dn.replace('ou=People', 'OU = people') };
  if (kind < 0.12) return { ...user, dn: `cn=${name}+${user.dn}` };
  if (kind < 0.14) return { ...user, dn: `uid=below,${user.dn}` };
  if (kind < 0.16)
    return add(`cn=${name},ou=Sources,ou=Waypost,o=internet`, { objectClass: 'person', cn: name, sn: 'x' });
  return user;
}

const UUID = '01890000-0000-7000-8000-00000000000';
const FURTHER: Readonly<Record<string, () => string | readonly string[]>> = {
  mailAlternateAddress: () => [`alias${Math.floor(random() * 300)}@a.example`, 'no address'],
  mailEquivalentAddress: () => `same${Math.floor(random() * 300)}@b.example`,
  mailHost: () => pick(['mail.test.example', 'elsewhere.example']),
  mailUserStatus: () => pick(['active', 'hold', 'sleeping']),
  mailQuota: () => pick(['100M', 'much']),
  'cn;lang-fr': () => 'Anne',
  userPassword: () => ['{SSHA}5EMEN0rxohTjFStdS1vf5+zeMWpQeJll'],
  manager: () => 'uid=held, ou=People, dc=a,dc=example,o=internet',
  preferredLanguage: () => 'fr',
  aci: () => '(version 3.0; acl "x"; allow (read) userdn="ldap:///self";)',
  mgrpErrorsTo: () => 'held@a.example',
  entryUUID: () => `${UUID}${Math.floor(random() * 10)}`,
  createTimestamp: () => '20010203040506Z',
};

function some<T>(from: Readonly<Record<string, () => T>>): Record<string, T> {
  const chosen: Record<string, T> = {};
  for (const [name, make] of Object.entries(from)) if (random() < 0.12) chosen[name] = make();
  return chosen;
}

/** Rows of each table, in order, with the entry's DN in place of a UUID that was drawn. */
function contents({ reader }: TestDirectory): Record<string, string[]> {
  const all = (sql: string) => reader.all(sql).map((row) => ({ ...row }) as Record<string, unknown>);
  const names = new Map(all('SELECT uuid, path FROM dit').map((row) => [String(row['uuid']), String(row['path'])]));
  const tables = all("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").map((row) =>
    String(row['name']),
  );
  const rows = tables.map((table): [string, string[]] => {
    const made = all(`SELECT * FROM ${table}`).map((row) => {
      // By the clock of the engine.
      if (table === 'account') delete row['created'];
      if (table === 'zone_change') delete row['at'];
      return JSON.stringify(row).replace(
        /[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}/g,
        (uuid) => names.get(uuid) ?? 'drawn',
      );
    });
    return [table, made.sort()];
  });
  return Object.fromEntries(rows);
}

test('nothing that follows from a change concerns an ordinary user, but routing and the count of keys', async () => {
  const everything: Attribute[] = [{ name: 'objectClass', values: [...ORDINARY_CLASSES] }];
  const keys = new Set<string>();
  for (const name of ORDINARY_CLASSES) {
    const { must, may } = schema().objectClass(name)!;
    for (const attribute of [...must, ...may]) keys.add(schema().attributeType(attribute)!.name);
  }
  keys.delete('objectClass');
  for (const name of keys) everything.push({ name, values: ['TRUE'] });
  const entry: Entry = {
    id: 1,
    parent: 0,
    dn: 'uid=ann,ou=People,dc=a,dc=example,o=internet',
    normalizedDn: 'uid=ann,ou=people,dc=a,dc=example,o=internet',
    uuid: `${UUID}0`,
    revision: 1 as Entry['revision'],
    attributes: new Map(everything.map((attribute) => [asciiLower(attribute.name), attribute])),
    createdAt: 0,
    modifiedAt: 0,
  };
  const added: ChangedEntry = {
    kind: 'add',
    revision: entry.revision,
    before: undefined,
    after: entry,
    movesMembers: false,
  };
  const untouchable = new Proxy({} as Transaction, {
    get(_, property) {
      throw new Error(`tx.${String(property)}`);
    },
  });
  const options = { author: '', now: NOW, site: ANY_SITE };
  for (const check of checks) await check(untouchable, added);
  for (const along of alongs) assert.deepEqual(await along(untouchable, added, options), [], along.name);
  for (const follow of followers)
    if (!['noteKeys', 'synchronizeEntry'].includes(follow.name))
      assert.equal(await follow(untouchable, added, options), undefined, follow.name);
});

function pick<T>(from: readonly T[]): T {
  return from[Math.floor(random() * from.length)]!;
}

/** The same numbers for the same seed. */
function generator(state: number): () => number {
  let at = state >>> 0;
  return () => {
    at = (at + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(at ^ (at >>> 15), at | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
