// A source of people before it is added, as `directory probe` reads it: what could not be added is refused as the addition would.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sourceOfChange } from './ldap-source.ts';
import { add, remove } from './testing.ts';

const SOURCE = {
  objectClass: 'waypostLdapSource',
  cn: 'corp',
  waypostUrl: 'ldaps://ldap.corp.example',
  waypostBase: 'ou=people,o=corp',
  waypostSourceDomain: 'corp.example',
};
const DN = 'cn=corp,cn=sources,ou=Waypost,o=internet';
const of = (more: Record<string, string | string[]>) => sourceOfChange(add(DN, { ...SOURCE, ...more }));

test('a record is the source that it would add', () => {
  const { name, base, domains, pollMs } = of({ waypostPoll: '7m' });
  assert.deepEqual(
    { name, base, domains, pollMs },
    {
      ...{ name: 'corp', base: 'ou=people,o=corp', domains: ['corp.example'], pollMs: 420_000 },
    },
  );
});

test('what it is held as, its schema, and what becomes of changes, said or not', () => {
  const words = ({ hold, schema, write }: ReturnType<typeof of>) => [hold, schema, write];
  assert.deepEqual(words(of({})), ['mirror', 'inetorgperson', 'refuse']);
  const said = { waypostHold: 'cache', waypostSourceSchema: 'Sun', waypostWrite: 'forward' };
  assert.deepEqual(words(of(said)), ['cache', 'sun', 'forward']);
});

test('a value that is not legal, an attribute that is none, and another record are refused', () => {
  assert.throws(() => of({ waypostPoll: 'often' }), /waypostPoll: often is not legal; /);
  assert.throws(() => of({ waypostNothing: 'x' }), /waypostNothing is not an attribute/);
  assert.throws(() => of({ objectClass: 'device' }), /not of the class waypostLdapSource/);
  assert.throws(() => sourceOfChange(remove(DN)), /A record that adds a source is expected/);
});
