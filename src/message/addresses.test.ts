import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, mutatedText } from '../../test/support/nearly-right.ts';
import { HEADER_ADDRESSES_MAX } from '../base/limits.ts';
import { type HeaderAddress, parseAddressList } from './addresses.ts';

/** An address as `name|route|mailbox|host`, NIL where there is none. */
function show(list: readonly HeaderAddress[]): string[] {
  return list.map((parts) => parts.map((part) => part ?? 'NIL').join('|'));
}

const cases: readonly [value: string, ...expected: string[]][] = [
  ['ann@acme.example', 'NIL|NIL|ann|acme.example'],
  ['<ann@acme.example>', 'NIL|NIL|ann|acme.example'],
  ['Ann <ann@acme.example>', 'Ann|NIL|ann|acme.example'],
  ['Ann B. Smith <ann@acme.example>', 'Ann B. Smith|NIL|ann|acme.example'],
  ['"Smith, Ann" <ann@acme.example>', 'Smith, Ann|NIL|ann|acme.example'],
  ['"a \\"b\\" \\\\ c"<ann@acme.example>', 'a "b" \\ c|NIL|ann|acme.example'],
  ['Ann "B" C<ann@acme.example>', 'Ann B C|NIL|ann|acme.example'],
  ['=?utf-8?Q?J=C3=B6rg?= =?utf-8?Q?x?= <j@x.example>', '=?utf-8?Q?J=C3=B6rg?= =?utf-8?Q?x?=|NIL|j|x.example'],
  ['J\xc3\xb6rg <j@x.example>', 'J\xc3\xb6rg|NIL|j|x.example'],
  ['ann@acme.example (Ann Smith)', 'Ann Smith|NIL|ann|acme.example'],
  ['ann@acme.example (Ann (the first) \\) Smith)', 'Ann (the first) ) Smith|NIL|ann|acme.example'],
  ['(c) ann (c) @ (c) acme . example', 'c|NIL|ann|acme.example'],
  ['<ann@acme.example> (Ann)', 'Ann|NIL|ann|acme.example'],
  ['Ann (x) <ann@acme.example>', 'Ann|NIL|ann|acme.example'],
  ['Ann <ann@acme.example> (x)', 'Ann|NIL|ann|acme.example'],
  ['Ann <(x) ann (y) @acme.example>', 'Ann|NIL|ann|acme.example'],
  ['"a b"@acme.example', 'NIL|NIL|a b|acme.example'],
  ['<"a b"@acme.example>', 'NIL|NIL|a b|acme.example'],
  ['<"a@b"@acme.example>', 'NIL|NIL|a@b|acme.example'],
  ['ann@[127.0.0.1]', 'NIL|NIL|ann|[127.0.0.1]'],
  ['<@a.example,@b.example:u@c.example>', 'NIL|@a.example,@b.example|u|c.example'],
  ['a@x, b@y ,c@z', 'NIL|NIL|a|x', 'NIL|NIL|b|y', 'NIL|NIL|c|z'],
  [',, a@x,,', 'NIL|NIL|a|x'],
  ['undisclosed-recipients:;', 'NIL|NIL|undisclosed-recipients|NIL', 'NIL|NIL|NIL|NIL'],
  [
    'The Team: a@x, B <b@y>;, c@z',
    'NIL|NIL|The Team|NIL',
    'NIL|NIL|a|x',
    'B|NIL|b|y',
    'NIL|NIL|NIL|NIL',
    'NIL|NIL|c|z',
  ],
  ['team: a@x', 'NIL|NIL|team|NIL', 'NIL|NIL|a|x', 'NIL|NIL|NIL|NIL'],
  ['a:b:c@x;', 'NIL|NIL|a|NIL', 'NIL|NIL|c|x', 'NIL|NIL|NIL|NIL'],
  ['a@x; b@y', 'NIL|NIL|a|x', 'NIL|NIL|b|y'],
  ['root', 'NIL|NIL|root|'],
  ['root (Charlie)', 'Charlie|NIL|root|'],
  ['no address here', 'no address here|NIL||'],
  ['Ann <ann>', 'Ann|NIL|ann|'],
  ['Ann <>', 'Ann|NIL||'],
  ['Ann <ann@acme.example', 'Ann|NIL|ann|acme.example'],
  ['Ann <ann@acme.example, b@y', 'Ann|NIL|ann|acme.example', 'NIL|NIL|b|y'],
  ['undisclosed-recipients:;@host.example', 'NIL|NIL|undisclosed-recipients|NIL', 'NIL|NIL|NIL|NIL'],
  ['g:; c@z d, e@f', 'NIL|NIL|g|NIL', 'NIL|NIL|NIL|NIL', 'NIL|NIL|e|f'],
  ['g:; h:;, e@f', 'NIL|NIL|g|NIL', 'NIL|NIL|NIL|NIL', 'NIL|NIL|e|f'],
  ['a@x b@y, c@z', 'NIL|NIL|a|x', 'NIL|NIL|c|z'],
  ['<a@x> b@y, c@z', 'NIL|NIL|a|x', 'NIL|NIL|c|z'],
  ['<a@x> <b@y> (Bo), c@z', 'Bo|NIL|a|x', 'NIL|NIL|c|z'],
  ['Ann a@x', 'NIL|NIL|a|x'],
  ['"Ann B" a@x (c)', 'c|NIL|a|x'],
  ['a@x (Ann) b', 'Ann|NIL|a|x'],
  ['a@x <b@y>', 'a@x|NIL|b|y'],
  ['a@x by way of b <c@z>', 'a@x by way of b|NIL|c|z'],
  ['a . b @ c . d', 'NIL|NIL|a.b|c.d'],
  ['user..name@mobile.example', 'NIL|NIL|user..name|mobile.example'],
  ['@host.example, <@host.example>, <>, a@x', 'NIL|NIL|a|x'],
  ['a@b@c', 'NIL|NIL|a@b|c'],
  ['"unclosed', 'NIL|NIL|unclosed|'],
  ['"unclosed\\', 'NIL|NIL|unclosed|'],
  ['(unclosed'],
  ['a@[unclosed', 'NIL|NIL|a|[unclosed'],
  ['ann@acme.example>, b@y', 'NIL|NIL|ann|acme.example', 'NIL|NIL|b|y'],
  [''],
  ['   '],
  [';'],
  ['(only a comment)'],
  ['""'],
  ['\x00', 'NIL|NIL|\x00|'],
];

test('address lists become ENVELOPE addresses', () => {
  for (const [value, ...expected] of cases) assert.deepEqual(show(parseAddressList(value)), expected, value);
});

test('a list is bounded, also in a group', () => {
  const many = parseAddressList('a@b.example,'.repeat(500_000));
  assert.equal(many.length, HEADER_ADDRESSES_MAX);
  const group = parseAddressList(`g:${'a@b.example,'.repeat(500_000)};`);
  assert.deepEqual(group.at(-1), [null, null, null, null]);
});

test('nested groups, comments, brackets and quotes of any depth take no stack', () => {
  for (const piece of ['a:', '(', '<', '"', '[', '\\', ',', ':;', '@', '((())', 'a@b<', '=?', ' ']) {
    const text = piece.repeat(200_000);
    parseAddressList(text);
    parseAddressList(`${text})>"];`);
  }
});

test('an address of a million words, and a route that is none, are read once', () => {
  const many = 1_000_000;
  assert.equal(parseAddressList(`${'a. '.repeat(many)}@x`)[0]![2]!.length, 2 * many);
  assert.equal(parseAddressList(`<${'a:'.repeat(many)}>`)[0]![2]!.length, 2 * many);
});

test('property: any text gives addresses, groups are closed, and every cut is handled', () => {
  const piece = fc.constantFrom(
    'a',
    ' ',
    '<',
    '>',
    '@',
    ',',
    ':',
    ';',
    '(',
    ')',
    '"',
    '\\',
    '[',
    ']',
    '.',
    '\xe9',
    '\x00',
    '\t',
    '=?u?q?x?=',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const text = pieces.join('');
      for (let end = 0; end <= text.length; end++) {
        let open = false;
        for (const [, , mailbox, host] of parseAddressList(text.slice(0, end))) {
          if (host !== null) assert.notEqual(mailbox, null);
          else {
            assert.equal(open, mailbox === null);
            open = !open;
          }
        }
        assert.equal(open, false);
      }
    }),
    { numRuns: 300 },
  );
});

test('property: what stands between two commas gives the same address wherever it stands', () => {
  const item = fc.constantFrom('a@x', 'Ann <a@x>', '"A, B" <c@y>', 'd@z e@w', '@h', 'f@v (F)', 'words only', '');
  fc.assert(
    fc.property(fc.array(item, { maxLength: 8 }), (items) => {
      assert.deepEqual(
        parseAddressList(items.join(', ')),
        items.flatMap((one) => parseAddressList(one)),
      );
    }),
  );
});

test('any list near a right one gives addresses, with groups that are closed', () => {
  const seeds = [
    'Ann \xc4 <a@x>, "A, B" <c@y> (F);',
    'friends: a@b, <@r,@s:c@d>, "x\\"y" <e@f>;, g@h',
    '=?utf-8?q?=C3=B6?= <a@[192.0.2.1]>',
  ];
  fc.assert(
    fc.property(mutatedText([...seeds, 'undisclosed recipients:;', '((a) (b (c)) d@e) f@g']), (text) => {
      let isOpen = false;
      const all = parseAddressList(text);
      assert.ok(all.length <= HEADER_ADDRESSES_MAX + 1);
      for (const [, , mailbox, host] of all) {
        if (host !== null) assert.notEqual(mailbox, null);
        else {
          assert.equal(isOpen, mailbox === null);
          isOpen = !isOpen;
        }
      }
      assert.equal(isOpen, false);
    }),
    fuzzCases(1500),
  );
});
