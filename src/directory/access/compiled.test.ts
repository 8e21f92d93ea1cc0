// When rules are read again: where one has changed; and when callers are looked at again: where a role, or a group that a rule names,
// has, too. At nothing else.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Reader } from '../../database/operation.ts';
import { callerOf } from '../caller.ts';
import { getEntry } from '../entries.ts';
import type { DirectoryChange } from '../entry.ts';
import { followPublished } from '../once-a-revision.ts';
import { openTestDirectory, replaceAci, type TestDirectory } from '../testing.ts';
import { DEFAULT_RULES } from './default-rules.ts';
import { groupsOf } from './groups.ts';
import { sightOf } from './sight.ts';

const ANN = 'uid=ann,o=internet';
const BOB = 'uid=bob,o=internet';
const ACME = 'dc=acme,o=internet';
const [NAMED, INNER, OTHER] = ['cn=named,o=internet', 'cn=inner,o=internet', 'cn=other,o=internet'] as const;

let directory: TestDirectory;
/** Statements that read rules, those that read who administers a domain, and all. */
let [compilations, plans, statements] = [0, 0, 0];
let reader: Reader;
before(async () => {
  directory = await openTestDirectory();
  const { arrays } = directory.reader;
  reader = Object.assign(Object.create(directory.reader) as Reader, {
    arrays(sql: string, ...parameters: never[]) {
      statements++;
      if (sql.includes("attribute = 'aci'")) compilations++;
      if (sql.includes("attribute = 'waypostadministrator'")) plans++;
      return arrays.call(directory.reader, sql, ...parameters);
    },
    snapshot: <T>(read: () => T): T => directory.reader.snapshot(read),
    revision: () => directory.reader.revision(),
  });
  await directory.apply(replaceAci('o=internet', DEFAULT_RULES));
  for (const dn of [ANN, BOB])
    await directory.add(dn, { objectClass: 'inetOrgPerson', uid: dn.slice(4, 7), cn: 'x', sn: 'x' });
  await directory.add(ACME, { objectClass: ['domain', 'inetDomain', 'mailDomain'], dc: 'acme' });
  for (const dn of [NAMED, INNER, OTHER])
    await directory.add(dn, { objectClass: 'groupOfNames', cn: dn.slice(3, dn.indexOf(',')), member: BOB });
});
after(() => directory.close());

const look = () => sightOf(reader, callerOf(getEntry(directory.reader, ANN)), true);
const replace = (dn: string, attribute: string, values: readonly string[]): DirectoryChange => ({
  kind: 'modify',
  dn,
  modifications: [{ operation: 'replace', attribute, values }],
});

async function compiledBy(change: DirectoryChange): Promise<number> {
  look();
  const before = compilations;
  await directory.apply(change);
  look();
  look();
  return compilations - before;
}

/** Of a change that makes no rule another. */
async function plannedBy(change: DirectoryChange): Promise<number> {
  look();
  const before = plans;
  assert.equal(await compiledBy(change), 0);
  return plans - before;
}

test('an operation that finds nothing changed reads one row', () => {
  look();
  const before = statements;
  look();
  assert.equal(statements - before, 1);
});

test('where the published revision is known, one that finds nothing published reads none', async () => {
  const own = Object.create(reader) as Reader;
  const lookAs = () => sightOf(own, callerOf(getEntry(directory.reader, ANN)), true);
  let published = directory.reader.revision() as number;
  followPublished(own, () => published);
  lookAs();
  const before = statements;
  lookAs();
  assert.equal(statements - before, 0);
  // Not published yet: what it reads then does not hold beyond.
  await directory.apply(replace(BOB, 'description', ['x']));
  published = directory.reader.revision();
  const compiled = compilations;
  lookAs();
  assert.equal(statements - before, 1);
  lookAs();
  assert.equal(statements - before, 1);
  await directory.apply(replaceAci('o=internet', DEFAULT_RULES.slice(1)));
  published = directory.reader.revision();
  lookAs();
  assert.equal(compilations - compiled, 1);
  await directory.apply(replaceAci('o=internet', DEFAULT_RULES));
  // Committed, and not published: it may be seen, and is asked for again.
  lookAs();
  lookAs();
  published = directory.reader.revision();
  lookAs();
  const known = statements;
  lookAs();
  assert.equal(statements, known);
});

test('what is no rule, no role and no group that one names compiles nothing', async () => {
  assert.equal(await plannedBy(replace(BOB, 'description', ['x'])), 0);
  assert.equal(await plannedBy(replace(OTHER, 'member', [ANN, BOB])), 0);
  assert.equal(await compiledBy(replace(ACME, 'description', ['x'])), 0);
  const add = { kind: 'add', dn: 'uid=new,o=internet' } as const;
  const attributes = [
    { name: 'objectClass', values: ['inetOrgPerson'] },
    { name: 'cn', values: ['x'] },
    { name: 'sn', values: ['x'] },
  ];
  assert.equal(await plannedBy({ ...add, attributes }), 0);
  assert.equal(await plannedBy({ kind: 'delete', dn: add.dn }), 0);
});

test('a rule compiles once, a role and a group that is named none: each caller is looked at once', async () => {
  const rule = `(targetattr="*")(version 3.0; acl "x"; allow (read) groupdn="ldap:///${NAMED}";)`;
  assert.equal(await compiledBy(replaceAci(ACME, [rule])), 1);
  assert.equal(await plannedBy(replace(NAMED, 'member', [BOB, INNER])), 1);
  assert.equal(await plannedBy(replace(INNER, 'member', [BOB, ANN])), 1);
  assert.ok(look().shown(getEntry(directory.reader, ACME)));
  assert.equal(await plannedBy(replace(INNER, 'member', [BOB])), 1);
  assert.equal(look().shown(getEntry(directory.reader, ACME)), undefined);
  assert.equal(await plannedBy(replace(ACME, 'waypostAdministrator', [OTHER])), 1);
  assert.equal(await plannedBy(replace(OTHER, 'member', [BOB])), 1);
  assert.equal(await compiledBy(replaceAci(ACME, [])), 1);
  assert.equal(await plannedBy(replace(INNER, 'member', [ANN])), 0);
});

test('of a host counts whether it is a server: it says where it is at each start, and its feed must not begin anew', async () => {
  const [top, hosts] = ['ou=Waypost,o=internet', 'ou=Hosts,ou=Waypost,o=internet'];
  for (const dn of [top, hosts])
    await directory.add(dn, { objectClass: 'organizationalUnit', ou: dn.slice(3, dn.indexOf(',')) });
  const host = `cn=mx2.example,${hosts}`;
  const attributes = [
    { name: 'objectClass', values: ['waypostHost'] },
    { name: 'cn', values: ['mx2.example'] },
  ];
  assert.equal(await plannedBy({ kind: 'add', dn: host, attributes }), 0);
  const becomes = (classes: readonly string[], passwords: readonly string[]): DirectoryChange => ({
    kind: 'modify',
    dn: host,
    modifications: [
      { operation: 'replace', attribute: 'objectClass', values: classes },
      { operation: 'replace', attribute: 'userPassword', values: passwords },
    ],
  });
  const server = becomes(['waypostHost', 'simpleSecurityObject'], ['{SSHA}x']);
  assert.equal(await plannedBy(server), 1);
  assert.equal(await plannedBy(replace(host, 'userPassword', ['{SSHA}y'])), 0);
  assert.equal(await plannedBy(replace(host, 'waypostHostPort', ['2525'])), 0);
  assert.equal(await plannedBy(becomes(['waypostHost'], [])), 1);
  await directory.apply(server);
  assert.equal(await plannedBy({ kind: 'delete', dn: host }), 1);
});

test('a role does not vanish among many groups, and where they are too many nothing is decided', async () => {
  const many = Array.from({ length: 1100 }, (_, n) => `cn=g${n},o=internet`);
  for (const dn of many)
    await directory.add(dn, { objectClass: 'groupOfNames', cn: dn.slice(3, dn.indexOf(',')), member: ANN });
  const last = 'cn=last,o=internet';
  await directory.add(last, { objectClass: 'groupOfNames', cn: 'last', member: ANN });
  const rule = `(targetattr="*")(version 3.0; acl "x"; allow (read) groupdn="ldap:///${last}";)`;
  await directory.apply(replaceAci(ACME, [rule]));
  assert.ok(look().shown(getEntry(directory.reader, ACME)));
  await directory.apply(replaceAci(ACME, []));
  const asks = groupsOf(ANN);
  asks.next();
  const rows = Array.from({ length: 100_001 }, (_, n) => [`o=internet,cn=g${n},`]);
  assert.throws(() => asks.next(rows), { ldap: { name: 'adminLimitExceeded' } });
});
