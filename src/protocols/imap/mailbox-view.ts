// A session's own numbering of the selected mailbox: which UID has which sequence number for its client.
//
// In      UIDs as they come and go; sets of commands
// Out     numbers, and ranges of places in the numbering
// Limits  four bytes a message
// RFC 3501 §2.3.1.2, §9 seq-range

import { Failure } from '../../base/failure.ts';
import { idOf, type Uid } from '../../base/ids.ts';
import type { UidRange } from '../../store/mailbox-key.ts';
import { type NumberRange, type NumberSet, resolveRanges, STAR } from '../../wire/imap/values.ts';

/** Places [from, to): the message with sequence number n stands at place n - 1. */
export interface PlaceRange {
  readonly from: number;
  readonly to: number;
}

export class MailboxView {
  #uids = new Uint32Array(0);
  #count = 0;

  /** Messages, as the client knows them. */
  get count(): number {
    return this.#count;
  }

  uidAt(place: number): Uid {
    return idOf(this.#uids[place]);
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
    for (let place = 0; place < this.#count; place++) {
      const uid = this.uidAt(place);
      if (uids.has(uid)) numbers.push(place + 1);
      else this.#uids[kept++] = uid;
    }
    this.#count = kept;
    return numbers.reverse();
  }

  /** The first place whose UID is not below `uid`; the count when there is none. */
  placeFrom(uid: number): number {
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
    const place = this.placeFrom(uid);
    return place < this.#count && this.#uids[place] === uid ? place + 1 : undefined;
  }

  /** How many UIDs lie in [from, to). */
  countBetween(from: number, to: number): number {
    return this.placeFrom(to) - this.placeFrom(from);
  }

  /**
   * The places a set means, rising and not touching. UIDs that do not exist are passed over; a sequence number above the
   * count is a syntax failure, as is `*` in an empty mailbox.
   */
  places(set: NumberSet): PlaceRange[] {
    return set.unit === 'uid' ? this.#placesOfUids(set) : this.#placesOfNumbers(set);
  }

  #placesOfUids(set: NumberSet): PlaceRange[] {
    const places: PlaceRange[] = [];
    for (const { first, last } of resolveRanges(set, this.largestUid)) {
      const from = this.placeFrom(first);
      const to = this.placeFrom(last + 1);
      if (to === from) continue;
      const before = places[places.length - 1];
      if (before !== undefined && before.to === from) places[places.length - 1] = { from: before.from, to };
      else places.push({ from, to });
    }
    return places;
  }

  #placesOfNumbers(set: NumberSet): PlaceRange[] {
    for (const { first, last } of set.ranges) {
      const open = first === STAR || last === STAR;
      if (this.#count === 0 || (!open && Math.max(first, last) > this.#count))
        throw new Failure('syntax', `There are only ${this.#count} messages`);
    }
    // `7:*` of three messages is the last one: RFC 3501 counts it from either end.
    return resolveRanges(set, this.#count)
      .map(({ first, last }) => ({ from: Math.min(first, this.#count) - 1, to: Math.min(last, this.#count) }))
      .filter(({ from, to }) => from < to);
  }

  /** The same messages by UID, at most `limit` of them a slice. */
  *uidSlices(places: readonly PlaceRange[], limit: number): Generator<readonly UidRange[]> {
    let slice: UidRange[] = [];
    let size = 0;
    for (const range of places) {
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

export function countPlaces(places: readonly PlaceRange[]): number {
  return places.reduce((sum, { from, to }) => sum + to - from, 0);
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
