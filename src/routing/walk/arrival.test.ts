// Which policy decides over a name, before anything is looked up: tables as settings and rows, and the policies' names in order.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChannelRow } from '../compile-channel.ts';
import type { PolicyRow } from '../compile-policy.ts';
import type { RuleRow } from '../compile-rule.ts';
import type { Site } from '../resolution.ts';
import { nextHopRule } from '../rewrite/rule-set.ts';
import type { RouteRow } from '../rows.ts';
import { type SettingRow, settingsOf } from '../settings.ts';
import { decidePolicy } from './arrival.ts';

const policy = (name: string, more: Partial<PolicyRow>): PolicyRow => ({
  kind: 'policy',
  key: name,
  dn: '',
  name,
  order: 100,
  domains: [],
  action: 'approve',
  ...more,
});
const rule = (pattern: string): RuleRow => ({
  kind: 'rule',
  key: pattern,
  dn: '',
  name: pattern,
  order: 100,
  pattern,
  template: '$U%$H@smtp',
  isEnabled: true,
});
const channel = (key: string, daemon?: string): ChannelRow => ({
  kind: 'channel',
  key,
  dn: '',
  channelKind: 'smtp',
  keywords: [],
  isPaused: false,
  ...(daemon === undefined ? {} : { daemon }),
});

const routes = new Map<string, Partial<RouteRow>>([
  ['acme.example', {}],
  ['new.acme.example', { isBrought: true }],
  ['closed.example', { mailDomainStatus: 'inactive' }],
  ['coming.example', { isBrought: true, isComing: true }],
]);
const routeOf = (domain: string): RouteRow | null => {
  const row = routes.get(domain);
  return row === undefined ? null : { domain, base: '', ...row };
};

function names(domain: string, rows: readonly SettingRow[], fromMx: Site['fromMx'] = 'entries'): string {
  const settings = settingsOf(rows, [nextHopRule('partner.example', '[192.0.2.9]')]);
  return decidePolicy(domain, { settings, routeOf }, { fromMx })
    .map(({ name }) => name)
    .join(' ');
}

test('the first policy whose conditions all hold decides; one with a token only if its record is found', () => {
  const all = policy('all', { domains: ['*'] });
  const first = policy('first', { order: 7 });
  const below = policy('below', { order: 8, domains: ['*.isp.example', 'one.example'] });
  const parent = policy('parent', { order: 9, isParentOurs: true });
  const token = policy('token', { order: 5, hasToken: true });
  const rows = [all, below, parent, token];
  assert.equal(names('x.example', []), '');
  assert.equal(names('x.example', [policy('b', {}), policy('a', {}), policy('c', { order: 101 })]), 'a');
  assert.equal(names('x.isp.example', rows), 'token below');
  assert.equal(names('isp.example', rows), 'token all');
  assert.equal(names('xisp.example', rows), 'token all');
  assert.equal(names('one.example', rows), 'token below');
  assert.equal(names('x.acme.example', rows), 'token parent');
  assert.equal(names('y.x.acme.example', rows), 'token parent');
  assert.equal(names('x.isp.example', [...rows, first]), 'token first');
  assert.equal(names('x.closed.example', rows), 'token all');
  assert.equal(names('x.coming.example', rows), 'token all');
  // All conditions of one have to hold.
  const both = policy('both', { isParentOurs: true, domains: ['*.isp.example'] });
  assert.equal(names('x.acme.example', [both]), '');
  assert.equal(names('x.isp.example', [both]), '');
  assert.equal(names('x.isp.example', [policy('broken', { problems: [] })]), '');
});

test('from-mx: off never; auto has the built-in policy last', () => {
  const off = policy('off', { domains: ['*.no.acme.example'], action: 'off' });
  assert.equal(names('x.acme.example', [policy('all', {})], 'off'), '');
  assert.equal(names('x.acme.example', [off], 'auto'), 'built-in');
  assert.equal(names('x.no.acme.example', [off], 'auto'), 'off');
  assert.equal(names('x.elsewhere.example', [off], 'auto'), '');
  assert.equal(names('x.closed.example', [], 'auto'), '');
  assert.equal(names('x.acme.example', []), '');
});

test('never: single labels, literals, names of rules, next hops and channels, more than four labels', () => {
  const rows = [
    policy('all', {}),
    rule('.ruled.example'),
    rule('named.example'),
    channel('channel.example'),
    channel('out', '[hop.example]:2525'),
  ];
  for (const never of [
    'localhost',
    '[192.0.2.1]',
    'a..example',
    'partner.example',
    'x.ruled.example',
    'named.example',
    'channel.example',
    'hop.example',
    '1.2.3.4.5.acme.example',
    // Whoever has come by a message carries no one further.
    '1.2.3.4.new.acme.example',
  ])
    assert.equal(names(never, rows), '', never);
  for (const may of ['x.named.example', '1.2.3.4.acme.example', '1.2.3.new.acme.example', '1.2.3.4.5.6.free.example'])
    assert.equal(names(may, rows), 'all', may);
});
