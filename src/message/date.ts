// Dates of mail: RFC 5322 date-time, IMAP date-time and date, between text and numbers; RFC 3339 from text.
//
// Written  always in UTC (+0000), so that a text depends on nothing but the instant
// Read     RFC 5322 as tolerantly as old mail needs (never throws), IMAP strictly (SyntaxFailure), RFC 3339 strictly (undefined)
// RFC 5322 §3.3 §4.3, RFC 3501 §9 date-time, date, RFC 3339 §5.6

import { ALNUM, DIGIT } from '../base/characters.ts';
import { Cursor } from '../base/cursor.ts';
import { DAY_MS, MINUTE_MS } from '../base/duration.ts';
import { skipCfws } from './lexical.ts';

/** An instant, and the zone in which it was written. */
export interface ZonedTime {
  /** Epoch milliseconds. */
  readonly at: number;
  /** Minutes east of UTC; 0 for an unknown zone. */
  readonly zoneMinutes: number;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;
const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const;
/** RFC 5322 §4.3; military letters and unknown names mean an unknown zone. */
const ZONES: ReadonlyMap<string, number> = new Map([
  ['EST', -300],
  ['EDT', -240],
  ['CST', -360],
  ['CDT', -300],
  ['MST', -420],
  ['MDT', -360],
  ['PST', -480],
  ['PDT', -420],
]);
/** A Date field is 31 bytes; what is far longer is not read to its end. */
const DATE_TEXT_MAX = 256;

/** The calendar day on which the time was written, in its own zone: days since 1970-01-01. What SEARCH SENTON compares. */
export function dayNumber(time: ZonedTime): number {
  return Math.floor((time.at + time.zoneMinutes * MINUTE_MS) / DAY_MS);
}

/** `Tue, 24 Nov 2026 08:00:00 +0000` */
export function formatMailDate(at: number): string {
  const date = new Date(at);
  const day = `${WEEKDAYS[date.getUTCDay()]}, ${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;
  return `${day} ${fourDigits(date.getUTCFullYear())} ${timeOfDay(date)} +0000`;
}

/** `24-Nov-2026 08:00:00 +0000`, without the quotes; the day is padded with a space. */
export function formatImapDateTime(at: number): string {
  const date = new Date(at);
  const day = String(date.getUTCDate()).padStart(2, ' ');
  return `${day}-${MONTHS[date.getUTCMonth()]}-${fourDigits(date.getUTCFullYear())} ${timeOfDay(date)} +0000`;
}

function timeOfDay(date: Date): string {
  return `${twoDigits(date.getUTCHours())}:${twoDigits(date.getUTCMinutes())}:${twoDigits(date.getUTCSeconds())}`;
}

function twoDigits(value: number): string {
  return value < 10 ? `0${value}` : `${value}`;
}

function fourDigits(value: number): string {
  return String(value).padStart(4, '0');
}

/** IMAP `"17-Jul-1996 02:44:25 -0700"` with its quotes. */
export function parseImapDateTime(cursor: Cursor): ZonedTime {
  cursor.take('"');
  if (cursor.peek() === 0x20) cursor.at++;
  const day = cursor.number(2);
  const { month, year } = imapMonthAndYear(cursor);
  cursor.space();
  const hour = digits(cursor, 2);
  cursor.take(':');
  const minute = digits(cursor, 2);
  cursor.take(':');
  const second = digits(cursor, 2);
  cursor.space();
  const isWest = cursor.tryTake('-');
  if (!isWest) cursor.take('+');
  const zone = digits(cursor, 4);
  const zoneMinutes = (Math.floor(zone / 100) * 60 + (zone % 100)) * (isWest ? -1 : 1);
  const at = instant(year, month, day, hour, minute, second, zoneMinutes) ?? cursor.fail('a date that exists');
  cursor.take('"');
  return { at, zoneMinutes };
}

/** IMAP `1-Feb-1994`, perhaps in quotes, as days since 1970-01-01. */
export function parseImapDate(cursor: Cursor): number {
  const isQuoted = cursor.tryTake('"');
  const day = cursor.number(2);
  const { month, year } = imapMonthAndYear(cursor);
  const at = instant(year, month, day, 0, 0, 0, 0) ?? cursor.fail('a date that exists');
  if (isQuoted) cursor.take('"');
  return at / DAY_MS;
}

function imapMonthAndYear(cursor: Cursor): { month: number; year: number } {
  cursor.take('-');
  const month = monthOf(cursor.run(ALNUM, 3)) ?? cursor.fail('a month');
  cursor.take('-');
  return { month, year: digits(cursor, 4) };
}

function digits(cursor: Cursor, count: number): number {
  const text = cursor.run(DIGIT, count);
  return text.length === count ? Number(text) : cursor.fail(`${count} digits`);
}

function monthOf(name: string): number | undefined {
  const short = name.slice(0, 1).toUpperCase() + name.slice(1, 3).toLowerCase();
  const month = MONTHS.indexOf(short as (typeof MONTHS)[number]);
  return month < 0 ? undefined : month;
}

/** Undefined for what is in no calendar. A leap second is the second after. */
function instant(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
  zoneMinutes: number,
): number | undefined {
  if (hour > 23 || minute > 59 || second > 60 || Math.abs(zoneMinutes) >= 1440 * 4) return undefined;
  const date = new Date(0);
  // Date.UTC takes years below 100 for the twentieth century's.
  date.setUTCFullYear(year, month, day);
  if (date.getUTCDate() !== day || date.getUTCMonth() !== month) return undefined;
  return date.getTime() + ((hour * 60 + minute - zoneMinutes) * 60 + second) * 1000;
}

/**
 * The value of a Date field. Comments, obsolete years and zones, a missing weekday, seconds or zone, and the month
 * before the day are all read; undefined is what has no day, month, year and time.
 */
export function parseMailDate(value: string): ZonedTime | undefined {
  const cursor = new Cursor(value.slice(0, DATE_TEXT_MAX));
  skipWeekday(cursor);
  let day = number(cursor);
  const month = monthOf(word(cursor));
  if (month === undefined) return undefined;
  if (day === undefined) {
    day = number(cursor);
    // asctime: the year stands behind the time.
    const time = timeOf(cursor);
    const zoneMinutes = time === undefined ? 0 : zoneOf(cursor);
    const year = yearOf(cursor);
    return zoned(year, month, day, time, zoneMinutes);
  }
  const year = yearOf(cursor);
  const time = timeOf(cursor);
  return zoned(year, month, day, time, zoneOf(cursor));
}

type TimeOfDay = readonly [hour: number, minute: number, second: number];

function zoned(
  year: number | undefined,
  month: number,
  day: number | undefined,
  time: TimeOfDay | undefined,
  zoneMinutes: number,
): ZonedTime | undefined {
  if (year === undefined || day === undefined || time === undefined) return undefined;
  const at = instant(year, month, day, ...time, zoneMinutes);
  return at === undefined ? undefined : { at, zoneMinutes };
}

/** Separators that old mail has between the parts of a date. */
function skipSeparators(cursor: Cursor): void {
  do skipCfws(cursor);
  while (cursor.tryTake(',') || cursor.tryTake('-') || cursor.tryTake('.'));
}

function skipWeekday(cursor: Cursor): void {
  skipSeparators(cursor);
  const start = cursor.at;
  const name = cursor.run(ALNUM);
  const isMonthOrDay = name === '' || DIGIT[name.charCodeAt(0)] === 1 || monthOf(name) !== undefined;
  if (isMonthOrDay) cursor.at = start;
}

function word(cursor: Cursor): string {
  skipSeparators(cursor);
  const text = cursor.run(ALNUM);
  return DIGIT[text.charCodeAt(0)] === 1 ? '' : text;
}

function number(cursor: Cursor): number | undefined {
  skipSeparators(cursor);
  const text = cursor.run(DIGIT, 4);
  return text === '' ? undefined : Number(text);
}

/** RFC 5322 §4.3: two digits are 1950 to 2049, three count from 1900. */
function yearOf(cursor: Cursor): number | undefined {
  skipSeparators(cursor);
  const text = cursor.run(DIGIT, 4);
  if (text.length < 2) return undefined;
  const year = Number(text);
  if (text.length === 4) return year;
  return text.length === 2 && year < 50 ? year + 2000 : year + 1900;
}

function timeOf(cursor: Cursor): TimeOfDay | undefined {
  const hour = number(cursor);
  if (hour === undefined || !tryColon(cursor)) return undefined;
  const minute = number(cursor);
  if (minute === undefined) return undefined;
  const second = tryColon(cursor) ? number(cursor) : 0;
  return second === undefined ? undefined : [hour, minute, second];
}

function tryColon(cursor: Cursor): boolean {
  skipCfws(cursor);
  return cursor.tryTake(':') || cursor.tryTake('.');
}

function zoneOf(cursor: Cursor): number {
  skipCfws(cursor);
  const isWest = cursor.tryTake('-');
  if (!isWest && !cursor.tryTake('+')) {
    const start = cursor.at;
    const name = cursor.run(ALNUM);
    // A number without a sign is the year of asctime.
    if (DIGIT[name.charCodeAt(0)] === 1) cursor.at = start;
    return ZONES.get(name.toUpperCase()) ?? 0;
  }
  const text = cursor.run(DIGIT, 4);
  if (text.length !== 4) return 0;
  const minutes = Number(text.slice(0, 2)) * 60 + Number(text.slice(2));
  return isWest ? -minutes : minutes;
}

/** A date of RFC 3339 with its zone: epoch milliseconds. */
export function parseInstant(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/.test(text)) return undefined;
  const at = Date.parse(text);
  // 31 April is the first of May to some.
  const day = Number(text.slice(8, 10));
  const isOfItsMonth =
    day >= 1 && day <= new Date(Date.UTC(Number(text.slice(0, 4)), Number(text.slice(5, 7)), 0)).getUTCDate();
  return Number.isNaN(at) || !isOfItsMonth ? undefined : at;
}
