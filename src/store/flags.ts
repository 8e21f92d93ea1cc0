// System flags as bits, keywords as words, and the rows' counters that follow from them. RFC 3501 §2.3.2

import { Failure } from '../base/failure.ts';

export const SEEN = 1;
export const ANSWERED = 2;
export const FLAGGED = 4;
export const DELETED = 8;
export const DRAFT = 16;

/** By bit, in the order in which they are printed. */
export const systemFlagBits: readonly (readonly [bit: number, name: string])[] = [
  [ANSWERED, '\\Answered'],
  [FLAGGED, '\\Flagged'],
  [DELETED, '\\Deleted'],
  [SEEN, '\\Seen'],
  [DRAFT, '\\Draft'],
];

export interface FlagSet {
  /** Bits of the system flags. */
  readonly flags: number;
  /** In the spelling of first use; equal without regard to ASCII case. */
  readonly keywords: readonly string[];
}

export type FlagChange = 'add' | 'remove' | 'replace';

/** Keywords of one message, of one mailbox. What would pass them is refused: STORE, APPEND. */
const MESSAGE_KEYWORDS_MAX = 50;
export const MAILBOX_KEYWORDS_MAX = 200;

/** Throws `too-many` for more keywords than a message may have. */
export function checkKeywords(keywords: readonly string[]): void {
  if (keywords.length > MESSAGE_KEYWORDS_MAX) throw new Failure('too-many', 'Too many keywords on one message');
}

/** A row's keywords column: words with a space between, null for none. */
export function keywordsColumn(keywords: readonly string[]): string | null {
  return keywords.length === 0 ? null : keywords.join(' ');
}

export function parseKeywords(column: unknown): readonly string[] {
  return typeof column === 'string' && column !== '' ? column.split(' ') : [];
}

/** Bits of the system flags; whether keywords are among it. */
export interface FlagMask {
  readonly flags: number;
  readonly keywords: boolean;
}

export const ALL_FLAGS: FlagMask = { flags: SEEN | ANSWERED | FLAGGED | DELETED | DRAFT, keywords: true };

/** What is not in `may` stays. */
export function changeFlags(now: FlagSet, change: FlagChange, by: FlagSet, may: FlagMask = ALL_FLAGS): FlagSet {
  const after = changed(now, change, by);
  if (may === ALL_FLAGS) return after;
  const flags = (now.flags & ~may.flags) | (after.flags & may.flags);
  return { flags, keywords: may.keywords ? after.keywords : now.keywords };
}

/** The part of some flags that is in a mask. */
export function flagsWithin({ flags, keywords }: FlagSet, may: FlagMask): FlagSet {
  return { flags: flags & may.flags, keywords: may.keywords ? keywords : [] };
}

function changed(now: FlagSet, change: FlagChange, by: FlagSet): FlagSet {
  if (change === 'replace') return { flags: by.flags, keywords: distinctKeywords(by.keywords) };
  const lower = new Set(by.keywords.map((keyword) => keyword.toLowerCase()));
  if (change === 'remove')
    return {
      flags: now.flags & ~by.flags,
      keywords: now.keywords.filter((keyword) => !lower.has(keyword.toLowerCase())),
    };
  return { flags: now.flags | by.flags, keywords: distinctKeywords([...now.keywords, ...by.keywords]) };
}

function distinctKeywords(keywords: readonly string[]): readonly string[] {
  const seen = new Map<string, string>();
  for (const keyword of keywords) if (!seen.has(keyword.toLowerCase())) seen.set(keyword.toLowerCase(), keyword);
  return [...seen.values()];
}
