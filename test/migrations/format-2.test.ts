// A store of format 2, made by the last program that writes it: its lists have the same members, as rows, and its next
// change of one touches that one.
//
// In      format-2/: the store, and what the old program answered (make.ts says how)
// Out     the same answers from the migrated store; members that a language tag told apart stand together

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { Attribute, Change } from 'ldapts';
import { silentLog } from '../../src/base/log.ts';
import { FORMAT } from '../../src/database/format.ts';
import { bringToFormat } from '../../src/server/upgrade.ts';
import { administrator, userDn } from '../support/directory.ts';
import { startWaypost } from '../support/server.ts';
import { answers, withoutGivenAtStart, withoutMadeAtStart, withoutOffers } from './answers.ts';
import { contents, copyOfStore, made } from './fixture.ts';
import { questions } from './format-2/questions.ts';

const LONG = 'cn=long,ou=Groups,dc=acme,dc=example,o=internet';
const person = (n: number): string => userDn(`p${n}@acme.example`);

/** What the old program said, what is said now. */
const meant: readonly (readonly [old: string, now: string])[] = [
  // The value that both have is one.
  [
    '  mgrpRFC822MailMember: "Ünï@far.example"\n  mgrpRFC822MailMember;lang-fr: "ann@far.example"\n  mgrpRFC822MailMember;lang-fr: "anne@far.example"\n',
    '  mgrpRFC822MailMember: "Ünï@far.example"\n  mgrpRFC822MailMember: "anne@far.example"\n',
  ],
];

test('the lists of a migrated store have the members that they had, in their order, and go on', async () => {
  using store = copyOfStore({ format: 2 });
  await using server = await startWaypost({ data: store.data, config: 'threads = 1\n[auth]\nscram = "off"\n' });
  await server.said(/\n/);
  const [first] = server.stderr().split('\n');
  assert.equal(first, `migrating the store from format 2 to ${FORMAT} (0 messages); copy: store.db.format-2`);
  const { ldap } = await answers(server, questions);
  let expected = readFileSync(join(made(2), 'ldap.txt'), 'utf8');
  for (const [old, now] of meant) {
    assert.ok(expected.includes(old), `the old program did not say ${old}`);
    expected = expected.replaceAll(old, now);
  }
  const [said, wanted] = withoutGivenAtStart(withoutOffers(withoutMadeAtStart(ldap)), withoutOffers(expected));
  assert.deepEqual(said.split('\n'), wanted.split('\n'));

  const client = await administrator(server);
  const change = (operation: 'add' | 'delete', dn: string) =>
    client.modify(LONG, new Change({ operation, modification: new Attribute({ type: 'uniqueMember', values: [dn] }) }));
  await assert.rejects(change('add', person(300)));
  await change('add', person(301));
  await change('delete', person(0).toUpperCase());
  const { searchEntries } = await client.search(LONG, { scope: 'base' });
  const members = [1, 2, ...Array.from({ length: 298 }, (_, n) => n + 4)].map(person);
  assert.deepEqual(searchEntries[0]!['uniqueMember'], members);
  await client.unbind();
});

test('every member is one row, counted, and no entry has a copy of it', () => {
  using store = copyOfStore({ format: 2 });
  const old = contents(store.path);
  bringToFormat(store.data, { log: silentLog, synchronous: 'FULL' });
  assert.deepEqual(contents(`${store.path}.format-2`), old);
  const database = new DatabaseSync(store.path, { readOnly: true });
  const rows = (sql: string): unknown[][] =>
    database
      .prepare(sql)
      .all()
      .map((row) => Object.values(row));
  const counts = new Map<string, string>();
  for (const [entry, attribute, count, length] of rows(
    'SELECT entry, attribute, count(*), sum(length(value)) FROM dit_value GROUP BY entry, attribute ORDER BY entry, min(id)',
  ))
    counts.set(
      String(entry),
      [counts.get(String(entry)), JSON.stringify([attribute, count, length])].filter(Boolean).join(),
    );
  for (const [id, text, json] of rows('SELECT id, member_counts, attributes FROM dit')) {
    const counted = counts.get(String(id));
    assert.equal(text, counted === undefined ? '' : `[${counted}]`);
    for (const [name] of JSON.parse(String(json)) as [string][]) assert.doesNotMatch(name, /member/i);
  }
  assert.equal(counts.size, 3);
  assert.deepEqual(rows('SELECT value, target FROM dit_value WHERE target IS NOT NULL ORDER BY id'), [
    [`${person(7)}#'01'B`, person(7).toLowerCase()],
    ['"a quoted"@far.example', 'a quoted@far.example'],
    ['no address', ''],
  ]);
  database.close();
});
