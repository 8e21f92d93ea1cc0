// A deadline that moves forward with each progress: a move assigns a number and starts no timer. One timer serves all of a thread.
//
// In      set() and clear() of ten thousand connections
// Out     the callback of each whose time has come
// States  those that wait are a heap, the next to be looked at on top; one whose deadline has moved meanwhile goes down again

const heap: Deadline[] = [];
let timer: NodeJS.Timeout | undefined;
/** When it fires. */
let timerAt = Number.POSITIVE_INFINITY;

/** What is due within so long is due. */
const EARLY_MS = 1;

export class Deadline {
  #late: () => void = () => {};
  #at = 0;
  /** When it is looked at. */
  #looksAt = 0;
  /** Where it stands in the heap; -1: nowhere. */
  #index = -1;

  /** Calls `late` after so long, unless it is set again or cleared before. */
  set(afterMs: number, late: () => void): void {
    this.#late = late;
    this.#at = performance.now() + afterMs;
    if (this.#index >= 0 && this.#looksAt <= this.#at) return;
    // It does not wait, or would be looked at too late: half an hour of IDLE is over, five minutes of a command begin.
    this.#looksAt = this.#at;
    if (this.#index < 0) this.#index = heap.push(this) - 1;
    this.#rise();
    wait();
  }

  clear(): void {
    if (this.#index < 0) return;
    const last = heap.pop()!;
    if (last !== this) {
      last.#index = this.#index;
      heap[last.#index] = last;
      last.#rise();
      last.#sink();
    }
    this.#index = -1;
    wait();
  }

  #rise(): void {
    while (this.#index > 0) {
      const above = heap[(this.#index - 1) >>> 1]!;
      if (above.#looksAt <= this.#looksAt) return;
      this.#change(above);
    }
  }

  #sink(): void {
    for (;;) {
      const left = heap[2 * this.#index + 1];
      const right = heap[2 * this.#index + 2];
      const below = right !== undefined && right.#looksAt < left!.#looksAt ? right : left;
      if (below === undefined || this.#looksAt <= below.#looksAt) return;
      this.#change(below);
    }
  }

  #change(other: Deadline): void {
    [this.#index, other.#index] = [other.#index, this.#index];
    heap[this.#index] = this;
    heap[other.#index] = other;
  }

  /** Calls those whose time has come, the first ones first. */
  static look(): void {
    timer = undefined;
    timerAt = Number.POSITIVE_INFINITY;
    const now = performance.now() + EARLY_MS;
    for (let next = heap[0]; next !== undefined && next.#looksAt <= now; next = heap[0]) {
      if (next.#at > now) {
        next.#looksAt = next.#at;
        next.#sink();
        continue;
      }
      next.clear();
      next.#late();
    }
    wait();
  }

  static get next(): number {
    const [next] = heap;
    return next === undefined ? Number.POSITIVE_INFINITY : next.#looksAt;
  }
}

/** The timer looks when the first of them is to be looked at; one that fires too early looks in vain once. */
function wait(): void {
  const { next } = Deadline;
  if (next === Number.POSITIVE_INFINITY) {
    clearTimeout(timer);
    timer = undefined;
    timerAt = next;
    return;
  }
  if (timer !== undefined && timerAt <= next) return;
  clearTimeout(timer);
  timerAt = next;
  timer = setTimeout(Deadline.look, Math.max(0, next - performance.now()));
}
