// Lengths of time in milliseconds; and a time as people write it: a number and its unit, `90d`.

export const SECOND_MS = 1000;
export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

const UNITS_MS: Readonly<Record<string, number>> = { s: 1000, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS };

export const DURATION_TEXT = /^\d{1,6}[smhd]$/;
export const DURATION_WORDS = 'a time such as "30s", "15m", "1h" or "5d"';

/** Milliseconds of a text that has the form of DURATION_TEXT. */
export function durationMs(text: string): number {
  return Number(text.slice(0, -1)) * UNITS_MS[text.slice(-1)]!;
}
