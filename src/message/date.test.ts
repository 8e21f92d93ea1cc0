import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, mutatedText } from '../../test/support/nearly-right.ts';
import { Cursor, SyntaxFailure } from '../base/cursor.ts';
import {
  dayNumber,
  formatImapDateTime,
  formatMailDate,
  parseImapDate,
  parseImapDateTime,
  parseMailDate,
  type ZonedTime,
} from './date.ts';

const instant = Date.UTC(1996, 6, 17, 9, 44, 25);

test('dates are written in UTC', () => {
  assert.equal(formatMailDate(instant), 'Wed, 17 Jul 1996 09:44:25 +0000');
  assert.equal(formatMailDate(Date.UTC(2026, 0, 1)), 'Thu, 1 Jan 2026 00:00:00 +0000');
  assert.equal(formatImapDateTime(instant), '17-Jul-1996 09:44:25 +0000');
  assert.equal(formatImapDateTime(Date.UTC(2026, 0, 1)), ' 1-Jan-2026 00:00:00 +0000');
});

test('mail dates are read as old mail writes them', () => {
  const same = [
    'Wed, 17 Jul 1996 02:44:25 -0700',
    'Wed, 17 Jul 1996 02:44:25 -0700 (PDT)',
    'Wed, 17 Jul 1996 02:44:25 PDT',
    '17 Jul 1996 09:44:25 +0000',
    '17 Jul 96 09:44:25 GMT',
    '17 Jul 096 09:44:25 UT',
    'wednesday, 17 july 1996 09:44:25 z',
    ' (a (b)) Wed (c) , 17 (d) Jul 1996 09 : 44 (e) : 25 (f) +0000',
    'Wed,17 Jul 1996 09:44:25',
    'Wed Jul 17 09:44:25 1996',
    'Wed Jul 17 02:44:25 PDT 1996',
    'Wed, 17-Jul-1996 09:44:25 GMT',
    'Wed, 17 Jul 1996 09.44.25 +0000',
    'Wed, 17 Jul 1996 19:14:25 +0930',
    'Wed, 17 Jul 1996 09:44:25 A',
  ];
  for (const text of same) assert.equal(parseMailDate(text)?.at, instant, text);
  assert.deepEqual(parseMailDate(same[0]!), { at: instant, zoneMinutes: -420 });
  assert.equal(parseMailDate('17 Jul 1996 09:44 +0000')?.at, instant - 25_000);
  assert.equal(parseMailDate('1 Jan 49 00:00 +0000')?.at, Date.UTC(2049, 0, 1));
  assert.equal(parseMailDate('1 Jan 50 00:00 +0000')?.at, Date.UTC(1950, 0, 1));
  assert.equal(parseMailDate('31 Dec 2016 23:59:60 +0000')?.at, Date.UTC(2017, 0, 1));
});

test('what is no date is undefined', () => {
  const bad = [
    '',
    'yesterday',
    'Wed',
    '17',
    '17 Jul',
    '17 Jul 1996',
    '17 Jul 1996 09',
    '17 Jul 1996 25:00',
    '17 Jul 1996 09:60',
    '31 Feb 1996 09:00',
    '0 Jan 1996 09:00',
    '17 Xyz 1996 09:00',
    '17 Jul 1 09:00',
    '1996-07-17T09:44:25Z',
    `${' '.repeat(1000)}17 Jul 1996 09:44:25 +0000`,
    '('.repeat(100_000),
  ];
  for (const text of bad) assert.equal(parseMailDate(text), undefined, text);
});

test('the day is that of the writer, not of Greenwich', () => {
  const evening = parseMailDate('17 Jul 1996 23:30:00 -0700')!;
  assert.equal(dayNumber(evening), parseImapDate(new Cursor('17-Jul-1996')));
  const morning = parseMailDate('17 Jul 1996 00:30:00 +0900')!;
  assert.equal(dayNumber(morning), parseImapDate(new Cursor('"17-Jul-1996"')));
});

function dateTime(text: string): ZonedTime {
  const cursor = new Cursor(text);
  const time = parseImapDateTime(cursor);
  cursor.end();
  return time;
}

test('IMAP dates are read strictly', () => {
  assert.deepEqual(dateTime('"17-Jul-1996 02:44:25 -0700"'), { at: instant, zoneMinutes: -420 });
  assert.equal(dateTime('" 1-jan-2026 00:00:00 +0000"').at, Date.UTC(2026, 0, 1));
  assert.equal(dateTime('"29-Feb-2024 00:00:00 +0000"').at, Date.UTC(2024, 1, 29));
  const bad = [
    '17-Jul-1996 02:44:25 -0700',
    '"17-Jul-1996 02:44:25 -0700',
    '"17-Jul-96 02:44:25 -0700"',
    '"17-July-1996 02:44:25 -0700"',
    '"17-Jul-1996 2:44:25 -0700"',
    '"17-Jul-1996 02:44:25 PDT"',
    '"17-Jul-1996 24:00:00 +0000"',
    '"29-Feb-2023 00:00:00 +0000"',
    '"00-Jan-2023 00:00:00 +0000"',
    '"17-Jul-1996  02:44:25 -0700"',
    '"17-Jul-1996 02:44:25 -070"',
  ];
  for (const text of bad) assert.throws(() => dateTime(text), SyntaxFailure, text);
  for (const text of [
    '',
    '1',
    '1-',
    '1-Foo-2000',
    '1-Feb-94',
    '31-Feb-1994',
    '111-Feb-1994',
    '"1-Feb-1994',
    '32-Jan-1994',
  ])
    assert.throws(() => parseImapDate(new Cursor(text)), SyntaxFailure, text);
  assert.equal(parseImapDate(new Cursor('1-Feb-1994')), Date.UTC(1994, 1, 1) / 86_400_000);
  assert.equal(parseImapDate(new Cursor('01-Feb-1994')), Date.UTC(1994, 1, 1) / 86_400_000);
});

const time = fc.integer({ min: 0, max: Date.UTC(2100, 0, 1) / 1000 }).map((seconds) => seconds * 1000);

test('property: what is written is read back', () => {
  fc.assert(
    fc.property(time, (at) => {
      assert.deepEqual(parseMailDate(formatMailDate(at)), { at, zoneMinutes: 0 });
      assert.deepEqual(dateTime(`"${formatImapDateTime(at)}"`), { at, zoneMinutes: 0 });
    }),
  );
});

test('property: any text is a date, undefined, or a SyntaxFailure', () => {
  const piece = fc.constantFrom(
    'Wed',
    'Jul',
    '17',
    '1996',
    ':',
    ',',
    ' ',
    '(',
    ')',
    '-',
    '+0000',
    'GMT',
    '.',
    '"',
    '\0',
    '\xff',
    '4',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      const text = pieces.join('');
      const read = parseMailDate(text);
      if (read !== undefined) assert.ok(Number.isInteger(read.at) && Number.isInteger(read.zoneMinutes));
      for (const parse of [parseImapDate, parseImapDateTime]) {
        try {
          parse(new Cursor(text));
        } catch (error) {
          assert.ok(error instanceof SyntaxFailure, String(error));
        }
      }
    }),
    { numRuns: 500 },
  );
});

test('any text near a date is one, undefined, or a SyntaxFailure', () => {
  const seeds = [
    'Wed, 17 Jul 1996 02:23:25 -0700 (PDT)',
    '17 jul 96 2:23 GMT',
    '"17-Jul-1996 02:44:25 -0700"',
    '" 1-Jan-2026 00:00:00 +0000"',
  ];
  fc.assert(
    fc.property(mutatedText([...seeds, '1-Feb-2026']), (text) => {
      const read = parseMailDate(text);
      if (read !== undefined) assert.ok(Number.isInteger(read.at) && Math.abs(read.zoneMinutes) < 6000);
      for (const parse of [parseImapDate, parseImapDateTime]) {
        try {
          parse(new Cursor(text));
        } catch (error) {
          assert.ok(error instanceof SyntaxFailure, String(error));
        }
      }
    }),
    fuzzCases(2000),
  );
});
