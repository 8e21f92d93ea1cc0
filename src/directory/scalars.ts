// Integers, times and UUIDs as the directory writes them.
//
// Limits  an integer has at most 100 digits
// RFC 4517 §3.3.13 §3.3.16, RFC 4530 §2.1

export const UUID_TEXT = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/;

const INTEGER_TEXT = /^(0|-?[1-9][0-9]{0,99})$/;

/** The one text of an integer, undefined when it is none. */
export function parseInteger(text: string): string | undefined {
  const trimmed = text.trim();
  return INTEGER_TEXT.test(trimmed) ? trimmed : undefined;
}

const TIME_TEXT = /^(\d{4})(\d\d)(\d\d)(\d\d)(?:(\d\d)(\d\d)?)?(?:[.,](\d{1,9}))?(Z|[+-]\d\d(?:\d\d)?)$/;

/** A time in UTC to the millisecond, in one spelling whose order is the order of time; undefined when it is none. */
export function parseGeneralizedTime(text: string): string | undefined {
  const at = generalizedTimeToMs(text);
  return at === undefined
    ? undefined
    : `${formatGeneralizedTime(at).slice(0, -1)}.${new Date(at).toISOString().slice(20)}`;
}

/** Epoch milliseconds. */
export function generalizedTimeToMs(text: string): number | undefined {
  const match = TIME_TEXT.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction, zone] = match;
  // The fraction belongs to the last unit that was written.
  const unitMs = second !== undefined ? 1000 : minute !== undefined ? 60_000 : 3_600_000;
  const fractionMs = fraction === undefined ? 0 : Math.floor((Number(fraction) / 10 ** fraction.length) * unitMs);
  const [h, m, s] = [Number(hour), Number(minute ?? 0), Number(second ?? 0)];
  if (h > 23 || m > 59 || s > 60) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) return undefined;
  const at = date.getTime() + h * 3_600_000 + m * 60_000 + s * 1000 + fractionMs - offsetMs(zone!);
  return Number.isNaN(at) || at < FIRST_MS || at > LAST_MS ? undefined : at;
}

// Outside the years 0 to 9999 the ISO form has a sign and more digits.
const FIRST_MS = -62_167_219_200_000;
const LAST_MS = 253_402_300_799_999;

function offsetMs(zone: string): number {
  if (zone === 'Z') return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3, 5) || 0);
  return (zone.startsWith('-') ? -minutes : minutes) * 60_000;
}

/** RFC 4517 §3.3.13, to the second as other directories show it. */
export function formatGeneralizedTime(atMs: number): string {
  const iso = new Date(atMs).toISOString();
  return `${iso.slice(0, 4)}${iso.slice(5, 7)}${iso.slice(8, 10)}${iso.slice(11, 13)}${iso.slice(14, 16)}${iso.slice(17, 19)}Z`;
}
