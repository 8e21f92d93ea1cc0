// Work that is counted: what a filter looks at between two turns, in one entry and in all.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Filter } from '../wire/ldap/filter.ts';
import type { Sight } from './access/sight.ts';
import { Search } from './search.ts';
import { searchLimitsOf } from './search-limits.ts';
import { openTestDirectory, type TestDirectory } from './testing.ts';

/** As Search has it. */
const STEPS_PER_PAGE = 20_000;
const PEOPLE = 'ou=People,o=internet';
const COUNT = 120;
const PARTS = 3000;

let directory: TestDirectory;
before(async () => {
  directory = await openTestDirectory();
  await directory.add(PEOPLE, { objectClass: 'organizationalUnit', ou: 'People' });
  for (let i = 0; i < COUNT; i++)
    await directory.add(`uid=u${i},${PEOPLE}`, { objectClass: 'inetOrgPerson', uid: `u${i}`, cn: `u${i}`, sn: 'x' });
  await directory.add(`uid=long,${PEOPLE}`, {
    objectClass: 'inetOrgPerson',
    ...{ uid: 'long', cn: 'long', sn: 'x', description: 'x'.repeat(1_000_000) },
  });
  await directory.add('cn=all,o=internet', {
    objectClass: 'groupOfUniqueNames',
    cn: 'all',
    uniqueMember: Array.from({ length: 1000 }, (_, i) => `uid=u${i},${PEOPLE}`),
  });
});
after(() => directory.close());

const part = (attribute: string, any: string): Filter => ({ kind: 'substrings', attribute, any: [any] });
/** As long as it is for nothing: only its last condition matches. */
const wide = (last: Filter): Filter => ({
  kind: 'or',
  filters: [...Array.from({ length: PARTS - 1 }, (_, i) => part('sn', `no${i}`)), last],
});
const STRANGER = {
  ...{
    dn: undefined,
    isSiteAdministrator: false,
    isServer: false,
    isDomainAdministrator: false,
    groups: new Set<string>(),
  },
};
const sight: Sight = {
  caller: STRANGER,
  bare: (entry) => entry,
  maySearch: () => true,
  mayCompare: () => true,
  mayRead: () => true,
  shown: (entry) => entry,
};

for (const scope of ['sub', 'one'] as const)
  for (const walks of [true, false])
    test(`${scope}, ${walks ? 'walked' : 'by an index'}: a page of a wide filter ends after some entries, and none is left out`, () => {
      const classes: Filter = { kind: 'equality', attribute: 'objectClass', value: 'inetOrgPerson' };
      const filter: Filter = { kind: 'and', filters: [classes, wide(part('uid', 'u'))] };
      const search = new Search(directory.reader, { base: PEOPLE, scope, filter, ...(walks ? { walks } : {}) });
      const found: string[] = [];
      while (!search.done) {
        const { steps } = search;
        found.push(...search.next(64).map(({ dn }) => dn));
        // What one entry takes more is no more than a few steps a condition.
        assert.ok(search.steps - steps < STEPS_PER_PAGE + 20 * PARTS, `${search.steps - steps} steps of one page`);
      }
      assert.equal(found.length, COUNT);
      assert.equal(new Set(found).size, COUNT);
      if (walks) assert.equal(search.walked, COUNT + (scope === 'sub' ? 2 : 1));
    });

const TOO_MUCH = { ldap: { name: 'adminLimitExceeded' } };
for (const [what, base, filter] of [
  ['a long value', `uid=long,${PEOPLE}`, { kind: 'or', filters: Array(100).fill(part('description', 'y')) }],
  [
    'members',
    'cn=all,o=internet',
    {
      kind: 'or',
      filters: Array(1000).fill({ kind: 'extensible', attribute: 'uniqueMember', value: 'cn=y', dnAttributes: false }),
    },
  ],
  [
    'the groups of an entry',
    `uid=u0,${PEOPLE}`,
    { kind: 'or', filters: Array(9000).fill({ kind: 'equality', attribute: 'memberOf', value: 'cn=y' }) },
  ],
  [
    'members one by one',
    'cn=all,o=internet',
    { kind: 'or', filters: Array(9000).fill({ kind: 'equality', attribute: 'uniqueMember', value: 'cn=y' }) },
  ],
  [
    'attributes by a rule alone',
    `uid=u0,${PEOPLE}`,
    {
      kind: 'or',
      filters: Array(9000).fill({ kind: 'extensible', rule: 'caseIgnoreMatch', value: 'y', dnAttributes: true }),
    },
  ],
] as const satisfies readonly (readonly [string, string, Filter])[])
  test(`one entry is not looked at for ever: ${what}`, () => {
    const search = new Search(directory.reader, { base, scope: 'base', filter, sight });
    assert.throws(() => search.next(1), TOO_MUCH);
    const { stepsAnEntry } = searchLimitsOf(STRANGER);
    assert.ok(search.steps < 1.1 * stepsAnEntry, `${search.steps} steps`);
  });
