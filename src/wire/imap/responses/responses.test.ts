import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ImapCursor } from '../grammar.ts';
import { decodeMailboxName, encodeMailboxName } from '../mailbox-name.ts';
import { mergeRanges, rangesOf, resolveRanges, STAR } from '../values.ts';
import { encodeAbsentSection, encodeFlagsItem, encodeInternalDateItem, encodeSectionHead } from './fetch.ts';
import { encodeId, encodeList, encodeStatus, encodeUidSet } from './mailbox.ts';
import { encodeContinuation, encodeTagged, encodeUntagged } from './status.ts';
import { encodeAstring } from './strings.ts';

const latin1 = fc
  .array(fc.integer({ min: 1, max: 255 }), { maxLength: 40 })
  .map((codes) => String.fromCharCode(...codes));

test('a string is read back as it was, quoted or literal', () => {
  fc.assert(
    fc.property(latin1, (text) => {
      const cursor = new ImapCursor(encodeAstring(text));
      assert.equal(cursor.astring(), text);
      cursor.end();
    }),
  );
  assert.equal(encodeAstring('INBOX'), 'INBOX');
  assert.equal(encodeAstring('nil'), '"nil"');
  assert.equal(encodeAstring(''), '""');
});

test('a mailbox name is read back as it was, and has one spelling', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 30 }), (name) => {
      const encoded = encodeMailboxName(name);
      assert.ok(/^[\x20-\x7e]*$/.test(encoded));
      assert.equal(decodeMailboxName(encoded), name);
    }),
  );
  const table: readonly [string, string][] = [
    ['~peter/mail/台北/日本語', '~peter/mail/&U,BTFw-/&ZeVnLIqe-'],
    ['Entwürfe', 'Entw&APw-rfe'],
    ['a&b', 'a&-b'],
    ['€', '&IKw-'],
    ['😀', '&2D3eAA-'],
    ['\n', '&AAo-'],
  ];
  for (const [name, encoded] of table) assert.equal(encodeMailboxName(name), encoded);
});

test('untagged responses', () => {
  assert.equal(
    encodeList('LIST', ['\\HasNoChildren', '\\Sent'], 'Sent'),
    '* LIST (\\HasNoChildren \\Sent) "/" Sent\r\n',
  );
  assert.equal(encodeList('LSUB', [], 'a b'), '* LSUB () "/" "a b"\r\n');
  assert.equal(encodeList('LIST', ['\\Noselect'], ''), '* LIST (\\Noselect) "/" ""\r\n');
  assert.equal(
    encodeStatus('INBOX', [
      ['MESSAGES', 3],
      ['UIDNEXT', 4],
    ]),
    '* STATUS INBOX (MESSAGES 3 UIDNEXT 4)\r\n',
  );
  assert.equal(encodeId([]), '* ID NIL\r\n');
  assert.equal(encodeId([['name', 'Waypost']]), '* ID ("name" "Waypost")\r\n');
  assert.equal(encodeFlagsItem(['\\Seen', '$Junk']), 'FLAGS (\\Seen $Junk)');
});

test('status responses never break their line nor fake a code', () => {
  assert.equal(encodeTagged('A1', 'OK', 'done'), 'A1 OK done\r\n');
  assert.equal(encodeTagged('A1', 'NO', 'full', 'UNAVAILABLE'), 'A1 NO [UNAVAILABLE] full\r\n');
  assert.equal(encodeUntagged('BYE', 'a\r\nb ä'), '* BYE a?b ?\r\n');
  assert.equal(encodeUntagged('OK', '[ALERT] x'), '* OK -[ALERT] x\r\n');
  assert.equal(encodeTagged('A1', 'OK', ''), 'A1 OK -\r\n');
  assert.equal(encodeContinuation(''), '+ \r\n');
});

test('dates are written in UTC', () => {
  assert.equal(encodeInternalDateItem(Date.UTC(2026, 0, 1)), 'INTERNALDATE " 1-Jan-2026 00:00:00 +0000"');
});

test('sections are named as they were asked for', () => {
  const section = { part: [1, 2], text: 'HEADER.FIELDS', fields: ['Date', 'X Y'] } as const;
  const item = { section, partial: { offset: 7, length: 9 }, peek: true, alias: undefined };
  assert.equal(encodeSectionHead(item, 5), 'BODY[1.2.HEADER.FIELDS (Date "X Y")]<7> {5}\r\n');
  assert.equal(encodeAbsentSection({ ...item, partial: undefined }), 'BODY[1.2.HEADER.FIELDS (Date "X Y")] NIL');
  assert.equal(encodeSectionHead({ ...item, alias: 'RFC822.TEXT' }, 0), 'RFC822.TEXT {0}\r\n');
});

test('sets of numbers', () => {
  const set = {
    unit: 'uid',
    ranges: [
      { first: 9, last: STAR },
      { first: 3, last: 1 },
      { first: 4, last: 4 },
    ],
  } as const;
  assert.deepEqual(resolveRanges(set, 7), [
    { first: 1, last: 4 },
    { first: 7, last: 9 },
  ]);
  assert.deepEqual(resolveRanges({ unit: 'uid', ranges: [{ first: STAR, last: STAR }] }, 0), [{ first: 0, last: 0 }]);
  assert.deepEqual(rangesOf([1, 2, 3, 7, 9, 10]), [
    { first: 1, last: 3 },
    { first: 7, last: 7 },
    { first: 9, last: 10 },
  ]);
  assert.equal(encodeUidSet(rangesOf([1, 2, 3, 7])), '1:3,7');
  const range = fc
    .tuple(fc.integer({ min: 1, max: 30 }), fc.nat(5))
    .map(([first, length]) => ({ first, last: first + length }));
  const numbers = (ranges: readonly { first: number; last: number }[]) =>
    new Set(ranges.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i)));
  fc.assert(
    fc.property(fc.array(range, { maxLength: 8 }), (ranges) => {
      const merged = mergeRanges(ranges);
      assert.deepEqual(
        [...numbers(merged)],
        [...numbers(ranges)].sort((a, b) => a - b),
      );
      for (let i = 1; i < merged.length; i++) assert.ok(merged[i]!.first > merged[i - 1]!.last + 1);
    }),
  );
});
