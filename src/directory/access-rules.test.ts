// Access rules against a naive judge that knows the rules as trees and addresses as numbers, and case by case.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type AccessQuestion, type AccessService, judgeAccess, parseAccessRules } from './access-rules.ts';

function rulesOf(value: string) {
  const parsed = parseAccessRules(value);
  assert.ok('rules' in parsed, `${value}: ${'problem' in parsed ? parsed.problem : ''}`);
  return parsed.rules;
}

/** `imaps 192.0.2.1` admits, and by which rule. */
function judged(value: string, asked: string): string {
  const [word, peer] = asked.split(' ');
  const isImplicit = word!.endsWith('s');
  const service = (isImplicit ? word!.slice(0, -1) : word) as AccessService;
  const { admits, rule } = judgeAccess(rulesOf(value), { service, isImplicit, peer: peer ?? '' });
  return `${admits ? 'yes' : 'no'}${rule === undefined ? '' : ` ${rule.text}`}`;
}

describe('what the rules admit', () => {
  const cases: readonly [value: string, asked: string, answer: string][] = [
    ['-imap:*', 'imap 192.0.2.1', 'no -imap:*'],
    ['-imap:*', 'pop 192.0.2.1', 'yes'],
    ['-imap:*$-pop:*$-http:*', 'pops 192.0.2.1', 'no -pop:*'],
    ['-imap:*$-pop:*$-http:*', 'smtp 192.0.2.1', 'yes'],
    ['+imap:ALL$+pop:ALL$+http:ALL', 'imap 192.0.2.1', 'yes +imap:ALL'],
    ['+imap:ALL$+pop:ALL$+http:ALL', 'ldap 192.0.2.1', 'no'],
    ['+imap,smtp:192.0.2.0/24$+pop:ALL', 'smtps 192.0.2.77', 'yes +imap,smtp:192.0.2.0/24'],
    ['+imap,smtp:192.0.2.0/24$+pop:ALL', 'imap 198.51.100.7', 'no'],
    ['+imap,smtp:192.0.2.0/24$+pop:ALL', 'pop 198.51.100.7', 'yes +pop:ALL'],
    // An allow rule wins wherever it stands, and a deny rule makes what nobody names admitted.
    ['-imap:*$+imap:192.0.2.1', 'imap 192.0.2.1', 'yes +imap:192.0.2.1'],
    ['-imap:*$+imap:192.0.2.1', 'imap 192.0.2.2', 'no -imap:*'],
    ['-imap:*$+imap:192.0.2.1', 'pop 192.0.2.2', 'yes'],
    // The plain word covers both, the word with s only TLS from the first byte.
    ['+imaps:*', 'imaps 192.0.2.1', 'yes +imaps:*'],
    ['+imaps:*', 'imap 192.0.2.1', 'no'],
    ['-pop:*', 'pops 192.0.2.1', 'no -pop:*'],
    ['-ldaps:*', 'ldap 192.0.2.1', 'yes'],
    ['-smime:*', 'smtps 192.0.2.1', 'yes'],
    // EXCEPT binds to the right, in both lists.
    ['+ALL EXCEPT pop:*', 'pop 192.0.2.1', 'no'],
    ['+ALL EXCEPT pop:*', 'http 192.0.2.1', 'yes +ALL EXCEPT pop:*'],
    ['+* EXCEPT imap,imaps EXCEPT imaps:*', 'imap 192.0.2.1', 'no'],
    ['+* EXCEPT imap,imaps EXCEPT imaps:*', 'imaps 192.0.2.1', 'yes +* EXCEPT imap,imaps EXCEPT imaps:*'],
    ['-imap:* EXCEPT 192.0.2.0/24 EXCEPT 192.0.2.9', 'imap 192.0.2.8', 'yes'],
    [
      '-imap:* EXCEPT 192.0.2.0/24 EXCEPT 192.0.2.9',
      'imap 192.0.2.9',
      'no -imap:* EXCEPT 192.0.2.0/24 EXCEPT 192.0.2.9',
    ],
    [
      '-imap:* EXCEPT 192.0.2.0/24 EXCEPT 192.0.2.9',
      'imap 192.0.3.9',
      'no -imap:* EXCEPT 192.0.2.0/24 EXCEPT 192.0.2.9',
    ],
    // Letter case, blanks, masks, IPv6.
    [' + Imap , SMTP : 192.0.2.0/255.255.255.0 ', 'smtp 192.0.2.3', 'yes + Imap , SMTP : 192.0.2.0/255.255.255.0'],
    ['-all:all except 192.0.2.1', 'imap 192.0.2.1', 'yes'],
    ['+imap:2001:db8::/32', 'imap 2001:db8::1', 'yes +imap:2001:db8::/32'],
    ['+imap:2001:db8::/32', 'imap 2001:db9::1', 'no'],
    ['+imap:2001:db8::/32,192.0.2.1', 'imap ::ffff:192.0.2.1', 'yes +imap:2001:db8::/32,192.0.2.1'],
    // A client without an address is all clients, and none of them.
    ['+imap:0.0.0.0/0,::/0', 'imap', 'no'],
    ['+imap:*', 'imap', 'yes +imap:*'],
  ];
  for (const [value, asked, answer] of cases)
    test(`${value} | ${asked}`, () => assert.equal(judged(value, asked), answer));
});

describe('what does not parse', () => {
  const cases: readonly [value: string, problem: string][] = [
    ['', 'column 1: "+" or "-" is expected, nothing stands here'],
    ['imap:*', 'column 1: "+" or "-" is expected, "i" stands here'],
    ['+imap', 'column 6: ":" and the clients is expected, nothing stands here'],
    ['+imap:*$', 'column 9: "+" or "-" is expected, nothing stands here'],
    ['+imap:*$$-pop:*', 'column 9: "+" or "-" is expected, "$" stands here'],
    ['+imap:*;', 'column 7: an address, net/bits, net/mask, ALL or * (no host name) is expected, "*;" stands here'],
    ['+imap:1.2.3.4 5.6.7.8', 'column 15: "$" or the end is expected, "5" stands here'],
    ['+imap smtp:*', 'column 7: ":" and the clients is expected, "s" stands here'],
    ['+imap EXCEPT:*', /^column 13: a service .* is expected, nothing stands here$/],
    ['+EXCEPT imap:*', /^column 2: a service .* is expected, "EXCEPT" stands here$/],
    ['+pop3:*', /^column 2: a service /],
    ['+https:*', /^column 2: a service /],
    ['+:*', /^column 2: a service /],
    ['+imap,:*', /^column 7: a service /],
    ['+imap:', /^column 7: an address/],
    ['+imap:1.2.3.4/33', /^column 7: an address/],
    ['+imap:1.2.3', /^column 7: an address/],
    [`+imap:${'x'.repeat(100)}`, /"x{60}\.\.\." stands here$/],
    [`+imap:*${' '.repeat(8192)}`, 'column 8193: the value is too long'],
  ].map(([value, problem]) => [value, problem] as [string, string]);
  for (const [value, problem] of cases)
    test(value.slice(0, 40), () => {
      const parsed = parseAccessRules(value);
      assert.ok('problem' in parsed, 'it parses');
      if (typeof problem === 'string') assert.equal(parsed.problem, problem);
      else assert.match(parsed.problem, problem);
    });

  for (const client of ['mail.example', '.example', 'LOCAL', 'KNOWN', 'UNKNOWN', 'DNSSPOOFER', '@netgroup', '192.0.2.'])
    test(`the client ${client}`, () => {
      for (const value of [`+imap:${client}`, `-ALL:* EXCEPT ${client}`])
        assert.ok('problem' in parseAccessRules(value));
    });
});

test('the longest value is judged', () => {
  const rules = rulesOf(
    `+imap:${Array(630).fill('192.0.2.1').join(' EXCEPT ').slice(0, 8100)}`.replace(/ [A-Z]* ?[0-9.]*$/, ''),
  );
  assert.equal(typeof judgeAccess(rules, { service: 'imap', isImplicit: false, peer: '192.0.2.1' }).admits, 'boolean');
});

test('any text parses or has its column', () => {
  const piece = fc.constantFrom(
    '+',
    '-',
    'imap',
    'ALL',
    '*',
    ':',
    ',',
    '$',
    ' ',
    'EXCEPT',
    '192.0.2.0/24',
    '::1',
    'é',
    '\0',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const parsed = parseAccessRules(pieces.join(''));
      if ('problem' in parsed) assert.match(parsed.problem, /^column [0-9]+: /);
    }),
  );
});

// The naive judge: a list is a tree, and so is what it leaves out.

interface Tree<T> {
  readonly items: readonly T[];
  readonly except: Tree<T> | undefined;
}

type Client = 'ALL' | '*' | { readonly from: number; readonly bits: number };

interface NaiveRule {
  readonly sign: '+' | '-';
  readonly services: Tree<string>;
  readonly clients: Tree<Client>;
}

function contains<T>(tree: Tree<T> | undefined, has: (item: T) => boolean): boolean {
  if (tree === undefined) return false;
  return tree.items.some(has) && !contains(tree.except, has);
}

function naive(rules: readonly NaiveRule[], service: string, isImplicit: boolean, peer: number): boolean {
  const matching = rules.filter(
    ({ services, clients }) =>
      contains(services, (word) => {
        if (word === 'ALL' || word === '*') return true;
        return word.endsWith('s') ? isImplicit && word === `${service}s` : word === service;
      }) &&
      contains(clients, (client) => {
        if (typeof client === 'string') return true;
        const size = 2 ** (32 - client.bits);
        return Math.floor(client.from / size) === Math.floor(peer / size);
      }),
  );
  if (matching.some(({ sign }) => sign === '+')) return true;
  if (matching.some(({ sign }) => sign === '-')) return false;
  return !(rules.some(({ sign }) => sign === '+') && rules.every(({ sign }) => sign === '+'));
}

const dotted = (n: number): string => [24, 16, 8, 0].map((shift) => (n >>> shift) & 255).join('.');
const mask = (bits: number): string => dotted(bits === 0 ? 0 : (0xffffffff << (32 - bits)) >>> 0);

function written(client: Client, style: number): string {
  if (typeof client === 'string') return client;
  if (client.bits === 32 && style % 3 === 0) return dotted(client.from);
  return `${dotted(client.from)}/${style % 2 === 0 ? client.bits : mask(client.bits)}`;
}

/** Few addresses and lengths, so that they meet. */
const address = fc.constantFrom(0xc0000201, 0xc0000202, 0xc0000301, 0xc6336407);
const client: fc.Arbitrary<Client> = fc.oneof(
  fc.constantFrom('ALL' as const, '*' as const),
  fc.record({ from: address, bits: fc.constantFrom(0, 8, 23, 24, 31, 32) }),
);
const word = fc.constantFrom('imap', 'imaps', 'pop', 'pops', 'smtp', 'smtps', 'http', 'ldap', 'ldaps', 'ALL', '*');
const tree = <T>(item: fc.Arbitrary<T>): fc.Arbitrary<Tree<T>> =>
  fc
    .array(fc.array(item, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 })
    .map((lists) => lists.reduceRight<Tree<T> | undefined>((except, items) => ({ items, except }), undefined)!);
const rule: fc.Arbitrary<NaiveRule> = fc.record({
  sign: fc.constantFrom('+' as const, '-' as const),
  services: tree(word),
  clients: tree(client),
});

test('it judges as a naive judge does', () => {
  const styles = fc.infiniteStream(fc.nat({ max: 11 }));
  const question: fc.Arbitrary<Omit<AccessQuestion, 'peer'>> = fc.record({
    service: fc.constantFrom<AccessService>('imap', 'pop', 'smtp', 'http', 'ldap'),
    isImplicit: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(rule, { minLength: 1, maxLength: 4 }),
      question,
      address,
      styles,
      (rules, asked, peer, stream) => {
        const style = (): number => stream.next().value;
        const blank = (): string => ['', '', ' '][style() % 3]!;
        const cased = (text: string): string => [text, text.toLowerCase(), text.toUpperCase()][style() % 3]!;
        const list = <T>({ items, except }: Tree<T>, write: (item: T) => string): string =>
          items.map((item) => `${blank()}${cased(write(item))}${blank()}`).join(',') +
          (except === undefined ? '' : ` ${cased('EXCEPT')} ${list(except, write)}`);
        const value = rules
          .map(
            ({ sign, services, clients }) =>
              `${blank()}${sign}${list(services, String)}:${list(clients, (each) => written(each, style()))}`,
          )
          .join('$');
        const answer = judgeAccess(rulesOf(value), { ...asked, peer: dotted(peer) });
        assert.equal(answer.admits, naive(rules, asked.service, asked.isImplicit, peer), value);
      },
    ),
    { numRuns: 2000 },
  );
});
