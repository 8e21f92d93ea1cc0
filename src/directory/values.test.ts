// Values: which a syntax takes, when two are equal, and that preparing twice changes nothing.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { idOf } from '../base/ids.ts';
import type { Filter } from '../wire/ldap/filter.ts';
import type { AttributeValue, Entry } from './entry.ts';
import { compileFilter, OUTSIDE } from './match.ts';
import { equalityKey, prepareFor } from './matching.ts';
import { prepareSubstring } from './prepare.ts';
import { parseGeneralizedTime } from './scalars.ts';
import { schema } from './schema.ts';
import { MATCHING_RULES, type MatchingRuleName, type SyntaxName } from './schema-data.ts';
import { planLookups } from './search-plan.ts';
import { isValidValue } from './syntaxes.ts';

const bytes = (...octets: number[]) => new Uint8Array(octets);

describe('a syntax', () => {
  const taken: [SyntaxName, AttributeValue[]][] = [
    ['DirectoryString', ['a', ' ', 'ä€😀', 'a\0b', '__proto__']],
    ['IA5String', ['', 'a@b', '\x7f']],
    ['PrintableString', ['Aa9 ?=']],
    ['CountryString', ['DE']],
    ['NumericString', ['12 34']],
    ['TelephoneNumber', ['+1 (555) 010-0', '*21#']],
    ['FacsimileTelephoneNumber', ['+1 555', '+1 555$fineResolution']],
    ['Integer', ['0', '-1', '9'.repeat(100)]],
    ['Boolean', ['TRUE', 'FALSE']],
    ['GeneralizedTime', ['20260228120000Z', '2026022812Z', '202602281200.5+0130', '20240229000000,25Z']],
    ['UUID', ['f80b804f-3d77-4cba-b234-5B627EDADBB6']],
    ['OID', ['cn', '2.5.4.3', 'x-a']],
    ['BitString', ["'0101'B", "''B"]],
    ['DN', ['', 'cn=a,o=b']],
    ['NameAndOptionalUID', ['cn=a', "cn=a#'01'B", 'cn=a#b']],
    ['PostalAddress', ['1 Street$City']],
    ['OctetString', ['', bytes(0xff)]],
    ['JPEG', [bytes(0xff, 0xd8)]],
  ];
  for (const [syntax, values] of taken) {
    it(`${syntax} takes ${values.length} of its kind`, () => {
      for (const value of values) assert.ok(isValidValue(syntax, value), String(value));
    });
  }

  const refused: [SyntaxName, AttributeValue[]][] = [
    ['DirectoryString', ['', bytes(0xff)]],
    ['IA5String', ['ä', bytes(0xff)]],
    ['PrintableString', ['', 'a*', 'ä']],
    ['CountryString', ['D', 'DEU']],
    ['NumericString', ['', '1a']],
    ['TelephoneNumber', ['', 'ä']],
    ['FacsimileTelephoneNumber', ['', '1$']],
    ['Integer', ['', '+1', '-0', '01', ' 1', '1.0', '9'.repeat(102)]],
    ['Boolean', ['true', '1']],
    [
      'GeneralizedTime',
      ['', '2026', '20261301000000Z', '20260230000000Z', '20260101240000Z', '20260101000000', '20260101006000Z'],
    ],
    ['UUID', ['', 'f80b804f3d774cbab2345b627edadbb6']],
    ['OID', ['', '1', '1..2', '01.2', '9.1', 'a b', 'a'.repeat(200)]],
    ['BitString', ['0101', "'2'B"]],
    ['DN', ['a', 'cn=a,']],
    ['NameAndOptionalUID', ["#'01'B1", "cn=a,#'01'B"]],
    ['JPEG', [bytes()]],
  ];
  for (const [syntax, values] of refused) {
    it(`${syntax} refuses ${values.length} others`, () => {
      for (const value of values) assert.equal(isValidValue(syntax, value), false, String(value));
    });
  }
});

describe('two values', () => {
  const key = (name: string, value: AttributeValue) => equalityKey(schema().attributeType(name)!, value);
  const equal: [attribute: string, a: string, b: string][] = [
    ['cn', ' Ann   Bell', 'ann bell '],
    ['cn', 'ＡＮＮ', 'ann'],
    ['cn', 'a\u00adb', 'ab'],
    ['cn', 'a\tb', 'A B'],
    ['cn', 'ΣΑΣ', 'σας'],
    ['homeDirectory', '/home/a ', '/home/a'],
    ['member', 'cn=A , o=B', 'CN=a,O=b'],
    ['member', 'cn=a.b-c@d_e,o=b', 'CN=A.B-C@D_E,O=B'],
    ['uniqueMember', "cn=A,o=b#'01'B", "CN=a, o=b#'01'B"],
    ['telephoneNumber', '+1 555-0100', '+15550100'],
    ['x121Address', '12 34', '1234'],
    ['objectClass', 'person', '2.5.6.6'],
    ['createTimestamp', '20260101000000Z', '20260101010000.0+0100'],
    ['postalAddress', 'A  Street$City', 'a street$CITY'],
  ];
  for (const [name, a, b] of equal) it(`of ${name}: ${a} is ${b}`, () => assert.equal(key(name, a), key(name, b)));

  const different: [attribute: string, a: AttributeValue, b: AttributeValue][] = [
    ['cn', 'ann', 'a nn'],
    ['homeDirectory', '/home/a', '/home/A'],
    ['userPassword', 'a', 'A'],
    ['jpegPhoto', bytes(0xff, 0xd8), bytes(0xff, 0xd9)],
    ['member', 'cn=a\\,b,o=c', 'cn=a,b=o,o=c'],
    ['uniqueMember', "cn=a#'01'B", "cn=a#'10'B"],
    ['postalAddress', 'a$b', 'ab'],
  ];
  for (const [name, a, b] of different)
    it(`of ${name}: ${a} is not ${b}`, () => assert.notEqual(key(name, a), key(name, b)));

  it('are the same by every rule when prepared twice', () => {
    const rules = Object.keys(MATCHING_RULES) as MatchingRuleName[];
    const value = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.string({ unit: 'binary' }),
      fc.integer().map(String),
      fc.constantFrom('cn=a,o=b', "cn=A#'01'B", '20260101000000.5+0100', 'TRUE', 'person', 'Σ', 'ﬃ', 'ǅ', '\u212a'),
    );
    fc.assert(
      fc.property(fc.constantFrom(...rules), value, (rule, text) => {
        const prepared = prepareFor(rule, text);
        if (prepared === undefined || rule.startsWith('octetString') || rule === 'objectIdentifierFirstComponentMatch')
          return;
        assert.equal(prepareFor(rule, prepared), prepared, rule);
      }),
      { numRuns: 2000 },
    );
  });

  it('have every part of the one as a substring of the other', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'B', ' ', 'ä', 'É'), minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(text, fc.nat(12), fc.nat(12), (value, from, to) => {
        const whole = prepareFor('caseIgnoreMatch', value)!;
        const part = value.slice(Math.min(from, to), Math.max(from, to));
        const prepared = prepareSubstring('caseIgnoreSubstringsMatch', part, 'any')!;
        assert.ok(` ${whole} `.includes(prepared));
      }),
    );
  });
});

describe('a time', () => {
  it('has the order of time in its prepared text', () => {
    const at = fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-30'), noInvalidDate: true });
    const text = (date: Date) => date.toISOString().replace(/[-:T]/g, '');
    fc.assert(
      fc.property(at, at, (a, b) => {
        assert.equal(parseGeneralizedTime(text(a)), text(a));
        const [x, y] = [parseGeneralizedTime(text(a))!, parseGeneralizedTime(text(b))!];
        assert.equal(Math.sign(a.getTime() - b.getTime()), x < y ? -1 : x > y ? 1 : 0);
      }),
    );
  });
});

describe('a filter of any words', () => {
  const entry: Entry = {
    id: 1,
    parent: undefined,
    dn: 'cn=a+sn=b,o=internet',
    normalizedDn: 'cn=a+sn=b,o=internet',
    uuid: 'f80b804f-3d77-4cba-b234-5b627edadbb6',
    revision: idOf(1),
    createdAt: 0,
    modifiedAt: 0,
    attributes: new Map([
      ['cn', { name: 'cn', values: ['a', bytes(0xff)] }],
      ['cn;lang-en', { name: 'cn;lang-en', values: ['b'] }],
      ['member', { name: 'member', values: ['not a name', 'cn=a'] }],
      ['jpegphoto', { name: 'jpegPhoto', values: [bytes(1)] }],
      ['nolongerknown', { name: 'noLongerKnown', values: ['x'] }],
    ]),
  };
  const attribute = fc.oneof(
    fc.constantFrom(
      'cn',
      'cn;lang-en',
      'name',
      'member',
      'jpegPhoto',
      'entryUUID',
      'createTimestamp',
      'uidNumber',
      'noLongerKnown',
      '2.5.4.3',
    ),
    fc.string({ maxLength: 5 }),
  );
  const value = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 5 }),
    fc.constantFrom('a', 'cn=a', '1'),
    fc.uint8Array({ maxLength: 3 }),
  );
  const rule = fc.oneof(fc.constantFrom(...Object.keys(MATCHING_RULES), '2.5.13.2'), fc.string({ maxLength: 3 }));
  const { filter } = fc.letrec<{ filter: Filter }>((tie) => ({
    filter: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.record({ kind: fc.constantFrom('equality', 'greaterOrEqual', 'lessOrEqual', 'approx'), attribute, value }),
      fc.record({ kind: fc.constant('present' as const), attribute }),
      fc.record(
        {
          kind: fc.constant('substrings' as const),
          attribute,
          initial: value,
          any: fc.array(value, { maxLength: 3 }),
          final: value,
        },
        { requiredKeys: ['kind', 'attribute', 'any'] },
      ),
      fc.record(
        { kind: fc.constant('extensible' as const), rule, attribute, value, dnAttributes: fc.boolean() },
        { requiredKeys: ['kind', 'attribute', 'value', 'dnAttributes'] },
      ),
      fc.record({ kind: fc.constantFrom('and', 'or'), filters: fc.array(tie('filter'), { maxLength: 3 }) }),
      fc.record({ kind: fc.constant('not' as const), filter: tie('filter') }),
    ),
  }));
  const match = (value: Filter) => compileFilter(value)(entry, OUTSIDE);

  it('is true, false or undefined, and what is not narrowed by an index is never lost by one', () => {
    fc.assert(
      fc.property(filter, (value) => {
        const result = match(value);
        assert.ok(result === true || result === false || result === undefined);
        // No look-up at all says that nothing can match.
        if (planLookups(value)?.some((lookups) => lookups.length === 0)) assert.notEqual(result, true);
      }),
      { numRuns: 2000 },
    );
  });

  it('follows de Morgan', () => {
    const not = (inner: Filter): Filter => ({ kind: 'not', filter: inner });
    fc.assert(
      fc.property(filter, filter, (a, b) => {
        assert.equal(match(not(not(a))), match(a));
        assert.equal(match(not({ kind: 'and', filters: [a, b] })), match({ kind: 'or', filters: [not(a), not(b)] }));
      }),
    );
  });
});
