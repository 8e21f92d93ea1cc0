// How many octets of closed segments are messages', and how many nobody's, for the metrics.
//
// In      the segments' rows
// Out     differences to what was said before, when all rows have been looked at
// Limits  PAGE_ROWS a slice; a walk each EVERY_MS

import type { UpkeepTask } from '../base/upkeep.ts';
import type { Reader, Value } from '../database/operation.ts';
import { NO_SEGMENT } from './collect.ts';

const PAGE_ROWS = 5000;
const EVERY_MS = 60_000;

type State = 'live' | 'dead';

export class SegmentFigures implements UpkeepTask {
  readonly name = 'segment figures';
  readonly #reader: Reader;
  readonly #add: (state: State, difference: number) => void;
  readonly #said = { live: 0, dead: 0 };
  #after: Value = NO_SEGMENT;
  #bytes = 0;
  #dead = 0;

  constructor(reader: Reader, add: (state: State, difference: number) => void) {
    this.#reader = reader;
    this.#add = add;
  }

  async run(): Promise<number> {
    const rows = this.#reader.arrays(
      'SELECT id, bytes, dead FROM segment WHERE id > ? ORDER BY id LIMIT +?',
      this.#after,
      PAGE_ROWS,
    );
    for (const [, bytes, dead] of rows) {
      // One that is open has no size yet.
      if (bytes === null) continue;
      this.#bytes += Number(bytes);
      this.#dead += Number(dead);
    }
    if (rows.length === PAGE_ROWS) {
      this.#after = rows.at(-1)![0]!;
      return 0;
    }
    this.#say('live', this.#bytes - this.#dead);
    this.#say('dead', this.#dead);
    this.#after = NO_SEGMENT;
    this.#bytes = 0;
    this.#dead = 0;
    return EVERY_MS;
  }

  #say(state: State, now: number): void {
    this.#add(state, now - this.#said[state]);
    this.#said[state] = now;
  }
}
