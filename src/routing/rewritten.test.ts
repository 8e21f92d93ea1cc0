// Resolve with rewrite rules: what comes before them and behind them, circles, refusals, and that none of them opens a relay.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { idOf } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import { ANONYMOUS } from '../directory/caller.ts';
import { formatAddress, parseAddress } from '../message/address.ts';
import type { RuleRow } from './compile-rule.ts';
import { type Resolution, type ResolveOptions, type RouteRequest, type RoutingTables, resolve } from './resolve.ts';
import { nextHopRule, type Rule, ruleOf } from './rewrite/rule-set.ts';
import { INTERNAL_REQUEST } from './route-request.ts';
import type { GroupRow, RouteRow, UserRow } from './rows.ts';
import { settingsOf } from './settings.ts';
import { testLists } from './testing.ts';

const domains: readonly RouteRow[] = ['acme.example', 'cs.siroe.edu'].map((domain) => ({
  domain,
  base: `o=${domain}`,
}));
const ann: UserRow = {
  kind: 'user',
  entry: 1,
  uuid: '11111111-1111-4111-8111-111111111111',
  dn: 'uid=ann,o=acme.example',
  account: idOf(1),
  addresses: ['ann@acme.example', 'ann@cs.siroe.edu'],
};
const stranger: RouteRequest = { ...INTERNAL_REQUEST, caller: ANONYMOUS, mayRelay: false, door: 'smtp' };

/** `'PATTERN TEMPLATE'`, or with the order in front. */
function rows(rules: readonly string[]): RuleRow[] {
  return rules.map((text, at) => {
    const [, order = '100', pattern, template] = /^(?:(\d+) )?(\S+) (.+)$/.exec(text)!;
    const name = `r${at}`;
    const key = `cn=${name},ou=rules`;
    return {
      kind: 'rule',
      key,
      dn: key,
      name,
      order: Number(order),
      pattern: pattern!,
      template: template!,
      isEnabled: true,
    };
  });
}

function tables(rules: readonly string[], fileRules: readonly Rule[] = []): RoutingTables {
  const settings = settingsOf(rows(rules), fileRules);
  return {
    route: (domain) => domains.find((route) => route.domain === domain) ?? null,
    alias: (key) => [ann].find((row) => row.addresses.includes(key)) ?? null,
    recipient: () => null,
    settings: () => settings,
    ...testLists([]),
  };
}

function resolved(
  address: string,
  rules: readonly string[],
  { request = INTERNAL_REQUEST, ...options }: ResolveOptions & { readonly request?: RouteRequest } = {},
  fileRules: readonly Rule[] = [],
): Resolution {
  const site = { tenant: TENANT, hostnames: ['mail.example'], fileRules };
  const answer = resolve(parseAddress(address), request, tables(rules, fileRules), site, options);
  assert.ok('resolution' in answer);
  return answer.resolution;
}

/** `smtp remote.example bob@remote.example`, or the reply. */
function outcome(...question: Parameters<typeof resolved>): string {
  const { targets, reply } = resolved(...question);
  const [target] = targets;
  if (target === undefined) return `${reply.code} ${reply.enhanced} ${reply.text}`;
  const { channel, destination, recipient, options } = target;
  return [channel, destination === '' ? options['account'] : destination, formatAddress(recipient)].join(' ');
}

test("the lineage's examples", () => {
  const rule = '$* $A$E$F$U%$H$V$H@store';
  assert.equal(outcome('ann@acme.example', [rule]), 'store 1 ann@acme.example', 'domains of the directory are local');
  assert.equal(outcome('bob@remote.example', [rule]), 'smtp remote.example bob@remote.example');
  const order = [
    '.edu 9%x@smtp',
    '*.*.*.edu 8%x@smtp',
    '.siroe.edu 7%x@smtp',
    '*.*.siroe.edu 6%x@smtp',
    '.cs.siroe.edu 5%x@smtp',
  ];
  const all = [...order, '*.cs.siroe.edu 4%x@smtp', 'sc.cs.siroe.edu 3%x@smtp', '. 11%x@smtp', '*.*.*.* 10%x@smtp'];
  let left = all;
  for (const expected of ['3', '4', '5', '6', '7', '8', '9', '10', '11']) {
    assert.equal(outcome('u@sc.cs.siroe.edu', left), `smtp x ${expected}@x`);
    left = left.filter((text) => !text.includes(` ${expected}%`));
  }
  assert.equal(outcome('u@siroe.com', ['.siroe.com $?below only']), 'smtp siroe.com u@siroe.com');
  assert.equal(outcome('u@SIROE.com', ['siroe.com x%SIROE.org@smtp']), 'smtp siroe.org x@siroe.org');
  assert.equal(outcome('u@[192.0.2.7]', ['[] $U%[$L]@smtp']), 'smtp [192.0.2.7] u@[192.0.2.7]');
});

test('a rule sends to another address, by another channel, by another host', () => {
  const below = '.acme.example $U%acme.example';
  assert.equal(outcome('ann@sales.acme.example', [below]), 'store 1 ann@acme.example');
  assert.equal(outcome('eve@sales.acme.example', [below]), '550 5.1.1 No such recipient here');
  assert.equal(outcome('u@x.example', ['x.example $U%y.example@discard']), 'discard  u@y.example');
  assert.equal(
    outcome('u@x.example', ['. $U@$H@[relay.example]@smtp']),
    'smtp [relay.example] u@x.example',
    'a smart host for all',
  );
  assert.equal(outcome('u@x.example', ['. $U@$H@relay.example@smtp']), 'smtp relay.example u@x.example');
  assert.equal(outcome('u@x.example', ['x.example $U%$D@hold']), 'hold rule cn=r0,ou=rules u@x.example');
  assert.equal(outcome('u@x.example', ['x.example $U%acme.example@store']), '550 5.1.1 No such recipient here');
  assert.equal(outcome('ann@x.example', ['x.example $U%acme.example@reprocess']), 'store 1 ann@acme.example');
});

test('a rule that fails is followed by the next, the built-in one is the last', () => {
  const rules = ['1 x.example $Mlmtp$U%a.org', '2 x.example $U%$&0.example', '3 x.example $U%..', '.example $U%b.org'];
  assert.equal(outcome('u@x.example', rules), 'smtp b.org u@b.org');
  assert.equal(outcome('u@x.example', rules.slice(0, 3)), 'smtp x.example u@x.example');
  assert.equal(outcome('u@x.example', rules, { request: { ...INTERNAL_REQUEST, door: 'lmtp' } }), 'smtp a.org u@a.org');
  assert.equal(outcome('u@x.example', ['x.example $U%y.example@store']), 'smtp x.example u@x.example', 'not here');
});

test('a domain entry and the names of this host come before all rules but $*', () => {
  const rules = ['acme.example $?no', '.example $?no', '. $?no'];
  assert.equal(outcome('ann@acme.example', rules), 'store 1 ann@acme.example');
  assert.equal(outcome('x@mail.example', rules), '550 5.1.1 No such recipient here');
  assert.equal(outcome('ann@acme.example', ['$* $Zx.example$?closed']), '550 5.1.2 closed');
  assert.equal(
    outcome('ann@mail.example', ['$* $Vmail.$H$?no', '$* $U%acme.example@store']),
    'store 1 ann@acme.example',
  );
});

test('lines of the configuration are tried behind entries of their pattern', () => {
  const hops = [nextHopRule('x.example', '[192.0.2.9]:2525')];
  assert.equal(outcome('u@x.example', [], {}, hops), 'smtp [192.0.2.9]:2525 u@x.example');
  assert.equal(outcome('u@y.x.example', [], {}, hops), 'smtp y.x.example u@y.x.example');
  assert.equal(outcome('u@x.example', ['x.example $U@$D@[h]@smtp'], {}, hops), 'smtp [h] u@x.example');
  assert.equal(
    outcome('u@x.example', ['x.example $Mapi$U@$D@[h]@smtp'], {}, hops),
    'smtp [192.0.2.9]:2525 u@x.example',
  );
});

test('each member of a list has a way of its own through the rules', () => {
  const members = Array.from({ length: 40 }, (_, at) => `m${at}@x.example`);
  const row: GroupRow = { ...ann, kind: 'group', entry: 2, dn: 'cn=all', addresses: ['all@acme.example'] };
  const held = {
    ...tables(['x.example $U%y.example', 'y.example $U%z.example@smtp']),
    alias: () => row,
    ...testLists([row], new Map([[2, members]])),
  };
  const site = { tenant: TENANT, hostnames: ['mail.example'] };
  const answer = resolve(parseAddress('all@acme.example'), INTERNAL_REQUEST, held, site);
  assert.ok('resolution' in answer);
  const { targets, failures } = answer.resolution;
  assert.deepEqual(failures, []);
  assert.deepEqual(
    targets.map(({ recipient }) => formatAddress(recipient)),
    members.map((member) => member.replace('x.example', 'z.example')),
  );
});

test('rules in a circle end', () => {
  const circle = '554 5.4.6 Rewrite rules send this address in a circle';
  assert.equal(outcome('u@a.example', ['a.example $U%b.example', 'b.example $U%a.example']), circle);
  assert.equal(outcome('u@a.example', ['a.example $Ux%a.example']), circle);
  assert.equal(outcome('ann@acme.example', ['$* $U%$H']), circle);
  const chain = (steps: number): string[] =>
    Array.from({ length: steps }, (_, at) => `s${at}.example $U%${at === steps - 1 ? 'acme' : `s${at + 1}`}.example`);
  assert.equal(outcome('ann@s0.example', chain(25)), 'store 1 ann@acme.example');
  assert.equal(outcome('ann@s0.example', chain(26)), circle);
});

test('a refusal says what the rule says, and so does one that its address leads to', () => {
  assert.equal(
    outcome('u@x.example', ['.example $?We have moved to y.example']),
    '550 5.1.2 We have moved to y.example',
  );
  assert.equal(outcome('u@x.example', ['.example $A']), '550 5.1.2 No mail is taken for this domain');
  const worded = '.acme.example $U%acme.example$?Ask $U at the desk';
  assert.equal(outcome('eve@x.acme.example', [worded]), '550 5.1.1 Ask $U at the desk');
  assert.equal(outcome('ann@x.acme.example', [worded]), 'store 1 ann@acme.example');
  const last = ['a.example $U%b.example$?first', 'b.example $U%acme.example$?second'];
  assert.equal(outcome('eve@a.example', last), '550 5.1.1 second', 'the last one has the say');
  assert.equal(outcome('u@a.example', ['a.example $U%b.example$?first', 'b.example $?second']), '550 5.1.2 second');
});

test('a rule never opens a relay', () => {
  const denied = '550 5.7.1 Relaying denied';
  const asked = (address: string, ...rules: string[]): string => outcome(address, rules, { request: stranger });
  assert.equal(asked('u@x.example'), denied);
  assert.equal(asked('u@x.example', 'x.example $U@$D@[h]@smtp'), denied);
  assert.equal(asked('u@x.example', '. $U%$H@discard'), denied);
  assert.equal(asked('u@x.example', 'x.example $U%y.example'), denied);
  assert.equal(asked('u@x.example', 'x.example $U%mail.example@smtp'), denied);
  assert.equal(asked('ann@acme.example', '$* $U%x.example@smtp'), denied, 'also from a domain that is ours');
  assert.equal(asked('ann@x.example', 'x.example $U%acme.example'), 'store 1 ann@acme.example');
  assert.equal(asked('ann@acme.example', '$* $U@$H@[h]@smtp'), 'smtp [h] ann@acme.example');
  assert.equal(resolved('ann@acme.example', ['$* $U@$H@[h]@smtp']).relay, false);
  assert.equal(resolved('u@x.example', ['x.example $U@$D@[h]@smtp']).relay, true);
  assert.equal(resolved('u@x.example', ['x.example $U%acme.example@smtp']).relay, false);
});

test('evidence of a domain that arrives is looked for only where the built-in rule decides over it', () => {
  const isDefault = (address: string, ...rules: string[]): boolean =>
    resolved(address, rules, { request: stranger }).isDefaultRoute === true;
  assert.equal(isDefault('u@x.example'), true);
  assert.equal(isDefault('u@x.example', 'x.example $Mlmtp$?no'), true);
  assert.equal(isDefault('u@x.example', 'x.example $U@$D@[h]@smtp'), false);
  assert.equal(isDefault('u@x.example', '. $U%$H@smtp'), false);
  assert.equal(isDefault('u@x.example', 'x.example $U%y.example'), false, 'what is rewritten has another domain');
  assert.equal(isDefault('ann@acme.example'), false);
});

test('a rule is asked for as if it were there', () => {
  const rule = ruleOf({ key: '', name: '--with', pattern: 'x.example', template: '$U%acme.example' }, 'entry');
  assert.equal(outcome('ann@x.example', ['0 x.example $?no'], { rule }), 'store 1 ann@acme.example');
});

test('each probe is explained, and a rule in the steps', () => {
  const { probes, steps, rewritten } = resolved(
    'ann@b.acme.example',
    ['.acme.example $Mlmtp$U%x', '.example $U%acme.example'],
    {
      explain: true,
    },
  );
  assert.deepEqual(probes, [
    { pattern: 'b.acme.example', rule: null, why: 'no rule' },
    { pattern: '*.acme.example', rule: null, why: 'no rule' },
    { pattern: '.acme.example', rule: 'r0', why: 'the message did not come in by lmtp' },
    { pattern: '*.*.example', rule: null, why: 'no rule' },
    { pattern: '.example', rule: 'r1', why: 'becomes ann@acme.example' },
    { pattern: 'acme.example', rule: 'domain', why: 'a domain entry: the directory decides' },
  ]);
  assert.equal(formatAddress(rewritten), 'ann@acme.example');
  assert.deepEqual(
    steps.filter(({ step }) => step === 'rewrite rule').map(({ detail }) => detail),
    [
      '.acme.example $Mlmtp$U%x (r0): the message did not come in by lmtp',
      '.example $U%acme.example (r1): becomes ann@acme.example',
    ],
  );
});

test('whatever the rules are, an address ends somewhere, and a stranger only where an entry is', () => {
  const label = fc.constantFrom('acme.example', 'x.example', 'a.x.example', 'y', 'mail.example');
  const pattern = fc.oneof(label, fc.constantFrom('$*', '.', '.example', '.x.example', '*.example', '*.*', '[]'));
  const domain = fc.oneof(label, fc.constantFrom('$H', '$D', '$H$D', 'a.$D', '$&0.example', 'y$H', '..'));
  const control = fc.constantFrom('', '', '$Msmtp', '$Nsmtp', '$V$H', '$Zacme.example', '$A');
  const tail = fc.constantFrom('', '', '@smtp', '@discard', '@hold', '@store', '@reprocess', '@none', '$?text');
  const template = fc.oneof(
    fc.tuple(control, fc.constantFrom('$U', 'ann', '$1U'), domain, tail).map(([c, u, d, t]) => `${c}${u}%${d}${t}`),
    fc.constantFrom('$U@$D@[h]@smtp', '$?no', '$Msmtp$?no'),
  );
  const rules = fc.array(
    fc.tuple(pattern, template).map(([p, t]) => `${p} ${t}`),
    { maxLength: 8 },
  );
  fc.assert(
    fc.property(rules, fc.constantFrom('ann', 'eve+x'), label, (texts, local, name) => {
      const { targets, relay, reply } = resolved(`${local}@${name}`, texts, { request: stranger, explain: true });
      assert.equal(targets.length > 0, reply.code === 250);
      for (const { recipient } of targets)
        assert.ok(
          domains.some(({ domain: own }) => own === recipient.domain),
          formatAddress(recipient),
        );
      if (relay) assert.equal(reply.code, 550);
      const open = resolved(`${local}@${name}`, texts, { request: { ...stranger, mayRelay: true } });
      if (reply.code !== 550) assert.deepEqual(open.reply, reply);
    }),
    { numRuns: 3000 },
  );
});
