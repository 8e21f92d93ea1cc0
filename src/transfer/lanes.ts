// The rows that are leased and wait for a connection: a lane a destination, and whose turn it is.
//
// In      leased rows of the smtp channel; ends of deliveries
// Out     deliveries begun: rows of one message, one sender and one lane, RECIPIENTS_MAX at most
// Limits  deliveriesMax at once; a lane has LANE_DELIVERIES, but only one when half of all places are taken: ten slow
//         destinations shall not take them all
// Memory only: nothing is written here

import { RECIPIENTS_MAX } from './channels/smtp.ts';
import { laneOf, type QueueRow } from './queue.ts';

const LANE_DELIVERIES = 5;
/** A lane with so many rows is not given more until it is down to LANE_ROOM. */
const LANE_FULL = 200;
const LANE_ROOM = 50;

interface Lane {
  readonly name: string;
  readonly waiting: (readonly QueueRow[])[];
  active: number;
  held: number;
  isFull: boolean;
  /** It stands in the line of those that have something to do. */
  inLine: boolean;
}

export class Lanes {
  readonly #deliveriesMax: number;
  readonly #begin: (lane: string, rows: readonly QueueRow[]) => void;
  readonly #lanes = new Map<string, Lane>();
  readonly #line: Lane[] = [];
  #active = 0;
  #held = 0;
  #isClosed = false;

  constructor(deliveriesMax: number, begin: (lane: string, rows: readonly QueueRow[]) => void) {
    this.#deliveriesMax = deliveriesMax;
    this.#begin = begin;
  }

  get heldRows(): number {
    return this.#held;
  }

  /** Lanes that have enough to do. */
  full(): string[] {
    return [...this.#lanes.values()].filter((lane) => lane.isFull).map((lane) => lane.name);
  }

  hasRoom(lane: string): boolean {
    return this.#lanes.get(lane)?.isFull !== true;
  }

  add(rows: readonly QueueRow[]): void {
    const deliveries = Map.groupBy(rows, (row) => `${row.message} ${row.sender} ${laneOf(row)}`);
    for (const group of deliveries.values()) {
      const lane = this.#lane(laneOf(group[0]!));
      for (let at = 0; at < group.length; at += RECIPIENTS_MAX) lane.waiting.push(group.slice(at, at + RECIPIENTS_MAX));
      lane.held += group.length;
      lane.isFull ||= lane.held >= LANE_FULL;
      this.#held += group.length;
      this.#enqueue(lane);
    }
    this.#advance();
  }

  /** The delivery has ended, or will not be made: see takeWaiting. */
  done(name: string, rows: readonly QueueRow[]): void {
    const lane = this.#lanes.get(name)!;
    lane.active--;
    this.#active--;
    this.#release(lane, rows.length);
    this.#enqueue(lane);
    if (lane.active === 0 && lane.waiting.length === 0) this.#lanes.delete(name);
    this.#advance();
  }

  /** What waits in a lane whose host cannot be reached; it is not held any more. */
  takeWaiting(name: string): (readonly QueueRow[])[] {
    const lane = this.#lanes.get(name);
    const waiting = lane?.waiting.splice(0) ?? [];
    for (const rows of waiting) this.#release(lane!, rows.length);
    return waiting;
  }

  #release(lane: Lane, rows: number): void {
    lane.held -= rows;
    this.#held -= rows;
    lane.isFull &&= lane.held > LANE_ROOM;
  }

  #lane(name: string): Lane {
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      lane = { name, waiting: [], active: 0, held: 0, isFull: false, inLine: false };
      this.#lanes.set(name, lane);
    }
    return lane;
  }

  #enqueue(lane: Lane): void {
    if (lane.inLine || lane.waiting.length === 0) return;
    lane.inLine = true;
    this.#line.push(lane);
  }

  /** Nothing more is begun. */
  close(): void {
    this.#isClosed = true;
  }

  /** Each lane in turn; one that may not have more comes back when a delivery of its own ends. */
  #advance(): void {
    while (this.#active < this.#deliveriesMax && !this.#isClosed) {
      const lane = this.#line.shift();
      if (lane === undefined) return;
      lane.inLine = false;
      if (lane.active >= (2 * this.#active < this.#deliveriesMax ? LANE_DELIVERIES : 1)) continue;
      const rows = lane.waiting.shift();
      if (rows === undefined) continue;
      lane.active++;
      this.#active++;
      this.#enqueue(lane);
      this.#begin(lane.name, rows);
    }
  }
}
