// Rewrite rules as entries: they act from their commit, and what cannot be a rule is not made one.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { DirectoryResultName } from '../base/directory-result.ts';
import { Failure } from '../base/failure.ts';
import type { DirectoryChange } from '../directory/entry.ts';
import { add, addDomain, addUser, openTestDirectory, remove, replace, type TestDirectory } from './testing.ts';

let directory: TestDirectory;
beforeEach(async () => {
  directory = await openTestDirectory();
  await directory.apply(addDomain('acme.example'), addUser('ann@acme.example'));
});
afterEach(() => directory.close());

const ruleDn = (name: string): string => `cn=${name},ou=Rules,ou=Waypost,o=internet`;

function rule(name: string, pattern: string, template: string, more: Record<string, string> = {}): DirectoryChange {
  const values = { objectClass: 'waypostRewriteRule', waypostPattern: pattern, waypostTemplate: template, ...more };
  return add(ruleDn(name), values);
}

async function refusal(...changes: readonly DirectoryChange[]): Promise<readonly [DirectoryResultName, string]> {
  try {
    await directory.apply(...changes);
  } catch (error) {
    assert.ok(error instanceof Failure && error.ldap !== undefined, String(error));
    return [error.ldap.name, error.message];
  }
  assert.fail('nothing was refused');
}

function leads(address: string): string {
  const { targets, reply } = directory.resolve(address);
  return targets.length === 0 ? reply.enhanced : `${targets[0]!.channel} ${targets[0]!.destination}`;
}

test('a rule acts from its commit until it is disabled, changed or gone', async () => {
  assert.equal(leads('ann@x.acme.example'), 'smtp x.acme.example');
  await directory.apply(rule('sub', '.acme.example', '$U%acme.example'));
  assert.equal(leads('ann@x.acme.example'), 'store ');
  await directory.apply(replace(ruleDn('sub'), { waypostEnabled: 'FALSE' }));
  assert.equal(leads('ann@x.acme.example'), 'smtp x.acme.example');
  await directory.apply(replace(ruleDn('sub'), { waypostEnabled: 'TRUE', waypostPattern: '.example' }));
  assert.equal(leads('ann@y.example'), 'store ');
  await directory.apply(rule('before', '.example', '$?closed', { waypostOrder: '99' }));
  assert.equal(leads('ann@y.example'), '5.1.2');
  await directory.apply(remove(ruleDn('before')), remove(ruleDn('sub')));
  assert.equal(leads('ann@y.example'), 'smtp y.example');
});

test('an entry elsewhere is no rule, but has to parse', async () => {
  const values = { objectClass: 'waypostRewriteRule', waypostPattern: '.', waypostTemplate: '$?no' };
  await directory.apply(add('cn=x,ou=Waypost,o=internet', values), rule('sub', 'a.example', '$U%b.example'));
  await directory.apply(add(`cn=x,${ruleDn('sub')}`, values));
  assert.equal(leads('ann@y.example'), 'smtp y.example');
  const broken = add('cn=y,ou=Waypost,o=internet', { ...values, waypostTemplate: '$U' });
  assert.equal((await refusal(broken))[0], 'invalidAttributeSyntax');
});

test('a rule and the channel that it names', async () => {
  const channel = add('cn=partner,ou=Channels,ou=Waypost,o=internet', {
    objectClass: 'waypostChannel',
    waypostChannelKind: 'smtp',
    waypostKeyword: 'daemon [192.0.2.9]:2525',
  });
  const to = rule('to', 'p.example', '$U%$D@Partner');
  assert.deepEqual(await refusal(to), ['constraintViolation', 'waypostTemplate: column 7: no channel "partner"']);
  await directory.apply(channel, to);
  const { targets } = directory.resolve('ann@p.example');
  assert.deepEqual(
    targets.map((target) => [target.channel, target.destination]),
    [['partner', '[192.0.2.9]:2525']],
  );
  const [name, words] = await refusal(remove('cn=partner,ou=Channels,ou=Waypost,o=internet'));
  assert.equal(name, 'unwillingToPerform');
  assert.match(words, /cn=to,ou=Rules/);
  await directory.apply(remove(ruleDn('to')), remove('cn=partner,ou=Channels,ou=Waypost,o=internet'));
});

test('there are a thousand rules at most', async () => {
  const many = (from: number, count: number): DirectoryChange[] =>
    Array.from({ length: count }, (_, at) => rule(`r${from + at}`, `d${from + at}.example`, '$U%acme.example'));
  await directory.apply(...many(0, 1000));
  assert.equal((await refusal(...many(1000, 1)))[0], 'adminLimitExceeded');
  await directory.apply(replace(ruleDn('r7'), { waypostTemplate: '$?no' }));
  assert.equal(leads('ann@d7.example'), '5.1.2');
  assert.equal(leads('ann@d999.example'), 'store ');
});
