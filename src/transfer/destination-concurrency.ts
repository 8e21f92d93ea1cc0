// Destination concurrency: which of the leased rows that wait for another host may begin a delivery now.
//
// In      deliveries: leased rows of one message that go to one destination; their ends, and how the host could be reached
// Out     the next delivery that may begin; what all of a destination get whose host cannot be reached
// Order   destinations by turns; of one by MT-PRIORITY, then as they came
// Limits  `places` at once; of one destination as many as its window (window.ts), `concurrency` and its channel allow, and never
//         more than half of all places while others wait; of a channel as many as it says, at the rate that it says. Of a channel
//         with a limit only so many rows are held as keep it busy. WINDOWS_MAX destinations are remembered
// Memory only: nothing is written here
// RFC 5321 §4.5.4.1, RFC 6710 §5

import type { ChannelWords } from '../routing/compile-channel.ts';
import type { Outcome } from './outcome.ts';
import { type QueueRow, workKey } from './queue.ts';
import { Beginnings } from './rate.ts';
import { DestinationWindow } from './window.ts';

/** Deliveries at once to one destination, where its channel does not say. */
const CONCURRENCY = 20;
/** A destination with so many rows is not given more until it is down to DESTINATION_ROOM. */
const DESTINATION_FULL = 500;
const DESTINATION_ROOM = 100;
/** A channel with a limit of its own and so many rows a job is not given more: others would find no place in memory. */
const CHANNEL_ROWS_A_JOB = 200;
const CHANNEL_FULL = 2000;
const WINDOWS_MAX = 10_000;

type Words = Pick<ChannelWords, 'concurrency' | 'maxJobs' | 'rate'>;

export interface ConcurrencyParts {
  /** Deliveries at once, of all destinations. */
  readonly places: number;
  readonly wordsOf: (channel: string) => Words | undefined;
  /** What the channel itself knows of one of its destinations. */
  readonly ownOf: (row: QueueRow) => number | undefined;
  /** Monotonic. */
  readonly now: () => number;
}

interface Destination {
  /** See workKey. */
  readonly key: string;
  readonly channel: string;
  readonly own: number | undefined;
  readonly waiting: (readonly QueueRow[])[];
  readonly window: DestinationWindow;
  active: number;
  held: number;
  isFull: boolean;
  /** True while it has deliveries that wait; then `#turns` contains it. */
  hasTurn: boolean;
}

export class DestinationConcurrency {
  readonly #parts: ConcurrencyParts;
  readonly #destinations = new Map<string, Destination>();
  /** Of destinations that have shown something, by key; the ones that have been idle for longest first. */
  readonly #windows = new Map<string, DestinationWindow>();
  /** Deliveries that have begun, by channel. */
  readonly #jobs = new Map<string, number>();
  /** Of channels with a rate. */
  readonly #beginnings = new Map<string, Beginnings>();
  /** Rows, by channel. */
  readonly #heldOf = new Map<string, number>();
  /** Destinations that have something to do, each once: a delivery of one, then one of the next. */
  readonly #turns: Destination[] = [];
  #active = 0;
  #held = 0;
  #rateAt: number | undefined;

  constructor(parts: ConcurrencyParts) {
    this.#parts = parts;
  }

  get heldRows(): number {
    return this.#held;
  }

  /** Keys of the destinations that have enough to do. */
  full(): string[] {
    return [...this.#destinations.values()].filter(({ isFull }) => isFull).map(({ key }) => key);
  }

  /** Names of the channels with a limit of their own that have enough to do, however many destinations that is. */
  fullChannels(): string[] {
    return [...this.#heldOf]
      .filter(([channel, held]) => this.#isChannelFull(channel, held))
      .map(([channel]) => channel);
  }

  #isChannelFull(channel: string, held: number): boolean {
    const { maxJobs, rate } = this.#parts.wordsOf(channel) ?? {};
    if (rate !== undefined && held >= Math.min(CHANNEL_FULL, CHANNEL_ROWS_A_JOB + rate.count)) return true;
    return maxJobs !== undefined && held >= Math.min(CHANNEL_FULL, CHANNEL_ROWS_A_JOB * maxJobs);
  }

  /** Whether more rows of its destination may be held. */
  hasRoom(row: QueueRow): boolean {
    if (this.#destinations.get(workKey(row))?.isFull === true) return false;
    return !this.#isChannelFull(row.channel, this.#heldOf.get(row.channel) ?? 0);
  }

  /** One delivery that waits. */
  add(rows: readonly QueueRow[]): void {
    const destination = this.#destination(rows[0]!);
    insert(destination.waiting, rows);
    this.#hold(destination, rows.length);
    destination.isFull ||= destination.held >= DESTINATION_FULL;
    this.#queue(destination);
  }

  /** The rows of a delivery that begins now, undefined when none may. A destination with no room left waits for an end. */
  next(): readonly QueueRow[] | undefined {
    const { places } = this.#parts;
    const now = this.#parts.now();
    this.#rateAt = undefined;
    let large: Destination | undefined;
    // Each destination that has to wait for something beside its own ends keeps its turn behind the others.
    for (let passed = 0; this.#active < places && passed < this.#turns.length; ) {
      const destination = this.#turns.shift()!;
      const words = this.#parts.wordsOf(destination.channel);
      const isBlocked = !this.#mayBegin(destination.channel, words, now);
      if (!isBlocked && destination.active >= this.#roomOf(destination, words, now)) {
        destination.hasTurn = false;
        continue;
      }
      const isLarge = 2 * (destination.active + 1) > places;
      if (!isBlocked && !isLarge) return this.#begin(destination, now);
      if (!isBlocked) large ??= destination;
      this.#turns.push(destination);
      passed++;
    }
    // More than half of the places for one, as nobody else could take them.
    if (large === undefined || this.#active >= places) return undefined;
    this.#turns.splice(this.#turns.indexOf(large), 1);
    return this.#begin(large, now);
  }

  /** When a delivery may begin that `next` has passed over for its channel's rate; monotonic. */
  get rateAt(): number | undefined {
    return this.#rateAt;
  }

  #mayBegin(channel: string, words: Words | undefined, now: number): boolean {
    if ((this.#jobs.get(channel) ?? 0) >= (words?.maxJobs ?? Number.POSITIVE_INFINITY)) return false;
    const rate = words?.rate;
    if (rate === undefined) return true;
    const nextAt = this.#beginningsOf(channel, rate).nextAt;
    if (nextAt <= now) return true;
    this.#rateAt = Math.min(nextAt, this.#rateAt ?? Number.POSITIVE_INFINITY);
    return false;
  }

  #beginningsOf(channel: string, rate: NonNullable<Words['rate']>): Beginnings {
    const known = this.#beginnings.get(channel);
    if (known !== undefined && known.rate.count === rate.count && known.rate.ms === rate.ms) return known;
    const beginnings = new Beginnings(rate);
    this.#beginnings.set(channel, beginnings);
    return beginnings;
  }

  /** How many deliveries of it may be under way; none where none waits. */
  #roomOf({ waiting, window, own }: Destination, words: Words | undefined, now: number): number {
    if (waiting.length === 0) return 0;
    return Math.min(window.size(now), words?.concurrency ?? CONCURRENCY, own ?? Number.POSITIVE_INFINITY);
  }

  #begin(destination: Destination, now: number): readonly QueueRow[] {
    const { channel } = destination;
    destination.hasTurn = false;
    destination.active++;
    this.#active++;
    this.#jobs.set(channel, (this.#jobs.get(channel) ?? 0) + 1);
    const rate = this.#parts.wordsOf(channel)?.rate;
    if (rate !== undefined) this.#beginningsOf(channel, rate).begin(now);
    const rows = destination.waiting.shift()!;
    this.#queue(destination);
    return rows;
  }

  /** A delivery that has begun is over. */
  done(rows: readonly QueueRow[]): void {
    const key = workKey(rows[0]!);
    const destination = this.#destinations.get(key)!;
    destination.active--;
    this.#active--;
    const jobs = this.#jobs.get(destination.channel)! - 1;
    if (jobs === 0) this.#jobs.delete(destination.channel);
    else this.#jobs.set(destination.channel, jobs);
    this.#release(destination, rows.length);
    this.#queue(destination);
    if (destination.active > 0 || destination.waiting.length > 0) return;
    this.#destinations.delete(key);
    this.#remember(destination);
  }

  #remember({ key, window }: Destination): void {
    this.#windows.delete(key);
    if (window.isFresh) return;
    this.#windows.set(key, window);
    if (this.#windows.size > WINDOWS_MAX) this.#windows.delete(this.#windows.keys().next().value!);
  }

  /** Whether deliveries of the same destination wait for a place. */
  isMoreDue(row: QueueRow): boolean {
    return (this.#destinations.get(workKey(row))?.waiting.length ?? 0) > 0;
  }

  /** The host has been reached. */
  reached(row: QueueRow): void {
    const max = this.#parts.wordsOf(row.channel)?.concurrency ?? CONCURRENCY;
    this.#windowOf(workKey(row))?.good(max);
  }

  /** It has not, which `outcome` says; all of the destination get that for so long, if that is what is left of it. */
  missed(row: QueueRow, outcome: Outcome, stepMs: number): void {
    this.#windowOf(workKey(row))?.bad(outcome, this.#parts.now() + stepMs);
  }

  /** What rows of the destination get without an attempt; undefined: they may be tried. */
  closed(row: QueueRow): Outcome | undefined {
    return this.#windowOf(workKey(row))?.outcome(this.#parts.now());
  }

  /** Somebody wants to know: one may go out at once. */
  probe(row: QueueRow): void {
    this.#windowOf(workKey(row))?.probe();
  }

  /** What is known of the hosts may be wrong by now: of all that are closed one may go out. */
  probeAll(): void {
    for (const { window } of this.#destinations.values()) window.probe();
    for (const window of this.#windows.values()) window.probe();
  }

  #windowOf(key: string): DestinationWindow | undefined {
    return this.#destinations.get(key)?.window ?? this.#windows.get(key);
  }

  /** What waits for a destination that cannot be reached; it is not held any more. */
  takeWaiting(key: string): (readonly QueueRow[])[] {
    const destination = this.#destinations.get(key);
    const waiting = destination?.waiting.splice(0) ?? [];
    for (const rows of waiting) this.#release(destination!, rows.length);
    return waiting;
  }

  /** So many more, or fewer. */
  #hold(destination: Destination, rows: number): void {
    destination.held += rows;
    this.#held += rows;
    const held = (this.#heldOf.get(destination.channel) ?? 0) + rows;
    if (held === 0) this.#heldOf.delete(destination.channel);
    else this.#heldOf.set(destination.channel, held);
  }

  #release(destination: Destination, rows: number): void {
    this.#hold(destination, -rows);
    destination.isFull &&= destination.held > DESTINATION_ROOM;
  }

  #destination(row: QueueRow): Destination {
    const key = workKey(row);
    let destination = this.#destinations.get(key);
    if (destination === undefined) {
      destination = {
        key,
        channel: row.channel,
        own: this.#parts.ownOf(row),
        waiting: [],
        window: this.#windows.get(key) ?? new DestinationWindow(),
        ...{ active: 0, held: 0, isFull: false, hasTurn: false },
      };
      this.#destinations.set(key, destination);
    }
    return destination;
  }

  #queue(destination: Destination): void {
    if (destination.hasTurn || destination.waiting.length === 0) return;
    destination.hasTurn = true;
    this.#turns.push(destination);
  }
}

/** Behind those of its priority and above; nearly all have the same. */
function insert(waiting: (readonly QueueRow[])[], rows: readonly QueueRow[]): void {
  const { priority } = rows[0]!;
  let at = waiting.length;
  while (at > 0 && waiting[at - 1]![0]!.priority < priority) at--;
  if (at === waiting.length) waiting.push(rows);
  else waiting.splice(at, 0, rows);
}
