// Tasks that share one thread and take turns: each does a slice of its work and says when it wants to come again.
//
// In      tasks
// Out     their slices, one at a time; of those that are due the one that has been due longest comes first
// Limits  a slice is the task's to bound: some tenths of a second, then others have their turn
// Errors  a slice that fails is logged, and its task comes again after RETRY_MS
// At rest one timer sleeps until the next of them is due.

import { asFailure } from './failure.ts';
import type { Log } from './log.ts';

const RETRY_MS = 60_000;
/** As far as a timer reaches. */
const SLEEP_MAX_MS = 24 * 3600 * 1000;

/** Work that no client waits for. */
export interface UpkeepTask {
  readonly name: string;
  /** A slice. Gives in how many milliseconds it wants to come again: 0 while there is more to do. */
  run(): Promise<number>;
  /** Gives up what is open; no slice is under way or comes again. */
  end?(): Promise<void>;
}

export class Upkeep {
  readonly #log: Log;
  /** By the time when each is due, on the monotonic clock. */
  readonly #due: Map<UpkeepTask, number>;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #isEnded = false;

  constructor(tasks: readonly UpkeepTask[], log: Log) {
    this.#log = log;
    const now = performance.now();
    this.#due = new Map(tasks.map((task) => [task, now]));
    this.#sleep();
  }

  #sleep(): void {
    const first = this.#first();
    if (this.#isEnded || first === undefined) return;
    const ms = Math.min(SLEEP_MAX_MS, Math.max(0, this.#due.get(first)! - performance.now()));
    this.#timer = setTimeout(() => {
      this.#running = this.#turn();
    }, ms);
  }

  #first(): UpkeepTask | undefined {
    let first: UpkeepTask | undefined;
    for (const [task, due] of this.#due) if (first === undefined || due < this.#due.get(first)!) first = task;
    return first;
  }

  async #turn(): Promise<void> {
    const task = this.#first();
    if (task !== undefined && this.#due.get(task)! <= performance.now()) {
      const ms = await this.#slice(task);
      this.#due.set(task, performance.now() + ms);
    }
    this.#sleep();
  }

  async #slice(task: UpkeepTask): Promise<number> {
    try {
      return await task.run();
    } catch (error) {
      const { message, detail = message } = asFailure(error);
      this.#log.error('upkeep.fail', { task: task.name, detail });
      return RETRY_MS;
    }
  }

  /** What is under way comes to its end. */
  async end(): Promise<void> {
    this.#isEnded = true;
    clearTimeout(this.#timer);
    await this.#running;
    for (const task of this.#due.keys()) await task.end?.();
  }
}
