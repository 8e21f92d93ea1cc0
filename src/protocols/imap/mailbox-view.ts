// A session's own numbering of the selected mailbox: which UID has which sequence number for its client.
//
// In      UIDs as they come and go; sets of commands
// Out     numbers, and ranges of positions in the numbering
// Limits  four bytes a message
// RFC 3501 §2.3.1.2, §9 seq-range

import { Failure } from '../../base/failure.ts';
import { idOf, type Uid } from '../../base/ids.ts';
import type { UidRange } from '../../store/mailbox-key.ts';
import { type NumberRange, type NumberSet, resolveRanges, STAR } from '../../wire/imap/values.ts';

/** Positions [from, to): the message with sequence number n has position n - 1. */
export interface PositionRange {
  readonly from: number;
  readonly to: number;
}

export class MailboxView {
  /** The UIDs that the last SEARCH has saved, rising pairs of first and last: what `$` means. RFC 5182 §2.1 */
  saved = new Uint32Array(0);
  #uids = new Uint32Array(0);
  #count = 0;

  /** Messages, as the client knows them. */
  get count(): number {
    return this.#count;
  }

  uidAt(position: number): Uid {
    return idOf(this.#uids[position]);
  }

  /** 0 when there is none. */
  get largestUid(): Uid {
    return idOf(this.#count === 0 ? 0 : this.#uids[this.#count - 1]);
  }

  /** Rising UIDs above all that are there. */
  append(uids: readonly Uid[]): void {
    const count = this.#count + uids.length;
    if (count > this.#uids.length) {
      // Exact for the first page of a small mailbox, with room to grow later.
      const larger = new Uint32Array(this.#count === 0 ? count : Math.max(count, Math.ceil(this.#count * 1.25)));
      larger.set(this.#uids.subarray(0, this.#count));
      this.#uids = larger;
    }
    this.#uids.set(uids, this.#count);
    this.#count = count;
  }

  /** Takes messages out; their sequence numbers, highest first, so that none shifts under the next. */
  remove(uids: ReadonlySet<Uid>): number[] {
    const numbers: number[] = [];
    let kept = 0;
    for (let position = 0; position < this.#count; position++) {
      const uid = this.uidAt(position);
      if (uids.has(uid)) numbers.push(position + 1);
      else this.#uids[kept++] = uid;
    }
    this.#count = kept;
    return numbers.reverse();
  }

  /** The first position whose UID is not below `uid`; the count when there is none. */
  positionFrom(uid: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#uids[middle]! < uid) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The sequence number of a UID, undefined when the client does not know it. */
  numberOf(uid: Uid): number | undefined {
    const position = this.positionFrom(uid);
    return position < this.#count && this.#uids[position] === uid ? position + 1 : undefined;
  }

  /** How many UIDs lie in [from, to). */
  countBetween(from: number, to: number): number {
    return this.positionFrom(to) - this.positionFrom(from);
  }

  /**
   * The positions a set means, rising and not touching. UIDs that do not exist are passed over; a sequence number above the
   * count is a syntax failure, as is `*` in an empty mailbox.
   */
  positions(set: NumberSet): PositionRange[] {
    if (set.unit === 'sequence') this.#checkNumbers(set);
    return this.existing(set);
  }

  /** The same, but numbers above the count mean nothing: for SEARCH, where they are a key like others. */
  existing(set: NumberSet): PositionRange[] {
    return set.unit === 'sequence' ? this.#positionsOfNumbers(set) : this.#positionsOfUids(this.uidsOf(set));
  }

  /** The UIDs that a set of UIDs or `$` means, existing or not; rising, none touching the next. */
  uidsOf(set: NumberSet): NumberRange[] {
    if (set.unit !== 'saved') return resolveRanges(set, this.largestUid);
    const ranges: NumberRange[] = [];
    for (let i = 0; i < this.saved.length; i += 2) ranges.push({ first: this.saved[i]!, last: this.saved[i + 1]! });
    return ranges;
  }

  #positionsOfUids(ranges: readonly NumberRange[]): PositionRange[] {
    const positions: PositionRange[] = [];
    for (const { first, last } of ranges) {
      const from = this.positionFrom(first);
      const to = this.positionFrom(last + 1);
      if (to === from) continue;
      const before = positions[positions.length - 1];
      if (before !== undefined && before.to === from) positions[positions.length - 1] = { from: before.from, to };
      else positions.push({ from, to });
    }
    return positions;
  }

  #checkNumbers(set: NumberSet): void {
    for (const { first, last } of set.ranges) {
      const open = first === STAR || last === STAR;
      if (this.#count === 0 || (!open && Math.max(first, last) > this.#count))
        throw new Failure('syntax', `There are only ${this.#count} messages`);
    }
  }

  #positionsOfNumbers(set: NumberSet): PositionRange[] {
    if (this.#count === 0) return [];
    // `7:*` of three messages is the last one: RFC 3501 counts it from either end.
    return resolveRanges(set, this.#count)
      .map(({ first, last }) => ({ from: first - 1, to: Math.min(last, this.#count) }))
      .filter(({ from, to }) => from < to);
  }

  /** The same messages by UID, at most `limit` of them a slice. */
  *uidSlices(positions: readonly PositionRange[], limit: number): Generator<readonly UidRange[]> {
    let slice: UidRange[] = [];
    let size = 0;
    for (const range of positions) {
      for (let from = range.from; from < range.to; ) {
        const to = Math.min(range.to, from + limit - size);
        slice.push([this.uidAt(from), this.uidAt(to - 1)]);
        size += to - from;
        from = to;
        if (size < limit) continue;
        yield slice;
        slice = [];
        size = 0;
      }
    }
    if (slice.length > 0) yield slice;
  }
}

export function countPositions(positions: readonly PositionRange[]): number {
  return positions.reduce((sum, { from, to }) => sum + to - from, 0);
}

/** Of the messages at these positions the ones that have the places [from, to) among them. */
export function slicePositions(positions: readonly PositionRange[], { from, to }: PositionRange): PositionRange[] {
  const sliced: PositionRange[] = [];
  let before = 0;
  for (const range of positions) {
    const start = Math.max(range.from, range.from + from - before);
    const end = Math.min(range.to, range.from + to - before);
    if (start < end) sliced.push({ from: start, to: end });
    before += range.to - range.from;
  }
  return sliced;
}

/** Whether a rising list of ranges holds the number. */
export function rangesHold(ranges: readonly NumberRange[], number: number): boolean {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ranges[middle]!.last < number) low = middle + 1;
    else high = middle;
  }
  return low < ranges.length && ranges[low]!.first <= number;
}
