// How many passwords are hashed at once in the whole process, and how many may wait in this thread.
//
// A hash takes 40 ms of one core. At most half the cores hash, one at least, so that guessing passwords never stops mail.
// In      `cells`: one number a thread in shared memory, how many hashes run there; main clears a dead thread's cell
// Limits  beyond `waitingMax` the answer is `unavailable` at once
// Never   blocks the thread: it waits by Atomics.waitAsync

import { availableParallelism } from 'node:os';
import { Failure } from '../base/failure.ts';

export interface HashGateOptions {
  /** One cell a thread. Without it the gate counts this thread alone. */
  readonly cells?: Int32Array;
  readonly thread?: number;
  readonly slots?: number;
  readonly waitingMax?: number;
}

/** Eight seconds of hashing with one slot: a site whose clients all come back at once gets through in a few tries. */
const WAITING_MAX = 200;
/** A slot that another thread freed is seen at the latest after this time, also when its wake-up went elsewhere. */
const LOOK_AGAIN_MS = 20;

export class HashGate {
  readonly #cells: Int32Array;
  readonly #thread: number;
  readonly #slots: number;
  readonly #waitingMax: number;
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(options: HashGateOptions = {}) {
    this.#cells = options.cells ?? new Int32Array(new SharedArrayBuffer(4));
    this.#thread = options.thread ?? 0;
    this.#slots = options.slots ?? Math.max(1, Math.floor(availableParallelism() / 2));
    this.#waitingMax = options.waitingMax ?? WAITING_MAX;
  }

  /** Runs `hash` when a slot is free, first come first served in this thread. Throws `unavailable` when too many wait. */
  async run<T>(hash: () => Promise<T>): Promise<T> {
    if (this.#waiting >= this.#waitingMax) throw new Failure('unavailable', 'Too many logins, try again later');
    this.#waiting++;
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    try {
      await before;
      await this.#take();
    } finally {
      this.#waiting--;
      resolve();
    }
    try {
      return await hash();
    } finally {
      this.#give();
    }
  }

  async #take(): Promise<void> {
    for (;;) {
      Atomics.add(this.#cells, this.#thread, 1);
      if (this.#running() <= this.#slots) return;
      this.#give();
      const seen = Atomics.load(this.#cells, this.#thread);
      // Its own cell changes when this thread frees a slot; another thread's is looked at again after a while.
      await Atomics.waitAsync(this.#cells, this.#thread, seen, LOOK_AGAIN_MS).value;
    }
  }

  #give(): void {
    Atomics.sub(this.#cells, this.#thread, 1);
    Atomics.notify(this.#cells, this.#thread);
  }

  #running(): number {
    let sum = 0;
    for (let i = 0; i < this.#cells.length; i++) sum += Atomics.load(this.#cells, i);
    return sum;
  }
}
