// What the entry of a policy may say: a word that is none, a pattern that is none and an `auto` that is too wide are refused,
// and the value is named.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../base/failure.ts';
import { add, openTestDirectory, remove, replace } from './testing.ts';

const DN = 'cn=customers,ou=Policies,ou=Waypost,o=internet';
type Values = Readonly<Record<string, string | readonly string[]>>;
const policy = (values: Values) =>
  add(DN, { objectClass: 'waypostDomainPolicy', cn: 'customers', waypostPolicyAction: 'approve', ...values });

const REFUSED: readonly (readonly [Values, 19 | 21, RegExp])[] = [
  [{ waypostPolicyAction: 'later' }, 21, /waypostPolicyAction: later is none of off, propose, approve, auto/],
  [{ waypostPolicyAction: 'auto' }, 19, /waypostPolicyAction: auto needs .* any name/],
  [{ waypostPolicyAction: 'AUTO', waypostMatchDomain: '*' }, 19, /waypostPolicyAction: AUTO needs .* \* is wider/],
  [{ waypostPolicyAction: 'auto', waypostMatchDomain: ['a.example', '*.example'] }, 19, /\*\.example is wider/],
  [{ waypostPolicyAction: 'auto', waypostMatchDomain: 'example' }, 19, /example is wider/],
  [{ waypostPolicyAction: 'auto', waypostMatchParent: 'FALSE' }, 19, /any name/],
  [{ waypostMatchDomain: 'a b' }, 21, /waypostMatchDomain: a b is no NAME/],
  [{ waypostMatchDomain: '*.*.example' }, 21, /waypostMatchDomain: \*\.\*\.example/],
  [{ waypostMatchDomain: '[192.0.2.1]' }, 21, /waypostMatchDomain: \[192\.0\.2\.1\]/],
  [{ waypostPolicyOrder: '10000' }, 19, /waypostPolicyOrder: 10000/],
  [{ mailDomainCatchallAddress: 'nobody' }, 21, /mailDomainCatchallAddress: nobody/],
  [{ mailRoutingHosts: 'a_b c' }, 21, /mailRoutingHosts: a_b c/],
  [{ mailRoutingSmartHost: '' }, 21, /mailRoutingSmartHost/],
  [{ inetDomainBaseDN: 'no dn' }, 21, /inetDomainBaseDN/],
];

const RESULTS = { 19: 'constraintViolation', 21: 'invalidAttributeSyntax' } as const;

const ACCEPTED: readonly Values[] = [
  {},
  { waypostPolicyAction: 'off' },
  { waypostPolicyAction: 'Propose', waypostMatchDomain: '*' },
  { waypostPolicyAction: 'auto', waypostMatchParent: 'TRUE' },
  { waypostPolicyAction: 'auto', waypostMatchToken: 'open sesame' },
  { waypostPolicyAction: 'auto', waypostMatchDomain: ['a.example', '*.b.example', '*.XN--BCHER-kva.example'] },
];

test('a policy that cannot be used is refused, and the value is named', async (context) => {
  const directory = await openTestDirectory();
  context.after(() => directory.close());
  for (const [values, code, words] of REFUSED)
    await assert.rejects(
      async () => directory.apply(policy(values)),
      (error: unknown) => {
        assert.ok(error instanceof Failure);
        assert.match(error.message, words);
        assert.equal(error.ldap?.name, RESULTS[code], JSON.stringify(values));
        return true;
      },
    );
  for (const values of ACCEPTED) {
    await directory.apply(policy(values));
    assert.equal(directory.cache.settings().policies.length, 1);
    await directory.apply(remove(DN));
  }
  // A change may not widen it either, and the secret is in no row.
  await directory.apply(policy({ waypostPolicyAction: 'auto', waypostMatchToken: 'open sesame' }));
  assert.ok(!JSON.stringify(directory.cache.settings().policies).includes('sesame'));
  await assert.rejects(async () => directory.apply(replace(DN, { waypostMatchToken: [] })), /any name/);
});

test('a thousand policies, and no more', async (context) => {
  const directory = await openTestDirectory();
  context.after(() => directory.close());
  const nth = (at: number) =>
    add(`cn=p${at},ou=Policies,ou=Waypost,o=internet`, {
      objectClass: 'waypostDomainPolicy',
      waypostPolicyAction: 'off',
      waypostMatchDomain: `d${at}.example`,
    });
  await directory.apply(...Array.from({ length: 1000 }, (_, at) => nth(at)));
  await assert.rejects(directory.apply(nth(1000)), { ldap: { name: 'adminLimitExceeded' } });
  await directory.apply(replace('cn=p7,ou=Policies,ou=Waypost,o=internet', { waypostPolicyOrder: '7' }));
  await directory.apply(remove('cn=p8,ou=Policies,ou=Waypost,o=internet'), nth(1000));
});
