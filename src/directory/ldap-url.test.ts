import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, mutatedText } from '../../test/support/nearly-right.ts';
import { parseFilter } from '../wire/ldap/filter-text.ts';
import { normalizeDn } from './dn.ts';
import { isLdapUrl, liesIn, parseLdapUrl } from './ldap-url.ts';

const url = (base: string, scope: 'base' | 'one' | 'sub', filter: string) => ({ url: { base, scope, filter } });

test('base, scope and filter are read, percent signs decoded; what is not said is the default', () => {
  const people = 'ou=people,dc=acme,dc=example,o=internet';
  const cases = [
    ['ldap:///ou=People,dc=acme,dc=example,o=internet??sub?(l=Berlin)', url(people, 'sub', '(l=Berlin)')],
    ['LDAP:///OU=people, dc=acme,dc=example,o=Internet?mail,cn?ONE?(cn=a*)', url(people, 'one', '(cn=a*)')],
    ['ldap:///ou=people,dc=acme,dc=example,o=internet', url(people, 'base', '(objectClass=*)')],
    ['ldap:///o=internet??sub', url('o=internet', 'sub', '(objectClass=*)')],
    ['ldap:///o%3Dinternet??sub?(cn=what%3f%20now)', url('o=internet', 'sub', '(cn=what? now)')],
    ['ldap:///o=internet??sub?(cn=a)?x-known=1', url('o=internet', 'sub', '(cn=a)')],
  ] as const;
  for (const [text, expected] of cases) assert.deepEqual(parseLdapUrl(text), expected, text);
});

test('what cannot be evaluated here has its reason', () => {
  const cases = [
    ['ldap://other.example/o=internet??sub', 'names another host'],
    ['ldap://', 'names another host'],
    ['ldaps:///o=internet', 'is not an ldap:/// URL'],
    ['mailto:ann@acme.example', 'is not an ldap:/// URL'],
    ['', 'is not an ldap:/// URL'],
    ['ldap:///o=internet??sub?(cn=%zz)', 'is not an ldap:/// URL'],
    ['ldap:///a?b?sub?d?e?f', 'is not an ldap:/// URL'],
    ['ldap:///??sub?(cn=a)', 'has no base DN'],
    ['ldap:///nonsense??sub', 'has no base DN'],
    ['ldap:///o=internet??children', 'has a scope that is none of base, one, sub'],
    ['ldap:///o=internet??sub?(cn=a', 'has a broken filter: expected ")" at position 6'],
    ['ldap:///o=internet??sub?(cn=a)?!e', 'has a critical extension'],
    [`ldap:///o=internet??sub?(cn=${'a'.repeat(4096)})`, 'is longer than 4096 characters'],
  ] as const;
  for (const [text, problem] of cases) assert.deepEqual(parseLdapUrl(text), { problem }, text);
  assert.match(JSON.stringify(parseLdapUrl(`ldap:///o=x??sub?${'(!'.repeat(101)}`)), /nested at most 100 deep/);
});

test('where an entry must lie', () => {
  const at = (scope: 'base' | 'one' | 'sub') => ({ base: 'dc=acme,o=internet', scope, filter: '' });
  const dns = ['dc=acme,o=internet', 'ou=a,dc=acme,o=internet', 'uid=x,ou=a,dc=acme,o=internet', 'dc=xacme,o=internet'];
  const lying = (scope: 'base' | 'one' | 'sub') =>
    dns.filter((dn) => liesIn(at(scope), dn)).map((dn) => dns.indexOf(dn));
  assert.deepEqual([lying('base'), lying('one'), lying('sub')], [[0], [1], [0, 1, 2]]);
});

test('any text is a URL whose parts are sound, or has a reason', () => {
  const seeds = [
    'ldap:///ou=People,dc=acme,dc=example,o=internet??sub?(l=Berlin)',
    'LDAP:///OU=people, dc=acme,o=Internet?mail,cn?ONE?(&(cn=a*)(!(|(sn=b)(uid>=c))))',
    'ldap:///o%3Dinternet??sub?(cn=what%3f%20now%c3%bc)?x-known=1,!x-other',
    'ldap:///cn=a\\2Cb+uid=#04024869,o=internet??base?(cn:caseExactMatch:=x\\2a)',
    'ldap://other.example:389/o=internet??sub',
    'mailto:ann@acme.example',
  ];
  fc.assert(
    fc.property(mutatedText(seeds), (text) => {
      const parsed = parseLdapUrl(text);
      if ('problem' in parsed) return assert.notEqual(parsed.problem, '');
      const { base, scope, filter } = parsed.url;
      assert.ok(isLdapUrl(text) && text.length <= 4096 && ['base', 'one', 'sub'].includes(scope));
      assert.equal(normalizeDn(base), base);
      parseFilter(filter);
      const written = `ldap:///${encodeURIComponent(base)}??${scope}?${encodeURIComponent(filter)}`;
      if (written.length <= 4096) assert.deepEqual(parseLdapUrl(written), parsed);
    }),
    fuzzCases(2000),
  );
});
