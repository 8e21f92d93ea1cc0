// What a searching command is to answer with: RETURN (...) of SEARCH, and the range of PARTIAL, which FETCH has too.
//
// RFC 4731 §3.1, RFC 5182 §2, RFC 5267 §4, RFC 9394 §4

import type { ImapCursor } from './grammar.ts';

const names = ['MIN', 'MAX', 'ALL', 'COUNT', 'SAVE', 'CONTEXT', 'UPDATE'] as const;
export type ReturnOption = (typeof names)[number];

/** The first result is 1; from the end the last one is -1. Both have one sign; in either order, as written. */
export interface PartialRange {
  readonly from: number;
  readonly to: number;
}

export interface ReturnOptions {
  /** ALL where the client has named none. */
  readonly options: ReadonlySet<ReturnOption>;
  readonly partial: PartialRange | undefined;
}

/** ` RETURN (...)` if it comes here. */
export function tryReturnOptions(cursor: ImapCursor): ReturnOptions | undefined {
  if (!cursor.tryWord(' RETURN (')) return undefined;
  cursor.at--;
  const options = new Set<ReturnOption>();
  let partial: PartialRange | undefined;
  cursor.list(() => {
    const start = cursor.at;
    const word = cursor.word();
    const name = names.find((one) => one === word);
    if (name !== undefined) options.add(name);
    else if (word === 'PARTIAL' && partial === undefined) {
      cursor.space();
      partial = parsePartialRange(cursor);
    } else {
      cursor.at = start;
      cursor.fail(`${names.join(', ')} or one PARTIAL`);
    }
  });
  if (partial !== undefined && options.has('ALL')) cursor.fail('PARTIAL or ALL, not both');
  if (options.size === 0 && partial === undefined) options.add('ALL');
  return { options, partial };
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
