// Whose turn it is among the searches of a thread that take longer than one: one of all connections a turn of the event loop,
// one behind the other. However many there are, whoever else speaks to the thread waits for one of them.

import { setImmediate as nextTurn } from 'node:timers/promises';

export class LongWork {
  #last: Promise<unknown> = Promise.resolve();

  /** Resolves when the next piece may be done. */
  turn(): Promise<unknown> {
    this.#last = this.#last.then(() => nextTurn());
    return this.#last;
  }
}
