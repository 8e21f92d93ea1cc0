// A deadline that moves forward with each progress: a move assigns a number and starts no timer.

export class Deadline {
  #late: () => void = () => {};
  #at = 0;
  /** When the timer looks. */
  #looksAt = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Calls `late` after so long, unless it is set again or cleared before. */
  set(afterMs: number, late: () => void): void {
    this.#late = late;
    this.#at = performance.now() + afterMs;
    if (this.#timer !== undefined && this.#looksAt <= this.#at) return;
    // None is running, or one that would look too late: half an hour of IDLE is over, five minutes of a command begin.
    clearTimeout(this.#timer);
    this.#wait(afterMs);
  }

  #wait(ms: number): void {
    this.#looksAt = performance.now() + ms;
    this.#timer = setTimeout(() => this.#look(), ms);
  }

  #look(): void {
    this.#timer = undefined;
    const left = this.#at - performance.now();
    if (left > 1) this.#wait(left);
    else this.#late();
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
