// The values of waypostToken: what is written is read again, and nothing else is a value. The judge reads by a pattern.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatTokenValue, isTokenName, parseTokenValue, type StoredToken, TOKEN_SCOPES } from './token.ts';

const hex = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 64, maxLength: 64 });
const second = fc.integer({ min: 0, max: 253_402_300_799 }).map((s) => s * 1000);
const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }).filter(isTokenName);
const scopes = fc
  .subarray([...TOKEN_SCOPES], { minLength: 1 })
  .map((some) => TOKEN_SCOPES.filter((scope) => some.includes(scope)));
const token: fc.Arbitrary<StoredToken> = fc.record(
  {
    name,
    scopes,
    createdAt: second,
    expiresAt: fc.option(second, { nil: undefined }),
    hash: hex,
  },
  { noNullPrototype: true },
);

/** As its page says it, and no more. */
const PATTERN =
  /^(?<name>[^$]+)\$(?<scopes>(?:imap|pop|smtp|ldap|api)(?:,(?:imap|pop|smtp|ldap|api))*)\$(?<created>\d{14})Z\$(?:(?<expires>\d{14})Z)?\$(?<hash>[0-9a-f]{64})$/u;

test('what is written is read again, and is what a reader by its pattern sees', () => {
  fc.assert(
    fc.property(token, (each) => {
      const value = formatTokenValue(each);
      assert.deepEqual(parseTokenValue(value), each);
      const parts = PATTERN.exec(value)!.groups!;
      assert.equal(parts['name'], each.name);
      assert.equal(parts['scopes'], each.scopes.join(','));
      assert.equal(parts['hash'], each.hash);
      const iso = new Date(each.createdAt).toISOString().replace(/\.000Z$/, '');
      assert.equal(parts['created'], iso.replace(/[-:T]/g, ''));
      assert.equal(parts['expires'] === undefined, each.expiresAt === undefined);
    }),
  );
});

test('one octet more, less or other: another value or none, never the same', () => {
  const edit = fc.record({ at: fc.nat(200), cut: fc.nat(1), put: fc.string({ unit: 'binary', maxLength: 2 }) });
  fc.assert(
    fc.property(token, edit, (each, { at, cut, put }) => {
      const value = formatTokenValue(each);
      const other = value.slice(0, at) + put + value.slice(at + cut);
      const read = parseTokenValue(other);
      if (read === undefined) return;
      assert.equal(formatTokenValue(read), other);
      assert.match(other, PATTERN);
      if (other !== value) assert.notDeepEqual(read, each);
    }),
  );
});

const HASH = 'a'.repeat(64);

for (const value of [
  '',
  '$$$$',
  `phone$imap$20260101000000Z$$${HASH}$`,
  `phone$imap$20260101000000Z$${HASH}`,
  `$imap$20260101000000Z$$${HASH}`,
  ` phone$imap$20260101000000Z$$${HASH}`,
  `phone$$20260101000000Z$$${HASH}`,
  `phone$imap,imap$20260101000000Z$$${HASH}`,
  `phone$smtp,imap$20260101000000Z$$${HASH}`,
  `phone$IMAP$20260101000000Z$$${HASH}`,
  `phone$imap, smtp$20260101000000Z$$${HASH}`,
  `phone$web$20260101000000Z$$${HASH}`,
  `phone$imap$2026$$${HASH}`,
  `phone$imap$20260230000000Z$$${HASH}`,
  `phone$imap$20260101000000+0100$$${HASH}`,
  `phone$imap$20260101000000.5Z$$${HASH}`,
  `phone$imap$20260101000000Z$never$${HASH}`,
  `phone$imap$20260101000000Z$$${HASH.toUpperCase()}`,
  `phone$imap$20260101000000Z$$${HASH}a`,
  `pho\nne$imap$20260101000000Z$$${HASH}`,
  `${'x'.repeat(65)}$imap$20260101000000Z$$${HASH}`,
])
  test(`no value: ${JSON.stringify(value.replace(HASH, '#'))}`, () => assert.equal(parseTokenValue(value), undefined));
