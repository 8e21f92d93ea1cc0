// The items of a FETCH response. RFC 3501 §7.4.2
//
// Out     text to be joined with spaces between `* n FETCH (` and `)`; the session gathers many of them in one string

import { encodeSection } from '../body-section.ts';
import type { FetchSection } from '../commands/fetch.ts';

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const FIRST_TIME = Date.parse('0000-01-01T00:00:00Z');
const LAST_TIME = Date.parse('9999-12-31T23:59:59Z');

export function encodeFlagsItem(flags: readonly string[]): string {
  return `FLAGS (${flags.join(' ')})`;
}

/** `INTERNALDATE " 1-Jan-2026 00:00:00 +0000"`: always in UTC. */
export function encodeInternalDateItem(internalDate: number): string {
  return `INTERNALDATE "${encodeDateTime(internalDate)}"`;
}

/** RFC 3501 §9 date-time, of epoch milliseconds, without its quotes. Years have four digits. */
export function encodeDateTime(time: number): string {
  const date = new Date(Math.min(Math.max(time, FIRST_TIME), LAST_TIME));
  const clock = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(twoDigits).join(':');
  const day = String(date.getUTCDate()).padStart(2, ' ');
  return `${day}-${MONTHS[date.getUTCMonth()]}-${String(date.getUTCFullYear()).padStart(4, '0')} ${clock} +0000`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

/** `BODY[1.TEXT]<0> {5}` CRLF: the literal's bytes follow. */
export function encodeSectionHead(item: FetchSection, sizeBytes: number): string {
  return `${sectionName(item)} {${sizeBytes}}\r\n`;
}

/** A part that the message does not have. */
export function encodeAbsentSection(item: FetchSection): string {
  return `${sectionName(item)} NIL`;
}

function sectionName(item: FetchSection): string {
  return item.alias ?? encodeSection(item.section, item.partial);
}
