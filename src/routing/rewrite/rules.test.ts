// Probing and application: the lineage's examples, and random rules against a model that is written without probes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseAddress } from '../../message/address.ts';
import type { Door } from '../route-request.ts';
import { applyRule } from './apply.ts';
import { initialProbe, probesOf } from './probe.ts';
import { nextHopRule, type Rule, RuleSet, ruleOf } from './rule-set.ts';
import { printTemplate } from './template.ts';

const patternsOf = (domain: string): string[] => probesOf(domain).map(({ pattern }) => pattern);

test('a name is looked for under itself, then with more and more of its labels open', () => {
  assert.deepEqual(patternsOf('sc.cs.siroe.edu'), [
    'sc.cs.siroe.edu',
    '*.cs.siroe.edu',
    '.cs.siroe.edu',
    '*.*.siroe.edu',
    '.siroe.edu',
    '*.*.*.edu',
    '.edu',
    '*.*.*.*',
    '.',
  ]);
  assert.deepEqual(patternsOf('localhost'), ['localhost', '*', '.']);
});

test('an address literal is looked for under itself, then under its beginnings', () => {
  assert.deepEqual(patternsOf('[192.0.2.7]'), ['[192.0.2.7]', '[192.0.2.]', '[192.0.]', '[192.]', '[]', '.']);
  assert.deepEqual(patternsOf('[IPv6:2001:db8::1]'), ['[IPv6:2001:db8::1]', '[]', '.']);
  assert.deepEqual(patternsOf('[IPv6:::ffff:192.0.2.7]'), ['[IPv6:::ffff:192.0.2.7]', '[]', '.']);
});

interface Context {
  readonly door?: Door;
  readonly entries?: readonly string[];
}

/** What a rule makes of an address: the address, then channel and hop; or why it fails; or what it says. */
function made(
  pattern: string,
  template: string,
  address: string,
  { door = 'smtp', entries = [] }: Context = {},
): string {
  const rule = ruleOf({ key: 'x', name: 'x', pattern, template }, 'entry');
  const parsed = parseAddress(address);
  const all = [initialProbe(parsed.domain), ...probesOf(parsed.domain)];
  const probe = all.find((each) => each.pattern === rule.pattern);
  if (probe === undefined) return 'no probe';
  const applied = applyRule(rule.template, parsed, probe, { door, hasDomainEntry: (name) => entries.includes(name) });
  if (applied.result === 'failed') return applied.why;
  if (applied.result === 'unknown') return 'unknown';
  if (applied.result === 'refused') return `refused: ${applied.text}`;
  const { localPart, domain } = applied.address;
  const to = [applied.hop, applied.channel].filter((each) => each !== undefined).map((each) => `@${each}`);
  return `${localPart}%${domain}${to.join('')}${applied.text === undefined ? '' : `?${applied.text}`}`;
}

test('what a template puts together', () => {
  const at = 'ann+news@sc.cs.siroe.edu';
  for (const [pattern, template, address, result] of [
    ['.cs.siroe.edu', '$U%$H$D', at, 'ann+news%sc.cs.siroe.edu'],
    ['.siroe.edu', '$U%siroe.edu', at, 'ann+news%siroe.edu'],
    ['.siroe.edu', '$0U%$H.new.example', at, 'ann%sc.cs.new.example'],
    ['.siroe.edu', '$1U%siroe.edu', at, 'news%siroe.edu'],
    ['.siroe.edu', '$1U%siroe.edu', 'ann@sc.cs.siroe.edu', 'the local part is empty'],
    ['.siroe.edu', '$0U%siroe.edu', '+ann@sc.cs.siroe.edu', '+ann%siroe.edu'],
    ['*.*.siroe.edu', '$U%$&1.$&0.example', at, 'ann+news%cs.sc.example'],
    ['*.*.siroe.edu', '$U%$!1.$!0.example', at, 'ann+news%sc.cs.example'],
    ['.siroe.edu', '$U%$*0.$*1.$#0.$#1', at, 'ann+news%siroe.edu.edu.siroe'],
    // What stands in quotes is no domain. docs/field-cases.md
    ['.siroe.edu', '$U%siroe.edu', '"x@evil.example"@a.siroe.edu', 'x@evil.example%siroe.edu'],
    ['.siroe.edu', '$U%$&2.example', at, 'there is no unmatched label 2 from the left'],
    ['sc.cs.siroe.edu', '$U%$D', at, 'ann+news%sc.cs.siroe.edu'],
    ['sc.cs.siroe.edu', '$U%x$H.example', at, 'ann+news%x.example'],
    ['sc.cs.siroe.edu', '$U%$*0.example', at, 'ann+news%sc.example'],
    ['.', '$U%$H@smtp', at, 'ann+news%sc.cs.siroe.edu@smtp'],
    ['.', '$U%$H$D', at, 'ann+news%sc.cs.siroe.edu'],
    ['.', '$U%$*0', at, 'there is no matched label 0 from the left'],
    ['$*', '$U%$H@smtp', at, 'ann+news%sc.cs.siroe.edu@smtp'],
    ['*.*.*.*', '$U%$&0.$!0$D', at, 'ann+news%sc.edu'],
    ['.edu', '$U%$H..edu', at, 'sc.cs.siroe..edu is no domain'],
    ['.edu', '$U$$$%$@%$H', at, 'ann+news$%@%sc.cs.siroe'],
    ['.edu', '$U@$H$D@[192.0.2.9]:2525@partner', at, 'ann+news%sc.cs.siroe.edu@[192.0.2.9]:2525@partner'],
    ['.edu', '$U@$H$D@relay.$H.Example@Partner', at, 'ann+news%sc.cs.siroe.edu@relay.sc.cs.siroe.example@partner'],
    ['.edu', '$U@$H$D@[a.example],[192.0.2.1]:25@smtp', at, 'ann+news%sc.cs.siroe.edu@[a.example],[192.0.2.1]:25@smtp'],
    ['.edu', '$U@$H$D@[a..b]@smtp', at, '[a..b] is no next hop'],
    ['.edu', '$?closed, write to $U', at, 'refused: closed, write to $U'],
    ['.edu', '$U%$H$?no such place', at, 'ann+news%sc.cs.siroe?no such place'],
    ['[192.0.2.]', '$U%[$D$L]@smtp', 'ann@[192.0.2.7]', 'ann%[192.0.2.7]@smtp'],
    ['[]', '$U%[$L]@smtp', 'ann@[192.0.2.7]', 'ann%[192.0.2.7]@smtp'],
    ['[]', '$U%[$L]@smtp', 'ann@[IPv6:2001:db8::1]', 'ann%[IPv6:2001:db8::1]@smtp'],
    ['[192.0.2.7]', '$U%$D@smtp', 'ann@[192.0.2.7]', 'ann%[192.0.2.7]@smtp'],
    ['.', '$U%$H@smtp', 'ann@[192.0.2.7]', 'ann%[192.0.2.7]@smtp'],
    ['.', '$U%$&0.example', 'ann@[192.0.2.7]', 'there is no unmatched label 0 from the left'],
    ['.', `${'x'.repeat(250)}$U%$H`, 'ann+news@a.example', 'the local part has more than 255 characters'],
  ] as const)
    assert.equal(made(pattern, template, address), result, `${pattern} ${template}`);
});

test('controls decide whether a rule holds', () => {
  const at = 'ann@sc.siroe.edu';
  const rule = (template: string, context: Context): string => made('.siroe.edu', template, at, context);
  assert.equal(rule('$A$E$F$U%x.example', {}), 'ann%x.example');
  assert.equal(rule('$Mlmtp$Msmtp$U%x.example', { door: 'smtp' }), 'ann%x.example');
  assert.equal(rule('$Mlmtp$Mapi$U%x.example', { door: 'smtp' }), 'the message did not come in by lmtp or api');
  assert.equal(rule('$U%x.example$Nsmtp', { door: 'smtp' }), 'the message came in by smtp');
  assert.equal(rule('$U%x.ex$Nsmtp.ample', { door: 'smtp' }), 'the message came in by smtp');
  const entries = ['siroe.edu', 'sc.siroe.edu'];
  assert.equal(rule('$U%$H$D$V$H$D@store', { entries }), 'ann%sc.siroe.edu@store');
  assert.equal(rule('$U%$H$D$V$D', { entries }), 'ann%sc.siroe.edu', 'the dot of $D is no part of a name');
  assert.equal(rule('$Vx.example$U%$H', { entries }), 'x.example has no domain entry');
  assert.equal(rule('$Zsiroe.edu$U%$H', { entries }), 'siroe.edu has a domain entry');
  assert.equal(rule('$Zx.example$U%x.example', { entries }), 'ann%x.example');
  assert.equal(rule('$Msubmission$?only from outside', { door: 'smtp' }), 'the message did not come in by submission');
});

test('equal patterns are tried by order, then by name; lines of the configuration behind them, the built-in rule last', () => {
  const entry = (name: string, order: number, pattern: string) => ({
    key: name,
    name,
    order,
    pattern,
    template: `${name}%x.example`,
  });
  const rules = new RuleSet(
    [
      entry('b', 100, '.'),
      entry('a', 100, '.'),
      entry('z', 5, '.'),
      entry('p', 1, 'partner.example'),
      { ...entry('broken', 1, 'partner.example'), template: '$q' },
      entry('first', 1, '$*'),
      entry('wild', 1, '*.partner.example'),
      entry('below', 1, '.partner.example'),
      entry('literal', 1, '[192.0.2.]'),
    ],
    [nextHopRule('partner.example', '[192.0.2.9]:2525')],
  );
  const shown = rules.inOrder().map(({ pattern, name }) => `${pattern} ${name}`);
  assert.deepEqual(shown, [
    '$* first',
    '[192.0.2.] literal',
    'partner.example p',
    'partner.example partner.example',
    '*.partner.example wild',
    '.partner.example below',
    '. z',
    '. a',
    '. b',
    '. built-in',
  ]);
  assert.equal(printTemplate(rules.at('partner.example')[1]!.template), '$U@$D@[192.0.2.9]:2525@smtp');
  const more = rules.with(ruleOf({ key: '', name: 'asked', pattern: '.', template: '$?no' }, 'entry'));
  assert.deepEqual(
    more.at('.').map(({ name }) => name),
    ['asked', 'z', 'a', 'b', 'built-in'],
  );
});

// The model: a pattern is a regular expression, the more labels it names the sooner it is tried.

const label = fc.constantFrom('a', 'b', 'c');
const domain = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
const pattern = fc.oneof(
  domain,
  domain.map((name) => `.${name}`),
  fc.tuple(fc.integer({ min: 1, max: 3 }), domain).map(([count, name]) => `${'*.'.repeat(count)}${name}`),
  fc.integer({ min: 1, max: 4 }).map((count) => Array(count).fill('*').join('.')),
  fc.constant('.'),
);
const piece = fc.constantFrom(
  '$U',
  '$0U',
  '$1U',
  '$D',
  '$H',
  '$&0',
  '$&1',
  '$!0',
  '$*0',
  '$*1',
  '$#0',
  'x',
  '.',
  '$Va.b',
  '$Nlmtp',
);
const user = fc.array(piece, { maxLength: 3 }).map((pieces) => `u${pieces.join('')}`);
const template = fc
  .tuple(user, fc.array(piece, { minLength: 1, maxLength: 4 }), fc.constantFrom('', '@smtp'))
  .map(([local, pieces, channel]) => `${local}%q${pieces.join('')}${channel}`);

function expressionOf(text: string): RegExp {
  if (text === '.') return /^/;
  const labels = text.split('.').map((each) => (each === '*' ? '[^.]+' : each));
  return text.startsWith('.') ? new RegExp(`^.+${labels.join('\\.')}$`) : new RegExp(`^${labels.join('\\.')}$`);
}

function naiveRank(text: string): number {
  const named = text.split('.').filter((each) => /^[a-z]/.test(each)).length;
  const kind = text.startsWith('.') ? 0 : text.includes('*') ? 1 : 2;
  return 10 * named + kind;
}

const naiveOpen = (text: string, name: string): number => {
  if (text === '.') return name.split('.').length;
  if (text.includes('*')) return text.split('*').length - 1;
  return text.startsWith('.') ? name.split('.').length - text.split('.').length + 1 : 0;
};

/** By replacing in the text. */
function naiveMade(pattern: string, template: string, local: string, name: string): string | undefined {
  const labels = name.split('.');
  const open = naiveOpen(pattern, name);
  const [left, right] = [labels.slice(0, open), labels.slice(open)];
  if (template.includes('$Va.b') && !NAIVE_ENTRIES.includes(naiveName(template, left, right))) return undefined;
  let isMissing = false;
  const pick = (list: readonly string[], at: number): string => {
    const found = list.at(at);
    if (found === undefined) isMissing = true;
    return found ?? '';
  };
  const [, base, sub = ''] = /^([^+]+)\+?(.*)$/.exec(local)!;
  const text = template
    .replaceAll(/\$Va\.b(?:\$[DH]|[a-z0-9._-])*/g, '')
    .replaceAll('$Nlmtp', '')
    .replaceAll('$U', local)
    .replaceAll('$0U', base!)
    .replaceAll('$1U', sub)
    .replaceAll('$D', `${open > 0 && right.length > 0 ? '.' : ''}${right.join('.')}`)
    .replaceAll('$H', left.join('.'))
    .replaceAll(/\$([&!*#])(\d)/g, (_, kind: string, at: string) =>
      pick(kind === '&' || kind === '!' ? left : right, kind === '&' || kind === '*' ? Number(at) : -1 - Number(at)),
    );
  const target = text.slice(text.indexOf('%') + 1).replace('@smtp', '');
  const isDomain = target
    .replace(/\.$/, '')
    .split('.')
    .every((each) => /^[a-z0-9_-]{1,63}$/.test(each));
  return isMissing || !isDomain ? undefined : text.replace(target, target.replace(/\.$/, ''));
}

const NAIVE_ENTRIES = ['a.b'];

/** The name of the only `$V`, as far as it goes. */
function naiveName(template: string, left: readonly string[], right: readonly string[]): string {
  const [found] = /\$Va\.b(?:\$[DH]|[a-z0-9._-])*/.exec(template)!;
  const matched = `${left.length > 0 && right.length > 0 ? '.' : ''}${right.join('.')}`;
  return found.slice(2).replaceAll('$D', matched).replaceAll('$H', left.join('.')).replace(/\.$/, '');
}

/** One name of a domain at most; and no letters behind a door, which would be read as part of its name. */
const isSimple = (text: string): boolean => text.split('$V').length < 3 && !/\$Nlmtp[a-z]/.test(text);

test('the rule that holds, and what it gives, are the same to a model of regular expressions', () => {
  const rules = fc.array(fc.tuple(pattern, template.filter(isSimple), fc.integer({ min: 0, max: 3 })), {
    maxLength: 12,
  });
  const locals = fc.constantFrom('ann', 'ann+news');
  fc.assert(
    fc.property(rules, domain, locals, (texts, name, local) => {
      const set = new RuleSet(
        texts.map(([each, made, order], at) => ({ pattern: each, template: made, order, key: '', name: `r${at}x` })),
        [],
      );
      const sorted = texts
        .map(([each, made, order], at) => ({ pattern: each, made, order, name: `r${at}x` }))
        .filter((each) => expressionOf(each.pattern).test(name))
        .sort((a, b) => naiveRank(b.pattern) - naiveRank(a.pattern) || a.order - b.order || (a.name < b.name ? -1 : 1));
      const expected = [
        ...sorted.map((each) => naiveMade(each.pattern, each.made, local, name)),
        `${local}%${name}@smtp`,
      ].find((each) => each !== undefined);
      assert.equal(firstOf(set, local, name), expected);
    }),
    { numRuns: 5000 },
  );
});

function firstOf(rules: RuleSet, localPart: string, domain: string): string | undefined {
  const conditions = { door: 'smtp', hasDomainEntry: (name: string) => NAIVE_ENTRIES.includes(name) } as const;
  for (const probe of probesOf(domain))
    for (const rule of rules.at(probe.pattern)) {
      const applied = applyRule(rule.template, { localPart, domain }, probe, conditions);
      if (applied.result !== 'applied') continue;
      const { address, channel } = applied;
      return `${address.localPart}%${address.domain}${channel === undefined ? '' : `@${channel}`}`;
    }
  return undefined;
}

test('the order of all rules is the order in which each domain tries them', () => {
  fc.assert(
    fc.property(fc.array(pattern, { maxLength: 30 }), domain, (patterns, name) => {
      const rules = new RuleSet(
        patterns.map((each, at) => ({ pattern: each, template: '$U%x', order: at, key: '', name: String(at) })),
        [],
      );
      const tried: Rule[] = probesOf(name).flatMap((probe) => rules.at(probe.pattern));
      assert.deepEqual(
        rules.inOrder().filter((rule) => tried.includes(rule)),
        tried,
      );
    }),
  );
});
