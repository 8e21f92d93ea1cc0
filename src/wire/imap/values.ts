// The values that IMAP commands and responses are made of. RFC 3501 §2.3, §9

/** Sequence numbers and UIDs are both numbers; a set says which it holds, so that neither can be taken for the other. */
export interface NumberSet {
  /** `saved`: `$`, what the last SEARCH has saved, by whatever the command numbers messages. RFC 5182 */
  readonly unit: 'sequence' | 'uid' | 'saved';
  /** As written, in either order; `*` is STAR. None for `saved`. */
  readonly ranges: readonly NumberRange[];
}

export interface NumberRange {
  readonly first: number;
  readonly last: number;
}

/** The largest number in use, whatever it is when the command runs. */
export const STAR = Number.POSITIVE_INFINITY;

/**
 * The ranges in rising order, none touching the next, `first` not above `last`, `*` replaced by `largest`. `3:*` with a
 * largest number of 2 is 2:3. RFC 3501 §9 seq-range
 */
export function resolveRanges(set: NumberSet, largest: number): NumberRange[] {
  const ranges = set.ranges.map(({ first, last }) => {
    const a = first === STAR ? largest : first;
    const b = last === STAR ? largest : last;
    return a <= b ? { first: a, last: b } : { first: b, last: a };
  });
  return mergeRanges(ranges);
}

/** Rising, and none touching the next. */
export function mergeRanges(ranges: readonly NumberRange[]): NumberRange[] {
  const sorted = [...ranges].sort((a, b) => a.first - b.first);
  const merged: { first: number; last: number }[] = [];
  for (const { first, last } of sorted) {
    const before = merged[merged.length - 1];
    if (before === undefined || first > before.last + 1) merged.push({ first, last });
    else if (last > before.last) before.last = last;
  }
  return merged;
}

/** Numbers in rising order as ranges: for uid sets of responses. */
export function rangesOf(numbers: Iterable<number>): NumberRange[] {
  const ranges: { first: number; last: number }[] = [];
  for (const number of numbers) {
    const before = ranges[ranges.length - 1];
    if (before !== undefined && number === before.last + 1) before.last = number;
    else ranges.push({ first: number, last: number });
  }
  return ranges;
}

/** RFC 3501 §2.3.2; `\Recent` is not among them, since no client may set it. */
export type SystemFlag = '\\Seen' | '\\Answered' | '\\Flagged' | '\\Deleted' | '\\Draft';

export const systemFlags = [
  '\\Seen',
  '\\Answered',
  '\\Flagged',
  '\\Deleted',
  '\\Draft',
] as const satisfies readonly SystemFlag[];

export interface Flags {
  readonly system: readonly SystemFlag[];
  /** As written; compared without regard to ASCII case. */
  readonly keywords: readonly string[];
}

/** What FETCH BODY[...] names. RFC 3501 §6.4.5 */
export interface BodySection {
  /** `1.2` is [1, 2]; empty for the message itself. */
  readonly part: readonly number[];
  /** Undefined: all of the part or message. MIME only with a part. */
  readonly text: 'HEADER' | 'HEADER.FIELDS' | 'HEADER.FIELDS.NOT' | 'TEXT' | 'MIME' | undefined;
  /** Names for HEADER.FIELDS and HEADER.FIELDS.NOT as written, else empty. */
  readonly fields: readonly string[];
}

export interface Partial {
  readonly offset: number;
  readonly length: number;
}
