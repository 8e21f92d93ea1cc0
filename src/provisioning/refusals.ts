// Names that have been refused a little while ago: asked again, they cost one look into a map.
//
// In      a name and the reply
// Out     that reply, for REFUSALS_MS
// Limits  REFUSALS_MAX names a thread; the oldest is forgotten first

import type { Clock } from '../base/clock.ts';
import type { Reply } from '../base/reply.ts';
import { REFUSALS_MAX, REFUSALS_MS } from './evidence.ts';

export class Refusals {
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly reply: Reply; readonly until: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(domain: string): Reply | undefined {
    const known = this.#known.get(domain);
    if (known === undefined) return undefined;
    if (known.until > this.#clock.monotonic()) return known.reply;
    this.#known.delete(domain);
    return undefined;
  }

  note(domain: string, reply: Reply): void {
    if (this.#known.size >= REFUSALS_MAX)
      for (const oldest of this.#known.keys()) {
        this.#known.delete(oldest);
        break;
      }
    this.#known.set(domain, { reply, until: this.#clock.monotonic() + REFUSALS_MS });
  }
}
