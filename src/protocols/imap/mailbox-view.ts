// The numbering of a mailbox at one state of it: which UID has which sequence number.
//
// In      how many messages there are, and their UIDs, from the end towards the front as far as they are asked for
// Out     numbers, and ranges of positions in the numbering; the view that follows when messages come or go
// States  loaded from some UID on -> loaded; what it says never changes, so sessions share it
// Limits  four bytes a message that is loaded; CHUNK_UIDS are copied where one is added or goes
// Never   asks for a part that is not needed. load() lets others have their turn between pages; whoever asks for a number without
//         having called it gets it all the same, at once
// RFC 3501 §2.3.1.2, §9 seq-range

import { Failure } from '../../base/failure.ts';
import { idOf, type Modseq, type Uid } from '../../base/ids.ts';
import type { PastPage } from '../../store/changes.ts';
import type { UidRange } from '../../store/mailbox-key.ts';
import { PAGE_ROWS } from '../../store/messages.ts';
import { type NumberRange, type NumberSet, resolveRanges, STAR } from '../../wire/imap/values.ts';

/** Positions [from, to): the message with sequence number n has position n - 1. */
export interface PositionRange {
  readonly from: number;
  readonly to: number;
}

/** UIDs that stand one after another, from a position on. */
interface Chunk {
  readonly start: number;
  readonly uids: Uint32Array;
}

/** What a view has not loaded: UIDs below one, as they were at a modseq. */
export interface Front {
  /** The next page towards the front; undefined when it cannot be found out any more. */
  read(limit: number): PastPage | undefined;
}

/** Where a view reads what it has not loaded. */
export type OpenFront = (modseq: Modseq, below: number) => Front;

export interface ViewState {
  readonly modseq: Modseq;
  readonly count: number;
  /** No message has a higher UID. */
  readonly lastUid: Uid;
}

/** The numbering cannot be found out any more: the session has to open its mailbox anew. */
export class ViewLost extends Failure {
  constructor() {
    super('unavailable', 'The mailbox must be opened again');
  }
}

const CHUNK_UIDS = 4096;
/** The first page; each further one is as long as all that are loaded. */
const FIRST_PAGE_ROWS = 8;

export class MailboxView {
  /** Messages. */
  readonly count: number;
  readonly #open: OpenFront;
  readonly #modseq: Modseq;
  #chunks: Chunk[];
  /** Messages in front of the first chunk. */
  #unloaded: number;
  /** Where messages with this UID or a higher one are in a chunk. */
  #loadedFrom: number;
  #front: Front | undefined;

  private constructor(open: OpenFront, modseq: Modseq, chunks: Chunk[], unloaded: number, loadedFrom: number) {
    this.#open = open;
    this.#modseq = modseq;
    this.#chunks = chunks;
    this.#unloaded = unloaded;
    this.#loadedFrom = unloaded === 0 ? 0 : loadedFrom;
    const last = chunks[chunks.length - 1];
    this.count = last === undefined ? unloaded : last.start + last.uids.length;
  }

  /** `newest`: the UIDs of the last messages, ascending. */
  static at({ modseq, count, lastUid }: ViewState, newest: readonly Uid[], open: OpenFront): MailboxView {
    const unloaded = count - newest.length;
    const chunks = newest.length === 0 ? [] : [{ start: unloaded, uids: Uint32Array.from(newest) }];
    return new MailboxView(open, modseq, chunks, unloaded, newest[0] ?? lastUid + 1);
  }

  /** Loaded, for the bound on what is kept. */
  get loadedCount(): number {
    return this.count - this.#unloaded;
  }

  /** What the set needs, others having their turn between pages. */
  async load(set: NumberSet, breathe: () => Promise<void> | undefined): Promise<void> {
    if (set.unit === 'uid') {
      let lowest = Number.POSITIVE_INFINITY;
      for (const { first, last } of set.ranges) lowest = Math.min(lowest, first, last);
      return this.loadFromUid(lowest, breathe);
    }
    let lowest = this.count;
    for (const { first, last } of set.ranges) lowest = Math.min(lowest, first, last);
    return this.loadFromPosition(lowest - 1, breathe);
  }

  async loadFromPosition(position: number, breathe: () => Promise<void> | undefined): Promise<void> {
    while (this.#unloaded > Math.max(0, position)) {
      this.#loadPage();
      await breathe();
    }
  }

  async loadFromUid(uid: number, breathe: () => Promise<void> | undefined): Promise<void> {
    while (!this.#holdsFrom(uid)) {
      this.#loadPage();
      await breathe();
    }
  }

  /** The position of the first loaded message, and the UID from which on all are: what is in front is not known. */
  get front(): { readonly position: number; readonly uid: number } {
    return { position: this.#unloaded, uid: this.#loadedFrom };
  }

  /** Whether positions of this UID and all above it are known without loading more. */
  #holdsFrom(uid: number): boolean {
    return uid >= this.#loadedFrom;
  }

  #loadPage(): void {
    this.#front ??= this.#open(this.#modseq, this.#loadedFrom);
    const page = this.#front.read(Math.min(PAGE_ROWS, Math.max(FIRST_PAGE_ROWS, this.loadedCount)));
    if (page === undefined) throw new ViewLost();
    const { uids, isFirst } = page;
    if (uids.length > this.#unloaded || (isFirst && uids.length < this.#unloaded)) throw new ViewLost();
    this.#unloaded -= uids.length;
    this.#loadedFrom = this.#unloaded === 0 ? 0 : uids[0]!;
    if (uids.length > 0) this.#chunks.unshift({ start: this.#unloaded, uids: Uint32Array.from(uids) });
    if (this.#unloaded === 0) this.#front = undefined;
  }

  /** The chunk that holds the position, or the last. */
  #chunkAt(position: number): Chunk | undefined {
    while (position < this.#unloaded) this.#loadPage();
    const chunks = this.#chunks;
    let low = 0;
    let high = chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (chunks[middle]!.start <= position) low = middle;
      else high = middle - 1;
    }
    return chunks[low];
  }

  uidAt(position: number): Uid {
    const chunk = this.#chunkAt(position);
    return idOf(chunk?.uids[position - chunk.start]);
  }

  /** 0 when there is none. */
  get largestUid(): Uid {
    return idOf(this.count === 0 ? 0 : this.uidAt(this.count - 1));
  }

  /** The view with rising UIDs above all that are there; `modseq` when it is the state of that one. */
  with(uids: readonly Uid[], modseq: Modseq = this.#modseq): MailboxView {
    const chunks = [...this.#chunks];
    let at = 0;
    const last = chunks[chunks.length - 1];
    const room = last === undefined ? 0 : CHUNK_UIDS - last.uids.length;
    if (last !== undefined && room > 0 && uids.length > 0) {
      at = Math.min(room, uids.length);
      const larger = new Uint32Array(last.uids.length + at);
      larger.set(last.uids);
      for (let i = 0; i < at; i++) larger[last.uids.length + i] = uids[i]!;
      chunks[chunks.length - 1] = { start: last.start, uids: larger };
    }
    for (let start = this.count + at; at < uids.length; ) {
      const some = Uint32Array.from(uids.slice(at, at + CHUNK_UIDS));
      chunks.push({ start, uids: some });
      start += some.length;
      at += some.length;
    }
    return this.#loadedAlike(chunks, this.#unloaded, modseq);
  }

  #loadedAlike(chunks: Chunk[], unloaded: number, modseq: Modseq): MailboxView {
    return new MailboxView(this.#open, modseq, chunks, unloaded, this.#loadedFrom);
  }

  /**
   * The view at a later modseq, where these of its messages are gone, and their sequence numbers, highest first, so that none
   * shifts under the next.
   */
  without(gone: ReadonlySet<Uid>, modseq: Modseq): { readonly view: MailboxView; readonly numbers: readonly number[] } {
    const lowest = gone.values().reduce((least, uid) => Math.min(least, uid), Number.POSITIVE_INFINITY);
    while (!this.#holdsFrom(lowest)) this.#loadPage();
    return this.forgetting(gone, modseq);
  }

  /** The same, and numbers of those alone that are loaded: all of them must be messages of the view. */
  forgetting(
    gone: ReadonlySet<Uid>,
    modseq: Modseq,
  ): { readonly view: MailboxView; readonly numbers: readonly number[] } {
    const uids = Uint32Array.from(gone).sort();
    let at = indexFrom(uids, this.#loadedFrom);
    const numbers: number[] = [];
    const chunks: Chunk[] = [];
    const before = at;
    for (const chunk of this.#chunks) {
      const first = numbers.length;
      const last = chunk.uids[chunk.uids.length - 1]!;
      for (; at < uids.length && uids[at]! <= last; at++) {
        const position = indexFrom(chunk.uids, uids[at]!);
        if (chunk.uids[position] === uids[at]) numbers.push(chunk.start + position + 1);
      }
      const start = chunk.start - before - first;
      if (numbers.length === first) chunks.push({ start, uids: chunk.uids });
      else {
        const kept = chunk.uids.filter((uid) => !gone.has(idOf(uid)));
        if (kept.length > 0) chunks.push({ start, uids: kept });
      }
    }
    return { view: this.#loadedAlike(chunks, this.#unloaded - before, modseq), numbers: numbers.reverse() };
  }

  /** The first position whose UID is not below `uid`; the count when there is none. */
  positionFrom(uid: number): number {
    if (uid <= 1) return 0;
    while (!this.#holdsFrom(uid)) this.#loadPage();
    const chunks = this.#chunks;
    let low = 0;
    let high = chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (chunks[middle]!.uids[0]! <= uid) low = middle;
      else high = middle - 1;
    }
    const chunk = chunks[low];
    return chunk === undefined ? this.count : chunk.start + indexFrom(chunk.uids, uid);
  }

  /** The sequence number of a UID, undefined when the client does not know it. */
  numberOf(uid: Uid): number | undefined {
    const position = this.positionFrom(uid);
    return position < this.count && this.uidAt(position) === uid ? position + 1 : undefined;
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
    return set.unit === 'uid' ? this.#positionsOfUids(set) : this.#positionsOfNumbers(set);
  }

  #positionsOfUids(set: NumberSet): PositionRange[] {
    const positions: PositionRange[] = [];
    for (const { first, last } of resolveRanges(set, this.largestUid)) {
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
      if (this.count === 0 || (!open && Math.max(first, last) > this.count))
        throw new Failure('syntax', `There are only ${this.count} messages`);
    }
  }

  #positionsOfNumbers(set: NumberSet): PositionRange[] {
    if (this.count === 0) return [];
    // `7:*` of three messages is the last one: RFC 3501 counts it from either end.
    return resolveRanges(set, this.count)
      .map(({ first, last }) => ({ from: first - 1, to: Math.min(last, this.count) }))
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

/** The first index whose UID is not below `uid`; the length when there is none. */
function indexFrom(uids: Uint32Array, uid: number): number {
  let low = 0;
  let high = uids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (uids[middle]! < uid) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function countPositions(positions: readonly PositionRange[]): number {
  return positions.reduce((sum, { from, to }) => sum + to - from, 0);
}

/** What two rows of positions have in common; both rising. */
export function intersectPositions(some: readonly PositionRange[], others: readonly PositionRange[]): PositionRange[] {
  const common: PositionRange[] = [];
  for (let i = 0, j = 0; i < some.length && j < others.length; ) {
    const [a, b] = [some[i]!, others[j]!];
    const [from, to] = [Math.max(a.from, b.from), Math.min(a.to, b.to)];
    if (from < to) common.push({ from, to });
    if (a.to < b.to) i++;
    else j++;
  }
  return common;
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
