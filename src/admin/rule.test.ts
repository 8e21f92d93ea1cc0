// rule list and rule test over a real directory.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { ADMINISTRATOR_CALLER } from '../directory/caller.ts';
import { add, addDomain, addUser, openTestDirectory, type TestDirectory } from '../provisioning/testing.ts';
import { type AdminOperation, runAdminOperation } from './operation.ts';
import { ruleList, ruleTest } from './rule.ts';

let directory: TestDirectory;
let parts: Parameters<typeof ruleList>[0];
beforeEach(async () => {
  directory = await openTestDirectory();
  parts = { reader: directory.reader, routing: directory.cache };
  await directory.apply(
    addDomain('acme.example'),
    addUser('ann@acme.example'),
    rule('sub', '.acme.example', '$Nlmtp$U%acme.example'),
    rule('first', '$*', '$Mapi$?no'),
  );
});
afterEach(() => directory.close());

function rule(name: string, waypostPattern: string, waypostTemplate: string) {
  const objectClass = 'waypostRewriteRule';
  return add(`cn=${name},ou=Rules,ou=Waypost,o=internet`, { objectClass, waypostPattern, waypostTemplate });
}

const run = <I, T>(operation: AdminOperation<I, T>, input: I): Promise<T> =>
  runAdminOperation(operation, input, { caller: ADMINISTRATOR_CALLER, peer: '' });

test('all that decides, in the order in which it is asked', async () => {
  assert.deepEqual(await run(ruleList(parts), {}), {
    rules: [
      { order: 100, pattern: '$*', template: '$Mapi$?no', source: 'entry', name: 'first' },
      { order: null, pattern: 'acme.example', template: '$U%$D@store', source: 'domain', name: 'acme.example' },
      { order: 100, pattern: '.acme.example', template: '$Nlmtp$U%acme.example', source: 'entry', name: 'sub' },
      { order: null, pattern: '.', template: '$U%$H@smtp', source: 'built-in', name: 'built-in' },
    ],
    next: null,
  });
});

test('many domains come in pages', async () => {
  const domains = Array.from({ length: 1000 }, (_, at) => `d${String(at).padStart(4, '0')}.example`);
  for (let at = 0; at < 1000; at += 100)
    await directory.apply(...domains.slice(at, at + 100).map((each) => addDomain(each)));
  const first = await run(ruleList(parts), {});
  assert.equal(first.rules.length, 1001);
  assert.equal(first.next, 'd0998.example');
  const second = await run(ruleList(parts), { after: first.next! });
  assert.deepEqual(
    second.rules.map(({ pattern }) => pattern),
    ['d0999.example', '.acme.example', '.'],
  );
  assert.equal(second.next, null);
});

test('each probe, why it failed, and where the address goes', async () => {
  const tested = await run(ruleTest(parts), { address: 'ann@x.acme.example', door: 'smtp' });
  assert.deepEqual(tested, {
    probes: [
      { pattern: '$*', rule: 'first', why: 'the message did not come in by api' },
      { pattern: 'x.acme.example', rule: null, why: 'no rule' },
      { pattern: '*.acme.example', rule: null, why: 'no rule' },
      { pattern: '.acme.example', rule: 'sub', why: 'becomes ann@acme.example' },
      { pattern: '$*', rule: 'first', why: 'the message did not come in by api' },
      { pattern: 'acme.example', rule: 'domain', why: 'a domain entry: the directory decides' },
    ],
    address: 'ann@acme.example',
    channel: 'store',
    nexthop: 'mail.test.example',
  });
  const refused = await run(ruleTest(parts), { address: 'ann@x.example', door: 'api' });
  assert.deepEqual(
    [refused.probes.at(-1)!.why, refused.address, refused.channel, refused.nexthop],
    ['refused: no', 'ann@x.example', null, null],
  );
});

test('a rule that is not there can be asked for', async () => {
  const tested = await run(ruleTest(parts), { address: 'u@x.example', with: 'x.example  $U@$D@[h.example]:26@smtp' });
  assert.deepEqual([tested.channel, tested.nexthop], ['smtp', '[h.example]:26']);
  const fails = (text: string, words: RegExp) =>
    assert.rejects(run(ruleTest(parts), { address: 'u@x.example', with: text }), { name: 'Failure', message: words });
  await fails('x.example', /^A rule is PATTERN TEMPLATE/);
  await fails('x.example $U%$q', /^template: column 4: unknown control sequence \$q$/);
  await fails('x..example $U%y', /^pattern: column 3: /);
  await fails('x.example $U%y@none', /^template: column 6: no channel "none"$/);
});
