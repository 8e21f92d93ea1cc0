// Secrets: which attributes they are is said once, in the schema, and only the administrator over LDAP sees one.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Failure } from '../base/failure.ts';
import { parseFilter } from '../wire/ldap/filter-text.ts';
import { DEFAULT_RULES } from './access/default-rules.ts';
import { sightOf } from './access/sight.ts';
import { ANONYMOUS, callerOf } from './caller.ts';
import { getEntry } from './entries.ts';
import { fits } from './ldap-url.ts';
import { matchContext } from './match-context.ts';
import { schema } from './schema.ts';
import { withoutSecrets } from './secrets.ts';
import { loggedChanges, openTestDirectory, replaceAci, searchAll, type TestDirectory } from './testing.ts';

const DN = 'uid=ann,o=internet';
const secrets = ['userPassword', 'mgrpAuthPassword'];
/** A property of the type alone: a change by a door cannot write one. */
const writtenByServer = ['waypostToken'];
const held = Object.fromEntries(secrets.map((name) => [name, `{SSHA}of-${name}`]));

let directory: TestDirectory;
before(async () => {
  directory = await openTestDirectory();
  await directory.apply(replaceAci('o=internet', DEFAULT_RULES));
  await directory.add(DN, {
    objectClass: ['inetOrgPerson', 'inetMailGroup'],
    uid: 'ann',
    cn: 'ann',
    sn: 'ann',
    ...held,
  });
});
after(() => directory.close());

const ann = () => getEntry(directory.reader, DN);

test('a type says itself that it is a secret, and a subtype of text does not', () => {
  for (const name of [...secrets, ...writtenByServer, 'waypostSecret'])
    assert.equal(schema().attributeType(name)?.isSecret, true, name);
  for (const name of ['cn', 'mail', 'userPKCS12']) assert.equal(schema().attributeType(name)?.isSecret, false, name);
});

test('an entry without its secrets has all the rest', () => {
  const before = [...ann().attributes.keys()];
  assert.deepEqual(
    [...withoutSecrets(ann()).attributes.keys()],
    before.filter((key) => !secrets.some((name) => name.toLowerCase() === key)),
  );
});

test('the owner cannot find out a secret by a filter either', () => {
  const caller = callerOf(ann());
  const find = (attribute: string, kind: 'present' | 'equality') =>
    searchAll(
      directory.reader,
      {
        base: DN,
        scope: 'base',
        filter: kind === 'present' ? { kind, attribute } : { kind, attribute, value: `{SSHA}of-${attribute}` },
        sight: sightOf(directory.reader, caller, true),
      },
      10,
    ).length;
  for (const name of secrets) {
    assert.equal(find(name, 'present'), 0, name);
    assert.equal(find(name, 'equality'), 0, name);
  }
  assert.equal(find('uid', 'present'), 1);
});

test('a filter that stands in an entry finds out no secret: of a URL, and of an access rule', () => {
  const { reader } = directory;
  const less = '2.5.13.18:=\\ff';
  for (const text of ['(userPassword=*)', `(userPassword:${less})`, `(:${less})`, '(!(mgrpAuthPassword=x))']) {
    const filter = parseFilter(text);
    assert.equal(searchAll(reader, { base: DN, scope: 'base', filter }, 10).length, 0, text);
    assert.equal(fits({ base: DN, scope: 'base', filter: text }, ann(), matchContext(reader)), false, text);
  }
  assert.equal(fits({ base: DN, scope: 'base', filter: '(uid=ann)' }, ann(), matchContext(reader)), true);
});

test('an access rule that asks by a matching rule alone sees no secret either', async () => {
  const allow = (filter: string): string =>
    `(targetattr="cn")(targetfilter="${filter}")(version 3.0; acl "x"; allow (read) userdn="ldap:///anyone";)`;
  const isSeen = async (filter: string): Promise<boolean> => {
    await directory.apply(replaceAci('o=internet', [allow(filter)]));
    return sightOf(directory.reader, ANONYMOUS, true).shown(ann()) !== undefined;
  };
  assert.equal(await isSeen('(:caseIgnoreMatch:=ann)'), true);
  assert.equal(await isSeen('(:2.5.13.18:=\\ff)'), false);
  await directory.apply(replaceAci('o=internet', DEFAULT_RULES));
});

test('the change log says that a secret changed and not to what', async () => {
  await directory.apply({
    kind: 'modify',
    dn: DN,
    modifications: secrets.map((attribute) => ({ operation: 'replace', attribute, values: ['{SSHA}other'] })),
  });
  const change = loggedChanges(directory.reader, 0).at(-1)!;
  assert.deepEqual(
    change.attributes,
    secrets.map((name) => ({ name, removed: [], added: [] })),
  );
});

test('no name holds a secret: names are in the log and in each result', async () => {
  for (const name of secrets)
    await assert.rejects(
      directory.add(`${name}=x,o=internet`, { objectClass: 'inetOrgPerson', cn: 'x', sn: 'x', [name]: 'x' }),
      (error) => error instanceof Failure && error.ldap?.name === 'namingViolation',
    );
});
