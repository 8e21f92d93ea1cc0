// Work that looks for what there is to do: one look at a time, and one more for whatever comes while it looks.
//
// In      calls that something may have come; what a look does
// States  not started -> idle <-> looking; after a failure pausing, then looking again -> stopped
// Limits  a pause is PAUSE_MS, twice as long each time, PAUSE_MAX_MS at most; nothing but its end, or `stop`, ends it
// Never   forgets a call: one that comes before `start`, in a look or in a pause is a look later

const PAUSE_MS = 1000;
const PAUSE_MAX_MS = 30_000;

export interface LookParts {
  /** Does what there is to do, as far as `isStopping` lets it. True: there is more, and nobody will say so. */
  readonly look: () => Promise<boolean | undefined>;
  /** What the look has thrown; it comes again after the pause. */
  readonly failed: (error: unknown, pauseMs: number) => void;
}

export class Looks {
  readonly #parts: LookParts;
  #running: Promise<void> | undefined;
  #isStarted = false;
  #isWanted = false;
  #isStopping = false;
  #pauseMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: LookParts) {
    this.#parts = parts;
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  start(): void {
    this.#isStarted = true;
    this.wake();
  }

  /** Cheap: many calls are one look. */
  wake(): void {
    this.#isWanted = true;
    if (!this.#isStarted || this.#isStopping || this.#running !== undefined || this.#timer !== undefined) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (this.#isWanted && !this.#isStopping) this.#later();
    });
  }

  /** Resolves when no look is under way. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #later(): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.wake();
    }, this.#pauseMs);
  }

  async #run(): Promise<void> {
    try {
      while (this.#isWanted && !this.#isStopping) {
        this.#isWanted = false;
        if (await this.#parts.look()) this.#isWanted = true;
      }
      this.#pauseMs = 0;
    } catch (error) {
      this.#isWanted = true;
      this.#pauseMs = Math.min(PAUSE_MAX_MS, Math.max(PAUSE_MS, 2 * this.#pauseMs));
      this.#parts.failed(error, this.#pauseMs);
    }
  }
}
