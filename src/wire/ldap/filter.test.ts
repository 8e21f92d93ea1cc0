import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FilterParser, BerWriter as LdaptsWriter } from 'ldapts';
import { fuzzCases, mutatedText } from '../../../test/support/nearly-right.ts';
import { SyntaxFailure } from '../../base/cursor.ts';
import { LDAP_FILTER_BYTES_MAX, LDAP_FILTER_NESTING_MAX, LDAP_FILTER_PARTS_MAX } from '../../base/limits.ts';
import { BerReader, BerWriter } from './ber.ts';
import { decodeFilter, encodeFilter, extensibleFilter, type Filter, substringsFilter } from './filter.ts';
import { parseFilter } from './filter-text.ts';
import { RequestFailure } from './request-failure.ts';
import { formatFilter } from './testing.ts';
import { type AttributeValue, decodeValue } from './values.ts';

function encoded(filter: Filter): Buffer {
  const writer = new BerWriter();
  encodeFilter(writer, filter);
  return writer.take();
}

function decoded(bytes: Buffer): Filter {
  const reader = new BerReader(bytes);
  const filter = decodeFilter(reader);
  reader.end();
  return filter;
}

const attribute = fc.stringMatching(/^[A-Za-z][A-Za-z0-9.-]{0,10}(;[a-z]{1,5})?$/);
const value: fc.Arbitrary<AttributeValue> = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.uint8Array({ maxLength: 20 }).map((octets) => decodeValue(Buffer.from(octets))),
);
const part = value.filter((one) => one.length > 0);
const optional = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(one, { nil: undefined });

/** Records with the usual prototype, as the decoder makes them. */
const PLAIN = { noNullPrototype: true } as const;

const filters: fc.Arbitrary<Filter> = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 4 },
    fc.record(
      {
        kind: fc.constantFrom('equality', 'greaterOrEqual', 'lessOrEqual', 'approx'),
        attribute,
        value,
      },
      PLAIN,
    ),
    fc.record({ kind: fc.constant('present' as const), attribute }, PLAIN),
    fc
      .tuple(attribute, optional(part), fc.array(part, { maxLength: 3 }), optional(part))
      .filter(([, initial, any, final]) => initial !== undefined || any.length > 0 || final !== undefined)
      .map(([name, initial, any, final]) => substringsFilter(name, initial, any, final)),
    fc
      .tuple(optional(attribute), optional(attribute), value, fc.boolean())
      // A rule named `dn` cannot be written: RFC 4515 §3 means the DN's attributes by `:dn:`.
      .filter(
        ([rule, name]) => (rule !== undefined || name !== undefined) && rule?.split(';')[0]?.toLowerCase() !== 'dn',
      )
      .map(([rule, name, one, dnAttributes]) => extensibleFilter(rule?.split(';')[0], name, one, dnAttributes)),
    fc.record({ kind: fc.constantFrom('and', 'or'), filters: fc.array(tie('filter'), { maxLength: 4 }) }, PLAIN),
    fc.record({ kind: fc.constant('not' as const), filter: tie('filter') }, PLAIN),
  ),
})).filter;

test('a filter comes back from its octets and from its text', () => {
  fc.assert(
    fc.property(filters, (filter) => {
      assert.deepEqual(decoded(encoded(filter)), filter);
      assert.deepEqual(parseFilter(formatFilter(filter)), filter);
    }),
    { numRuns: 1000 },
  );
});

test('the examples of RFC 4515', () => {
  const examples: readonly [string, Filter][] = [
    ['(cn=Babs Jensen)', { kind: 'equality', attribute: 'cn', value: 'Babs Jensen' }],
    ['(!(cn=Tim Howes))', { kind: 'not', filter: { kind: 'equality', attribute: 'cn', value: 'Tim Howes' } }],
    [
      '(&(objectClass=Person)(|(sn=Jensen)(cn=Babs J*)))',
      {
        kind: 'and',
        filters: [
          { kind: 'equality', attribute: 'objectClass', value: 'Person' },
          {
            kind: 'or',
            filters: [
              { kind: 'equality', attribute: 'sn', value: 'Jensen' },
              { kind: 'substrings', attribute: 'cn', initial: 'Babs J', any: [] },
            ],
          },
        ],
      },
    ],
    ['(o=univ*of*mich*)', { kind: 'substrings', attribute: 'o', initial: 'univ', any: ['of', 'mich'] }],
    ['(seeAlso=)', { kind: 'equality', attribute: 'seeAlso', value: '' }],
    [
      '(cn:caseExactMatch:=Fred Flintstone)',
      { kind: 'extensible', attribute: 'cn', rule: 'caseExactMatch', value: 'Fred Flintstone', dnAttributes: false },
    ],
    ['(cn:=Betty Rubble)', { kind: 'extensible', attribute: 'cn', value: 'Betty Rubble', dnAttributes: false }],
    [
      '(sn:dn:2.4.6.8.10:=Barney Rubble)',
      { kind: 'extensible', attribute: 'sn', rule: '2.4.6.8.10', value: 'Barney Rubble', dnAttributes: true },
    ],
    ['(o:dn:=Ace Industry)', { kind: 'extensible', attribute: 'o', value: 'Ace Industry', dnAttributes: true }],
    [
      '(:1.2.3:=Wilma Flintstone)',
      { kind: 'extensible', rule: '1.2.3', value: 'Wilma Flintstone', dnAttributes: false },
    ],
    // A rule whose name begins with `dn` is no `:dn`.
    ['(:dna:=x)', { kind: 'extensible', rule: 'dna', value: 'x', dnAttributes: false }],
    ['(:DN:2.4.6.8.10:=Dino)', { kind: 'extensible', rule: '2.4.6.8.10', value: 'Dino', dnAttributes: true }],
    [
      '(o=Parens R Us \\28for all your parenthetical needs\\29)',
      { kind: 'equality', attribute: 'o', value: 'Parens R Us (for all your parenthetical needs)' },
    ],
    ['(cn=*\\2A*)', { kind: 'substrings', attribute: 'cn', any: ['*'] }],
    ['(filename=C:\\5cMyFile)', { kind: 'equality', attribute: 'filename', value: 'C:\\MyFile' }],
    ['(bin=\\00\\00\\00\\04)', { kind: 'equality', attribute: 'bin', value: '\0\0\0\x04' }],
    ['(sn=Lu\\c4\\8di\\c4\\87)', { kind: 'equality', attribute: 'sn', value: 'Lučić' }],
    ['(sn=Lučić)', { kind: 'equality', attribute: 'sn', value: 'Lučić' }],
    ['(uid=*)', { kind: 'present', attribute: 'uid' }],
    ['(&)', { kind: 'and', filters: [] }],
    ['(|)', { kind: 'or', filters: [] }],
  ];
  for (const [text, filter] of examples) {
    assert.deepEqual(parseFilter(text), filter, text);
    assert.deepEqual(decoded(encoded(filter)), filter, text);
  }
});

test('blanks around parentheses mean nothing, those of a value are its own', () => {
  assert.deepEqual(
    parseFilter(' ( & ( cn=a b )\r\n\t(| (a=b) (!\t(c=*)) ) )\n'),
    parseFilter('(&(cn=a b )(|(a=b)(!(c=*))))'),
  );
  for (const text of ['(c n=a)', '(cn =a)', '(cn= *)(a=b)', '( )'])
    assert.throws(() => parseFilter(text), SyntaxFailure, text);
});

test('text that is no filter is a syntax failure', () => {
  const wrong = [
    '',
    '(',
    '()',
    'cn=a',
    '(cn=a',
    '(cn=a))',
    '(cn)',
    '(cn=a(b)',
    '(cn=\\4)',
    '(cn=\\zz)',
    '(!(a=b)(c=d))',
    '(a=**)',
    '(a=b**c)',
    '(:=x)',
    '(&(a=b)',
    '(a~b)',
    '(a>b)',
    '(=b)',
    '(a=b)(c=d)',
    '(cn:dn=x)',
    '(a=\0)',
  ];
  for (const text of wrong) assert.throws(() => parseFilter(text), SyntaxFailure, text);
});

test('ldapts writes the same filters', () => {
  const texts = [
    '(mail=ann@acme.example)',
    '(&(objectClass=mailDomain)(!(dc=acme)))',
    '(|(cn=a*)(cn=*b)(cn=a*b*c)(cn=*x*))',
    '(createTimestamp>=20260101000000Z)',
    '(createTimestamp<=20260101000000Z)',
    '(cn~=ann)',
    '(objectClass=*)',
    '(ou:dn:=People)',
    '(cn:caseExactMatch:=Ann)',
    '(cn=Lučić \\2a)',
  ];
  for (const text of texts) {
    const writer = new LdaptsWriter();
    FilterParser.parseString(text).write(writer);
    assert.deepEqual(decoded(writer.buffer), parseFilter(text), text);
  }
});

test('twenty thousand nested NOTs are refused, and the deepest that is allowed is not', () => {
  const nested = (depth: number): Filter => {
    let filter: Filter = { kind: 'present', attribute: 'a' };
    for (let i = 1; i < depth; i++) filter = { kind: 'not', filter };
    return filter;
  };
  const deepest = nested(LDAP_FILTER_NESTING_MAX);
  assert.deepEqual(decoded(encoded(deepest)), deepest);
  assert.deepEqual(parseFilter(formatFilter(deepest)), deepest);
  assert.throws(() => decoded(encoded(nested(LDAP_FILTER_NESTING_MAX + 1))), RequestFailure);
  // Ours would run out of stack while it writes this, so the octets are made from the inside out.
  let bytes = Buffer.from('870161', 'hex');
  const headers: Buffer[] = [];
  let length = bytes.length;
  for (let i = 0; i < 20_000; i++) {
    const header = Buffer.alloc(6);
    header[0] = 0xa2;
    header[1] = 0x84;
    header.writeUInt32BE(length, 2);
    headers.push(header);
    length += 6;
  }
  bytes = Buffer.concat([...headers.reverse(), bytes]);
  assert.throws(() => decoded(bytes), RequestFailure);
  assert.throws(() => parseFilter(`${'(!'.repeat(20_000)}(a=b)${')'.repeat(20_000)}`), SyntaxFailure);
});

test('a filter of too many parts is refused', () => {
  const wide = (parts: number): Filter => ({
    kind: 'or',
    filters: Array.from({ length: parts - 1 }, () => ({ kind: 'present', attribute: 'a' })),
  });
  assert.ok(decoded(encoded(wide(LDAP_FILTER_PARTS_MAX))));
  assert.throws(() => decoded(encoded(wide(LDAP_FILTER_PARTS_MAX + 1))), RequestFailure);
  const stars = (parts: number): Filter => ({ kind: 'substrings', attribute: 'a', any: Array(parts - 1).fill('b') });
  assert.ok(decoded(encoded(stars(LDAP_FILTER_PARTS_MAX))));
  assert.throws(() => decoded(encoded(stars(LDAP_FILTER_PARTS_MAX + 1))), RequestFailure);
  const text = (parts: number): string => `(a=*${'b*'.repeat(parts - 1)})`;
  assert.ok(parseFilter(text(LDAP_FILTER_PARTS_MAX)));
  assert.throws(() => parseFilter(text(LDAP_FILTER_PARTS_MAX + 1)), SyntaxFailure);
});

test('a filter of too many octets is refused', () => {
  const long = (octets: number): Filter => ({ kind: 'equality', attribute: 'a', value: 'x'.repeat(octets) });
  assert.ok(decoded(encoded(long(LDAP_FILTER_BYTES_MAX - 100))));
  assert.throws(() => decoded(encoded(long(LDAP_FILTER_BYTES_MAX))), RequestFailure);
});

test('a filter that makes no sense is refused without doubting its octets', () => {
  const wrong: readonly [string, string][] = [
    ['no substring at all', 'a406 0402636e 3000'],
    ['an empty substring', 'a408 0402636e 3002 8000'],
    ['final before initial', 'a40c 0402636e 3006 820161 800161'],
    ['two initials', 'a40c 0402636e 3006 800161 800161'],
    ['a comparison without attribute', 'a305 0400 040161'],
    ['presence without attribute', '8700'],
    ['neither matching rule nor attribute', 'a903 830161'],
    ['a kind that does not exist', 'aa00'],
  ];
  for (const [what, hex] of wrong)
    assert.throws(() => decoded(Buffer.from(hex.replaceAll(' ', ''), 'hex')), RequestFailure, what);
});

test('any text near a filter is one that is written and read again as the same, or a syntax failure', () => {
  const seeds = [
    '(&(objectClass=Person)(|(sn=Jensen)(cn=Babs J*a*b))(!(uid>=x)))',
    '(cn:dn:2.5.13.3:=a\\2a\\c3\\bc)',
    '( cn~=b )',
  ];
  fc.assert(
    fc.property(mutatedText([...seeds, '(:caseExactMatch:=z)', '(|)', '(photo=\\ff\\00)']), (text) => {
      let filter: Filter;
      try {
        filter = parseFilter(text);
      } catch (error) {
        assert.ok(error instanceof SyntaxFailure, String(error));
        return;
      }
      assert.deepEqual(parseFilter(formatFilter(filter)), filter);
      assert.deepEqual(decoded(encoded(filter)), filter);
    }),
    fuzzCases(1500),
  );
});
