// A time as people write it: a number and its unit, `90d`.

const UNITS_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export const DURATION_TEXT = /^\d{1,6}[smhd]$/;
export const DURATION_WORDS = 'a time such as "30s", "15m", "1h" or "5d"';

/** Milliseconds of a text that has the form of DURATION_TEXT. */
export function durationMs(text: string): number {
  return Number(text.slice(0, -1)) * UNITS_MS[text.slice(-1)]!;
}
