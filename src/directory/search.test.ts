import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Failure } from '../base/failure.ts';
import type { Filter } from '../wire/ldap/filter.ts';
import { getEntry } from './entries.ts';
import { compileFilter, OUTSIDE } from './match.ts';
import { matchContext } from './match-context.ts';
import { selectAttributes, selectionOf } from './operational.ts';
import { type EntrySearch, Search, type SearchCursor } from './search.ts';
import { planLookups } from './search-plan.ts';
import { openTestDirectory, searchAll, type TestDirectory } from './testing.ts';

let directory: TestDirectory;
before(async () => {
  directory = await openTestDirectory();
  await directory.add('cn=Directory Manager', {
    objectClass: ['person'],
    cn: 'Directory Manager',
    sn: 'x',
    userPassword: '{X}y',
  });
  await directory.add('dc=example,o=internet', { objectClass: 'domain', dc: 'example' });
  await directory.add('ou=People,dc=example,o=internet', { objectClass: 'organizationalUnit', ou: 'People' });
  for (const [uid, cn, mail] of [
    ['ann', 'Ann  Bell', 'ann@acme.example'],
    ['bob', 'Bob (the *) Builder', 'bob@acme.example'],
    ['eve', 'Ève Ångström', 'eve@other.example'],
  ] as const) {
    await directory.add(`uid=${uid},ou=People,dc=example,o=internet`, {
      objectClass: ['inetOrgPerson', 'inetLocalMailRecipient', 'posixAccount'],
      uid,
      cn,
      sn: cn.split(' ').at(-1)!,
      mail,
      mailAlternateAddress: [`${uid}.alias@acme.example`],
      telephoneNumber: '+1 555-0100',
      userPassword: '{SSHA}abc',
      employeeNumber: '10',
      uidNumber: uid === 'ann' ? '9' : '10',
      gidNumber: '10',
      homeDirectory: '/',
    });
  }
  await directory.add('cn=all,dc=example,o=internet', {
    objectClass: 'groupOfUniqueNames',
    cn: 'all',
    uniqueMember: ['UID=Ann, ou=people,dc=Example,o=internet', 'uid=bob,ou=People,dc=example,o=internet'],
  });
});
after(() => directory.close());

const all: Filter = { kind: 'present', attribute: 'objectClass' };
const equal = (attribute: string, value: string): Filter => ({ kind: 'equality', attribute, value });

const not = (filter: Filter): Filter => ({ kind: 'not', filter });
const everyone = ['cn=all', 'dc=example', 'o=internet', 'ou=People', 'uid=ann', 'uid=bob', 'uid=eve'];

/** RFC 4511 §4.5.1.7: what cannot be evaluated for any value is Undefined, and so is its negation. */
const notEvaluable: Filter[] = [
  equal('objectClass', 'computer'),
  equal('objectClass', 'not a class'),
  equal('shoe', 'x'),
  equal('uidNumber', 'x'),
  equal('telephoneNumber', 'ä'),
  equal('mailHost', 'ä.acme.example'),
  equal('cn', ''),
  equal('uniqueMember', 'x'),
  equal('entryUUID', 'x'),
  equal('hasSubordinates', 'true'),
  equal('createTimestamp', 'yesterday'),
  { kind: 'greaterOrEqual', attribute: 'uidNumber', value: 'x' },
  { kind: 'greaterOrEqual', attribute: 'cn', value: 'a' },
  { kind: 'approx', attribute: 'objectClass', value: 'computer' },
  { kind: 'substrings', attribute: 'telephoneNumber', any: ['ä'] },
  { kind: 'substrings', attribute: 'mailHost', initial: 'ä', any: [] },
  { kind: 'substrings', attribute: 'uniqueMember', initial: 'uid', any: [] },
  { kind: 'present', attribute: 'shoe' },
  {
    kind: 'extensible',
    rule: 'objectIdentifierMatch',
    attribute: 'objectClass',
    value: 'computer',
    dnAttributes: false,
  },
  { kind: 'extensible', rule: '1.2.3', attribute: 'cn', value: 'x', dnAttributes: false },
];

function names(filter: Filter, base = 'o=internet', scope: 'base' | 'one' | 'sub' = 'sub'): string[] {
  return searchAll(directory.reader, { base, scope, filter }, 100).map(({ dn }) => dn.split(',')[0]!);
}

describe('search', () => {
  it('covers the scope that is asked for', () => {
    assert.deepEqual(names(all, 'dc=example,o=internet', 'base'), ['dc=example']);
    assert.deepEqual(names(all, 'dc=example,o=internet', 'one'), ['ou=People', 'cn=all']);
    assert.deepEqual(names(all).sort(), everyone);
    assert.deepEqual(names(equal('uid', 'ann'), 'dc=example,o=internet', 'one'), []);
    assert.deepEqual(names(equal('uid', 'ann'), 'cn=all,dc=example,o=internet', 'sub'), []);
  });

  it('without its base names what is there', () => {
    assert.throws(
      () => names(all, 'ou=x,dc=example,o=internet'),
      (error) => error instanceof Failure && error.ldap?.matchedDn === 'dc=example,o=internet',
    );
  });

  const filters: [what: string, filter: Filter, found: string[]][] = [
    ['equality in any case and spacing', equal('CN', ' ann BELL '), ['uid=ann']],
    ['an attribute by its other name', equal('mailLocalAddress', 'ann.alias@ACME.example'), ['uid=ann']],
    ['a supertype', equal('name', 'bell'), ['uid=ann']],
    ['characters beyond ASCII', equal('cn', 'èVE åNGSTRÖM'), ['uid=eve']],
    ['a member by another spelling', equal('uniqueMember', 'uid=ann,OU=People,dc=example,o=Internet'), ['cn=all']],
    ['a superclass', equal('objectClass', 'person'), ['uid=ann', 'uid=bob', 'uid=eve']],
    ['a class by OID', equal('objectClass', '2.5.6.17'), ['cn=all']],
    ['a telephone number', equal('telephoneNumber', '+15550100'), ['uid=ann', 'uid=bob', 'uid=eve']],
    ['an unknown attribute', equal('shoe', 'x'), []],
    ['not an unknown attribute', { kind: 'not', filter: equal('shoe', 'x') }, []],
    ['an unknown class', equal('objectClass', 'computer'), []],
    ['not a class that no entry has', not(equal('objectClass', '1.2.3.4')), everyone],
    ['not what no rule can evaluate', { kind: 'or', filters: notEvaluable.map(not) }, []],
    [
      'what no rule can evaluate beside what one can',
      { kind: 'or', filters: [...notEvaluable, equal('uid', 'ann')] },
      ['uid=ann'],
    ],
    [
      'integers by size, where they are',
      { kind: 'greaterOrEqual', attribute: 'uidNumber', value: '10' },
      ['uid=bob', 'uid=eve'],
    ],
    ['integers from above', { kind: 'lessOrEqual', attribute: 'uidNumber', value: '9' }, ['uid=ann']],
    ['order where there is none', { kind: 'greaterOrEqual', attribute: 'cn', value: 'a' }, []],
    ['a beginning', { kind: 'substrings', attribute: 'mail', initial: 'ANN', any: [] }, ['uid=ann']],
    ['a beginning with a space', { kind: 'substrings', attribute: 'cn', initial: 'ann ', any: [] }, ['uid=ann']],
    ['a middle', { kind: 'substrings', attribute: 'cn', any: ['*) '] }, ['uid=bob']],
    ['an end', { kind: 'substrings', attribute: 'mail', any: [], final: 'other.example' }, ['uid=eve']],
    [
      'parts in order',
      { kind: 'substrings', attribute: 'cn', initial: 'bob', any: ['the', 'bui'], final: 'r' },
      ['uid=bob'],
    ],
    ['parts out of order', { kind: 'substrings', attribute: 'cn', initial: 'bob', any: ['bui', 'the'] }, []],
    ['parts that overlap', { kind: 'substrings', attribute: 'uid', initial: 'an', any: [], final: 'nn' }, []],
    [
      'presence of what is made',
      { kind: 'and', filters: [{ kind: 'present', attribute: 'entryUUID' }, equal('uid', 'bob')] },
      ['uid=bob'],
    ],
    ['no presence', { kind: 'and', filters: [{ kind: 'present', attribute: 'title' }, equal('uid', 'bob')] }, []],
    ['approximately', { kind: 'approx', attribute: 'cn', value: 'ann bell' }, ['uid=ann']],
    ['the empty and', { kind: 'and', filters: [equal('uid', 'ann'), { kind: 'and', filters: [] }] }, ['uid=ann']],
    ['the empty or', { kind: 'or', filters: [] }, []],
    [
      'or over indexes',
      { kind: 'or', filters: [equal('uid', 'ann'), equal('mail', 'bob@acme.example'), equal('shoe', 'x')] },
      ['uid=ann', 'uid=bob'],
    ],
    [
      'or with what has no index',
      { kind: 'or', filters: [equal('uid', 'ann'), equal('employeeNumber', '10')] },
      ['uid=ann', 'uid=bob', 'uid=eve'],
    ],
    [
      'and not',
      { kind: 'and', filters: [equal('objectClass', 'person'), { kind: 'not', filter: equal('uid', 'ann') }] },
      ['uid=bob', 'uid=eve'],
    ],
    [
      'entries with subordinates',
      { kind: 'and', filters: [equal('hasSubordinates', 'TRUE'), equal('objectClass', 'organizationalUnit')] },
      ['ou=People'],
    ],
    [
      'a rule by name',
      { kind: 'extensible', rule: 'caseExactMatch', attribute: 'cn', value: 'Ann Bell', dnAttributes: false },
      ['uid=ann'],
    ],
    [
      'a rule that sees case',
      { kind: 'extensible', rule: '2.5.13.5', attribute: 'cn', value: 'ann bell', dnAttributes: false },
      [],
    ],
    [
      'a rule without attribute',
      { kind: 'extensible', rule: 'caseIgnoreIA5Match', value: 'example', dnAttributes: false },
      ['dc=example'],
    ],
    [
      'attributes of the name',
      { kind: 'extensible', attribute: 'ou', value: 'people', dnAttributes: true },
      ['ou=People', 'uid=ann', 'uid=bob', 'uid=eve'],
    ],
    ['an unknown rule', { kind: 'extensible', rule: '1.2.3', attribute: 'cn', value: 'x', dnAttributes: false }, []],
  ];
  for (const item of notEvaluable)
    it(`is Undefined for ${JSON.stringify(item)}`, () => assert.deepEqual(names(not(item)), []));
  for (const [what, filter, found] of filters) it(`by ${what}`, () => assert.deepEqual(names(filter).sort(), found));

  it('by UUID', () => {
    const { uuid } = getEntry(directory.reader, 'uid=bob,ou=People,dc=example,o=internet');
    assert.deepEqual(names(equal('entryUUID', uuid.toUpperCase())), ['uid=bob']);
  });

  it('goes on from where an earlier search stood, by an index and without one', () => {
    const request = { base: 'ou=People,dc=example,o=internet', filter: equal('objectClass', 'person') };
    for (const more of [
      { scope: 'one', filter: { kind: 'present', attribute: 'sn' } },
      { scope: 'sub', filter: { kind: 'present', attribute: 'sn' } },
      { scope: 'sub' },
    ] as const) {
      const found: string[] = [];
      let from: SearchCursor | undefined;
      for (;;) {
        const search = new Search(directory.reader, { ...request, ...more, ...(from === undefined ? {} : { from }) });
        found.push(...search.next(1).map(({ dn }) => dn.slice(4, 7)));
        if (search.done) break;
        from = JSON.parse(JSON.stringify(search.cursor));
      }
      assert.deepEqual(found, ['ann', 'bob', 'eve']);
    }
  });

  it('gives all that one value leads to, a few or many, in pages of any size', async () => {
    for (const count of [3, 16, 17, 40]) {
      const uids = Array.from({ length: count }, (_, n) => `t${n}`);
      const team = `team${count}`;
      for (const uid of uids)
        await directory.add(`uid=${uid},ou=People,dc=example,o=internet`, { objectClass: 'account', uid, ou: team });
      await directory.add('uid=out,o=internet', { objectClass: 'account', uid: 'out', ou: team });
      const filters: Filter[] = [equal('ou', team), { kind: 'and', filters: [equal('ou', team), all] }];
      for (const filter of filters)
        for (const page of [1, 2, 16, 100]) {
          const request: EntrySearch = { base: 'dc=example,o=internet', scope: 'sub', filter };
          const search = new Search(directory.reader, request);
          const found: string[] = [];
          while (!search.done) found.push(...search.next(page).map(({ dn }) => dn.slice(4, dn.indexOf(','))));
          assert.deepEqual(found, uids);
          const begun = new Search(directory.reader, request);
          const first = begun.next(page);
          const from = begun.cursor;
          const rest = from === undefined ? [] : new Search(directory.reader, { ...request, from }).next(100);
          assert.equal(first.length + rest.length, count);
        }
      await directory.apply({ kind: 'delete', dn: 'uid=out,o=internet' });
      for (const uid of uids)
        await directory.apply({ kind: 'delete', dn: `uid=${uid},ou=People,dc=example,o=internet` });
    }
  });

  it('gives pages, whatever happens between them', async () => {
    for (const scope of ['one', 'sub'] as const) {
      const search = new Search(directory.reader, {
        base: 'ou=People,dc=example,o=internet',
        scope,
        filter: equal('objectClass', 'person'),
      });
      const pages: string[][] = [];
      while (!search.done) pages.push(search.next(1).map(({ dn }) => dn));
      assert.deepEqual(
        pages.flat(),
        ['ann', 'bob', 'eve'].map((uid) => `uid=${uid},ou=People,dc=example,o=internet`),
      );
    }
    const search = new Search(directory.reader, { base: 'o=internet', scope: 'sub', filter: equal('uid', 'gone') });
    await directory.add('uid=gone,o=internet', { objectClass: 'account', uid: 'gone' });
    const later = new Search(directory.reader, { base: 'o=internet', scope: 'sub', filter: equal('uid', 'gone') });
    await directory.apply({ kind: 'delete', dn: 'uid=gone,o=internet' });
    assert.deepEqual([...search.next(10), ...later.next(10)], []);
  });
});

describe('the ways to narrow a search', () => {
  const begins = (initial: string): Filter => ({ kind: 'substrings', attribute: 'mail', initial, any: [] });
  const each = (make: (n: number) => Filter): Filter[] => Array.from({ length: 3000 }, (_, n) => make(n));

  it('are few, the likely best first, and equal ones are one', () => {
    const ways = (filters: Filter[]) => planLookups({ kind: 'and', filters })!;
    assert.equal(ways(each(() => begins('a'))).length, 1);
    const many = ways([...each((n) => begins(`a${n}`)), equal('uid', 'ann')]);
    assert.deepEqual([many.length, many[0]![0]!.kind], [8, 'equal']);
    const [either] = planLookups({ kind: 'or', filters: each((n) => begins(`a${n % 2}`)).slice(0, 900) })!;
    assert.equal(either!.length, 2);
  });

  it('are what the filter’s attribute is kept by; what is kept by nothing is found by a walk', () => {
    const starts = (attribute: string, initial?: string): Filter => ({
      ...{ kind: 'substrings', attribute, any: [] },
      ...(initial === undefined ? {} : { initial }),
    });
    const kinds = (filter: Filter) => planLookups(filter)?.map((lookups) => lookups.map(({ kind }) => kind));
    const group = 'cn=l1,o=internet';
    assert.deepEqual(kinds(equal('uid', 'ann')), [['equal']]);
    assert.deepEqual(kinds(equal('member', group)), [['member']]);
    assert.deepEqual(kinds(equal('memberOf', group)), [['memberOf']]);
    assert.deepEqual(kinds(equal('entryUUID', '6e1f4c1e-0000-4000-8000-000000000001')), [['uuid']]);
    assert.deepEqual(kinds(starts('mail', 'ann@')), [['begins']]);
    assert.deepEqual(kinds(starts('mgrpRFC822MailMember', 'ann@')), [['memberBegins']]);
    for (const walked of [starts('mail'), starts('description', 'a'), equal('description', 'a')])
      assert.equal(kinds(walked), undefined, JSON.stringify(walked));
    for (const never of [equal('nothing', 'a'), equal('member', 'no name'), starts('member', 'cn=')])
      assert.deepEqual(kinds(never), [[]], JSON.stringify(never));
  });

  it('read so many rows together and no more', async () => {
    const lists = ['l1', 'l2', 'l3'].map((name) => `cn=${name},o=internet`);
    for (const [at, dn] of lists.entries())
      await directory.add(dn, {
        objectClass: 'groupOfNames',
        cn: `l${at + 1}`,
        member: [
          'uid=ann,ou=People,dc=example,o=internet',
          ...Array.from({ length: 4000 }, (_, n) => `uid=m${n},dc=${at}`),
        ],
      });
    const walkedFor = (kind: 'and' | 'or', ...of: string[]) => {
      const filter: Filter = { kind, filters: of.map((dn) => equal('memberOf', dn)) };
      const search = new Search(directory.reader, { base: 'o=internet', scope: 'sub', filter });
      const found: string[] = [];
      while (!search.done) found.push(...search.next(100).map(({ dn }) => dn.slice(0, 7)));
      assert.deepEqual(found, ['uid=ann']);
      return search.walked > 0;
    };
    assert.equal(walkedFor('or', ...lists.slice(0, 2)), false);
    assert.equal(walkedFor('and', ...lists), false);
    assert.equal(walkedFor('or', ...lists), true);
    for (const dn of lists) await directory.apply({ kind: 'delete', dn });
  });
});

describe('the logic of filters', () => {
  it('has three values', () => {
    const entry = getEntry(directory.reader, 'uid=ann,ou=People,dc=example,o=internet');
    const value = { T: equal('uid', 'ann'), F: equal('uid', 'x'), U: equal('shoe', 'x') };
    const table: [string, boolean | undefined][] = [
      ['&TT', true],
      ['&TF', false],
      ['&TU', undefined],
      ['&FU', false],
      ['&UU', undefined],
      ['|FF', false],
      ['|TF', true],
      ['|TU', true],
      ['|FU', undefined],
      ['|UU', undefined],
      ['!T', false],
      ['!F', true],
      ['!U', undefined],
    ];
    for (const [text, expected] of table) {
      const [operator, ...operands] = text as unknown as [string, ...(keyof typeof value)[]];
      const filters = operands.map((name) => value[name]);
      const filter: Filter =
        operator === '!' ? { kind: 'not', filter: filters[0]! } : { kind: operator === '&' ? 'and' : 'or', filters };
      assert.equal(compileFilter(filter)(entry, OUTSIDE), expected, text);
    }
  });
});

describe('what a result shows', () => {
  const shown = (...attributes: string[]) => {
    const entry = getEntry(directory.reader, 'uid=ann,ou=People,dc=example,o=internet');
    const chosen = selectAttributes(entry, selectionOf(attributes), matchContext(directory.reader));
    return chosen.map(({ name }) => name);
  };

  it('is all user attributes when nothing is named', () => {
    assert.ok(shown().includes('mail'));
    assert.equal(shown().includes('entryUUID'), false);
    assert.deepEqual(shown('*'), shown());
  });

  it('is what was named, under the name that was used', () => {
    assert.deepEqual(shown('MAILLOCALADDRESS', 'userid', 'ENTRYuuid', '1.1', 'shoe'), [
      'userid',
      'mailLocalAddress',
      'entryUUID',
    ]);
    assert.deepEqual(shown('1.1'), []);
  });

  it('takes subtypes with their supertype, a class with @, operational ones with +', () => {
    assert.deepEqual(shown('name'), ['cn', 'sn']);
    assert.deepEqual(shown('@person').sort(), ['cn', 'objectClass', 'sn', 'telephoneNumber', 'userPassword']);
    const operational = shown('+');
    for (const name of [
      'entryUUID',
      'createTimestamp',
      'modifyTimestamp',
      'subschemaSubentry',
      'structuralObjectClass',
      'hasSubordinates',
      'entryDN',
    ]) {
      assert.ok(operational.includes(name), name);
    }
    assert.equal(operational.includes('mail'), false);
  });

  it('is names alone when only types are wanted', () => {
    const entry = getEntry(directory.reader, 'uid=ann,ou=People,dc=example,o=internet');
    assert.deepEqual(selectAttributes(entry, selectionOf(['uid'], true), matchContext(directory.reader)), [
      { name: 'uid', values: [] },
    ]);
  });
});
