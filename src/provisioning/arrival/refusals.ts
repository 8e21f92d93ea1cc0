// Names that have been refused a little while ago: asked again, they cost one look into a map.
//
// In      a name
// Out     whether it has been refused within REFUSALS_MS, and no policy has changed since
// Limits  REFUSALS_MAX names a thread; the oldest is forgotten first

import type { Clock } from '../../base/clock.ts';
import { REFUSALS_MAX, REFUSALS_MS } from './limits.ts';

export class Refusals {
  readonly #clock: Clock;
  /** Until when. */
  readonly #known = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  has(domain: string): boolean {
    const until = this.#known.get(domain);
    if (until === undefined) return false;
    if (until > this.#clock.monotonic()) return true;
    this.#known.delete(domain);
    return false;
  }

  note(domain: string): void {
    this.#known.delete(domain);
    if (this.#known.size >= REFUSALS_MAX)
      for (const oldest of this.#known.keys()) {
        this.#known.delete(oldest);
        break;
      }
    this.#known.set(domain, this.#clock.monotonic() + REFUSALS_MS);
  }

  forgetAll(): void {
    this.#known.clear();
  }
}
