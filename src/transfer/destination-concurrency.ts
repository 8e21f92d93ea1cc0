// Destination concurrency: which of the leased rows that wait for another host may begin a delivery now.
//
// In      deliveries: leased rows of one message that go to one destination; their ends
// Out     the next delivery that may begin
// Limits  deliveriesMax at once; DESTINATION_DELIVERIES of one destination, but only one when half of all are taken: ten
//         slow destinations shall not take them all; of a channel as many as it says, and of such
//         a one only so many rows are held as keep it busy
// Memory only: nothing is written here
// RFC 5321 §4.5.4.1

import { type QueueRow, workKey } from './queue.ts';

const DESTINATION_DELIVERIES = 5;
/** A destination with so many rows is not given more until it is down to DESTINATION_ROOM. */
const DESTINATION_FULL = 200;
const DESTINATION_ROOM = 50;
/** A channel with a limit of its own and so many rows a job is not given more: others would find no place in memory. */
const CHANNEL_ROWS_A_JOB = 200;
const CHANNEL_FULL = 2000;

interface Destination {
  /** See workKey. */
  readonly key: string;
  readonly channel: string;
  readonly waiting: (readonly QueueRow[])[];
  active: number;
  held: number;
  isFull: boolean;
  /** True while it has deliveries that wait; then `#turns` contains it. */
  hasTurn: boolean;
}

export class DestinationConcurrency {
  readonly #deliveriesMax: number;
  readonly #jobsMax: (channel: string) => number | undefined;
  readonly #destinations = new Map<string, Destination>();
  /** Deliveries that have begun, by channel. */
  readonly #jobs = new Map<string, number>();
  /** Rows, by channel. */
  readonly #heldOf = new Map<string, number>();
  /** Destinations that have something to do, each once: a delivery of one, then one of the next. */
  readonly #turns: Destination[] = [];
  #active = 0;
  #held = 0;

  /** `jobsMax`: of a channel, undefined where it has no limit of its own. */
  constructor(deliveriesMax: number, jobsMax: (channel: string) => number | undefined) {
    this.#deliveriesMax = deliveriesMax;
    this.#jobsMax = jobsMax;
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
    const isFull = ([channel, held]: readonly [string, number]): boolean => {
      const jobs = this.#jobsMax(channel);
      return jobs !== undefined && held >= Math.min(CHANNEL_FULL, CHANNEL_ROWS_A_JOB * jobs);
    };
    return [...this.#heldOf].filter(isFull).map(([channel]) => channel);
  }

  hasRoom(key: string): boolean {
    return this.#destinations.get(key)?.isFull !== true;
  }

  /** One delivery that waits. */
  add(rows: readonly QueueRow[]): void {
    const destination = this.#destination(rows[0]!);
    destination.waiting.push(rows);
    this.#hold(destination, rows.length);
    destination.isFull ||= destination.held >= DESTINATION_FULL;
    this.#queue(destination);
  }

  /** The rows of a delivery that begins now, undefined when none may. A destination with no room left waits for an end. */
  next(): readonly QueueRow[] | undefined {
    // Each destination whose channel has enough to do keeps its turn behind the others.
    for (let passed = 0; this.#active < this.#deliveriesMax && passed < this.#turns.length; ) {
      const destination = this.#turns.shift()!;
      const jobs = this.#jobs.get(destination.channel) ?? 0;
      if (jobs >= (this.#jobsMax(destination.channel) ?? Number.POSITIVE_INFINITY)) {
        this.#turns.push(destination);
        passed++;
        continue;
      }
      destination.hasTurn = false;
      const most = 2 * this.#active < this.#deliveriesMax ? DESTINATION_DELIVERIES : 1;
      if (destination.active >= most) continue;
      const rows = destination.waiting.shift();
      if (rows === undefined) continue;
      destination.active++;
      this.#active++;
      this.#jobs.set(destination.channel, jobs + 1);
      this.#queue(destination);
      return rows;
    }
    return undefined;
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
    if (destination.active === 0 && destination.waiting.length === 0) this.#destinations.delete(key);
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
      destination = { key, channel: row.channel, waiting: [], active: 0, held: 0, isFull: false, hasTurn: false };
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
