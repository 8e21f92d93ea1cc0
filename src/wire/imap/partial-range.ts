// The range of PARTIAL, of SEARCH and FETCH: which of the results. RFC 9394 §3

import type { ImapCursor } from './grammar.ts';

/** The first result is 1; from the end the last one is -1. Both have one sign; in either order, as written. */
export interface PartialRange {
  readonly from: number;
  readonly to: number;
}

/** `1:500` or `-1:-100`. */
export function parsePartialRange(cursor: ImapCursor): PartialRange {
  const sign = cursor.peek() === 0x2d ? -1 : 1;
  const end = (): number => {
    if (sign < 0) cursor.take('-');
    return sign * cursor.nzNumber();
  };
  const from = end();
  cursor.take(':');
  return { from, to: end() };
}

/** Positions [from, to) that a range means among so many results. */
export function partialPositions({ from, to }: PartialRange, count: number): { from: number; to: number } {
  const [low, high] = [Math.min(from, to), Math.max(from, to)];
  if (low > 0) return { from: Math.min(count, low - 1), to: Math.min(count, high) };
  return { from: Math.max(0, count + low), to: Math.max(0, count + high + 1) };
}
