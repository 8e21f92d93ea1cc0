// The language of `aci`: what parses and what it comes to, what does not and in which column. And any text at all.
// `FUZZ_CASES` is how many texts; `npm run fuzz` says a million.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_RULES } from './default-rules.ts';
import { parseAci } from './parse.ts';

const CASES = Number(process.env['FUZZ_CASES'] ?? 1000);
const REST = 'allow (read) userdn="ldap:///all";)';

function parsed(text: string) {
  const found = parseAci(text);
  assert.ok('aci' in found, 'problem' in found ? found.problem : text);
  return found.aci;
}

test('a rule as the books have it', () => {
  const aci = parsed(
    '(target="ldap:///uid=*,ou=People,dc=acme,o=internet")(targetscope = "subtree")(targetattr="cn || Mail ||tel*")' +
      '(targetfilter="(&(objectClass=person)(!(cn=x)))") (version 3.0; acl "Some name, with (words)"; ' +
      'allow (read,search , COMPARE) userdn = "ldap:///self || ldap:///uid=a*" and not (groupdn="ldap:///CN=G, o=internet"); ' +
      'deny(all) userattr = "parent[0,2].manager#USERDN" or roledn != "ldap:///cn=server";)',
  );
  assert.equal(aci.name, 'Some name, with (words)');
  assert.deepEqual(aci.target, ['uid=', ',ou=people,dc=acme,o=internet']);
  assert.deepEqual([...aci.attributes!.keys], ['cn', 'mail']);
  assert.deepEqual(aci.attributes!.patterns, [['tel', '']]);
  const [allow, deny] = aci.permissions;
  assert.deepEqual([allow!.allows, [...allow!.rights]], [true, ['read', 'search', 'compare']]);
  assert.deepEqual(allow!.bind, {
    kind: 'and',
    left: { kind: 'or', left: { kind: 'self' }, right: { kind: 'user', name: ['uid=a', ''] } },
    right: { kind: 'not', bind: { kind: 'group', dn: 'cn=g,o=internet' } },
  });
  assert.deepEqual([...deny!.rights], ['read', 'search', 'compare', 'write', 'selfwrite', 'add', 'delete']);
  assert.deepEqual(deny!.bind, {
    kind: 'or',
    left: { kind: 'attribute', attribute: 'manager', names: 'user', levels: [0, 2] },
    right: { kind: 'not', bind: { kind: 'role', role: 'server' } },
  });
});

test('conditions stand from left to right, and none binds closer', () => {
  const bindOf = (text: string) => parsed(`(version 3.0; acl "x"; allow (read) ${text};)`).permissions[0]!.bind;
  const all = 'userdn="ldap:///all"';
  const self = 'userdn="ldap:///self"';
  const parent = 'userdn="ldap:///parent"';
  assert.deepEqual(bindOf(`${all} or ${self} and ${parent}`), {
    kind: 'and',
    left: { kind: 'or', left: { kind: 'all' }, right: { kind: 'self' } },
    right: { kind: 'parent' },
  });
  assert.deepEqual(bindOf(`${all} or (${self} and ${parent})`), {
    kind: 'or',
    left: { kind: 'all' },
    right: { kind: 'and', left: { kind: 'self' }, right: { kind: 'parent' } },
  });
});

test('the rules that a directory begins with parse', () => {
  for (const rule of DEFAULT_RULES) parsed(rule);
});

for (const [text, problem] of [
  ['', 'column 1: "(" is expected, nothing stands here'],
  ['(targetattr="cn")', 'column 18: "(" is expected, nothing stands here'],
  [`(targetattr="nothing")(version 3.0; acl "x"; ${REST}`, 'column 14: "nothing" is no attribute of the schema'],
  [`(targetattr="cn ||")(version 3.0; acl "x"; ${REST}`, 'column 19: a name is expected'],
  [
    `(targetattr="cn")(targetattr="sn")(version 3.0; acl "x"; ${REST}`,
    'column 19: targetattr stands here a second time',
  ],
  [`(targetscope="near")(version 3.0; acl "x"; ${REST}`, 'column 15: base, onelevel, subtree, subordinate is expected'],
  [`(target="dc=acme")(version 3.0; acl "x"; ${REST}`, 'column 10: ldap:/// is expected'],
  [`(target="ldap:///x")(version 3.0; acl "x"; ${REST}`, 'column 18: a DN is expected'],
  [`(target="ldap:///ou=($dn)")(version 3.0; acl "x"; ${REST}`, 'column 21: macros are not carried out'],
  [`(targetfilter="(cn=x")(version 3.0; acl "x"; ${REST}`, 'column 21: ")" is expected in the filter'],
  [
    `(targetfilter="(nothing=x)")(version 3.0; acl "x"; ${REST}`,
    'column 16: the filter asks for "nothing", which is not in the schema',
  ],
  [
    `(targattrfilters="add=cn:(sn=x)")(version 3.0; acl "x"; ${REST}`,
    'column 26: the filter asks for "sn", which is another attribute',
  ],
  [`(targattrfilters="put=cn:(cn=x)")(version 3.0; acl "x"; ${REST}`, 'column 19: add= or del= is expected'],
  [`(version 2.0; acl "x"; ${REST}`, 'column 10: 3.0 is expected, "2" stands here'],
  [`(version 3.0; acl x; ${REST}`, 'column 19: a text in quotes is expected, "x" stands here'],
  [
    '(version 3.0; acl "x"; permit (read) userdn="ldap:///all";)',
    'column 24: allow or deny is expected, "p" stands here',
  ],
  ['(version 3.0; acl "x"; allow (reed) userdn="ldap:///all";)', 'column 31: a right'],
  ['(version 3.0; acl "x"; allow (read) userdn="ldap:///all")', 'column 57: ";" is expected, ")" stands here'],
  [
    '(version 3.0; acl "x"; allow (read) userdn="ldap:///all";',
    'column 58: allow or deny is expected, nothing stands here',
  ],
  ['(version 3.0; acl "x"; allow (read) userdn="ldap:///all";) x', 'column 60: the end is expected, "x" stands here'],
  [
    '(version 3.0; acl "x"; allow (read) userdn="ldap:///o=x??sub?(cn=y)";)',
    'column 56: URLs with a filter are not carried out',
  ],
  ['(version 3.0; acl "x"; allow (read) ip="192.0.2.1";)', 'column 37: ip is not carried out'],
  [
    '(version 3.0; acl "x"; allow (read) userdn="ldap:///all" and dns="*.example";)',
    'column 62: dns is not carried out',
  ],
  ['(version 3.0; acl "x"; allow (read) timeofday>="0800";)', 'column 37: timeofday is not carried out'],
  ['(version 3.0; acl "x"; allow (read) dayofweek="Mon";)', 'column 37: dayofweek is not carried out'],
  ['(version 3.0; acl "x"; allow (read) authmethod="ssl";)', 'column 37: authmethod is not carried out'],
  [
    '(version 3.0; acl "x"; allow (read) roledn="ldap:///cn=boss";)',
    'column 53: a role is cn=site administrator, cn=domain administrator, cn=server; no other is carried out',
  ],
  [
    '(version 3.0; acl "x"; allow (read) userattr="manager#LDAPURL";)',
    'column 54: ATTRIBUTE#USERDN or ATTRIBUTE#GROUPDN is expected',
  ],
  [
    '(version 3.0; acl "x"; allow (read) userattr="parent[5].manager#USERDN";)',
    'column 54: levels are numbers from 0 to 4',
  ],
  [
    '(version 3.0; acl "x"; allow (read) someone="x";)',
    'column 37: userdn, groupdn, roledn or userattr is expected, "s" stands here',
  ],
  [`(version 3.0; acl "x"; allow (read) ${'('.repeat(20)}`, 'column 53: more than 16 parentheses are not read'],
  ['x'.repeat(16_385), 'column 16385: the value is too long'],
] as const)
  test(`refused: ${text.slice(0, 70)}`, () => {
    const found = parseAci(text);
    assert.ok('problem' in found);
    assert.ok(found.problem.startsWith(problem), found.problem);
  });

/** Pieces of the language, so that the depths of the parser are reached. */
const piece = fc.constantFrom(
  ...'( ) = != " ; , || && * + [ ] # : $dn'.split(' '),
  ...'(version 3.0; acl "x"; |allow (read) |deny (all) |userdn = "ldap:///|groupdn="|roledn="ldap:///cn=server"'.split(
    '|',
  ),
  ...'(targetattr = "|(targetfilter="(|(targattrfilters="add=cn:(cn=a)|(target="ldap:///|(targetscope="'.split('|'),
  ...'userattr="parent[0].|manager#USERDN"| and | or | not |o=internet|cn|objectClass=*|ü|\u0000|ip=|;)'.split('|'),
);

test('any text parses or says a column within it, and what parses is small', () => {
  const text = fc.oneof(
    fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join('')),
    fc
      .tuple(fc.constantFrom(...DEFAULT_RULES), fc.nat(), fc.nat({ max: 8 }), fc.array(piece, { maxLength: 3 }))
      .map(([rule, at, gone, put]) => {
        const from = at % rule.length;
        return `${rule.slice(0, from)}${put.join('')}${rule.slice(from + gone)}`;
      }),
    fc.string({ unit: 'binary', maxLength: 60 }),
  );
  fc.assert(
    fc.property(text, (value) => {
      const found = parseAci(value);
      if ('aci' in found) return assert.ok(found.aci.permissions.length > 0);
      const column = Number(/^column (\d+): /.exec(found.problem)?.[1]);
      assert.ok(column >= 1 && column <= value.length + 1, found.problem);
    }),
    { numRuns: CASES },
  );
});

test('a filter that asks for roles looks at no members', () => {
  for (const [filter, looksBeside] of [
    ['(nsRole=cn=site administrator)', false],
    ['(member=cn=x)', true],
    ['(&(nsRole=cn=server)(hasSubordinates=TRUE))', true],
  ] as const) {
    const parsed = parseAci(`(targetfilter="${filter}")(version 3.0; acl "x"; allow (add) userdn="ldap:///all";)`);
    assert.ok('aci' in parsed);
    assert.equal(parsed.aci.filter?.looksBeside, looksBeside, filter);
    assert.equal(parsed.aci.filter?.asksRoles, filter.includes('nsRole'), filter);
  }
});
