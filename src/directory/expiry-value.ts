// A value of waypostExpire: which messages of which folders go by themselves.
//
//   FOLDER AGE [seen] [over SIZE]    what is older than AGE; only what has been read; only what is larger than SIZE
//   FOLDER count N                   all but the newest N
//   FOLDER never                     nothing
//
// FOLDER is the name of a folder, blanks in it too; `*` stands for any characters, `?` for one. INBOX is the same in any case

import { asciiLower } from '../base/characters.ts';
import { DAY_MS, HOUR_MS, SECOND_MS } from '../base/duration.ts';

export type ExpiryRule = { readonly folder: string } & (
  | { readonly does: 'never' }
  | { readonly does: 'count'; readonly count: number }
  | {
      readonly does: 'age';
      readonly ageMs: number;
      readonly isSeenOnly: boolean;
      /** Octets. */
      readonly over: number;
    }
);

export const EXPIRY_WORDS =
  'FOLDER AGE [seen] [over SIZE], FOLDER count N, or FOLDER never: FOLDER a name with * and ?, AGE such as 30s, 12h, 30d or 2y, ' +
  'SIZE such as 100K, 5M or 1G';

const VALUE =
  /^(\S|\S.{0,500}\S)\s+(?:(never)|count\s+(\d{1,9})|(\d{1,5})([shdy])(\s+seen)?(?:\s+over\s+(\d{1,9})([kmg]?)(?:i?b)?)?)$/i;
const AGE_UNITS_MS: Readonly<Record<string, number>> = { s: SECOND_MS, h: HOUR_MS, d: DAY_MS, y: 365 * DAY_MS };
const SIZE_UNITS: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** Undefined: it is none. */
export function parseExpiry(value: string): ExpiryRule | undefined {
  const [, name, never, count, age, unit = '', seen, size, sizeUnit = ''] = VALUE.exec(value.trim()) ?? [];
  if (name === undefined) return undefined;
  const folder = name.replace(/^inbox(?=\/|$)/i, 'INBOX');
  if (never !== undefined) return { folder, does: 'never' };
  // What would take away all is written by nobody who means it.
  if (count !== undefined) return Number(count) === 0 ? undefined : { folder, does: 'count', count: Number(count) };
  if (Number(age) === 0) return undefined;
  return {
    folder,
    does: 'age',
    ageMs: Number(age) * AGE_UNITS_MS[asciiLower(unit)]!,
    isSeenOnly: seen !== undefined,
    over: Number(size ?? 0) * SIZE_UNITS[asciiLower(sizeUnit)]!,
  };
}
