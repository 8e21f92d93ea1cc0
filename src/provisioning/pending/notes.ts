// Hits of names that wait for a word, in one thread: the first of a minute is written, those between two writes are summed here.
//
// In      a hit: a message's RCPT that a policy proposes, or waits to be approved
// Out     when the name was first seen; `gone` for one that is ours or refused by now; `too-many` new names
// States  a name: unknown -> writing -> written -> (WRITTEN_AGAIN_MS with hits) writing again, or forgotten
// Limits  NAMES_MAX names; the one that was written longest ago is forgotten, with its hits, for another. Hits that are in
//         memory at an end of the thread are not counted

import type { Clock } from '../../base/clock.ts';
import type { Writer } from '../../database/operation.ts';
import { PENDING_MAX, type SeenArguments, seePending, WRITTEN_AGAIN_MS } from './entries.ts';

const NAMES_MAX = PENDING_MAX;
const TURN_MS = 1000;

/** `now`: when it is. */
export type PendingHit = Omit<SeenArguments, 'seen' | 'lastSeen'>;

/** Epoch ms. */
type Noted = number | 'gone' | 'too-many';

interface Name {
  firstSeen: number;
  /** Monotonic: not before it is written again. */
  writeAt: number;
  /** Not written yet, and what the last of them said. */
  hits: number;
  last: PendingHit;
}

export class PendingNotes {
  readonly #writer: Writer;
  readonly #clock: Clock;
  readonly #names = new Map<string, Name>();
  readonly #writing = new Map<string, Promise<Noted>>();
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: { readonly writer: Writer; readonly clock: Clock }) {
    this.#writer = parts.writer;
    this.#clock = parts.clock;
  }

  /** Throws what the writer throws. */
  async note(hit: PendingHit): Promise<Noted> {
    const name = this.#names.get(hit.domain);
    if (name !== undefined) {
      name.hits++;
      name.last = hit;
      if (this.#clock.monotonic() < name.writeAt) {
        this.#flushLater();
        return name.firstSeen;
      }
      return this.#write(hit.domain, name);
    }
    const fresh: Name = { firstSeen: hit.now, writeAt: 0, hits: 1, last: hit };
    this.#names.set(hit.domain, fresh);
    for (const oldest of this.#names.keys()) {
      if (this.#names.size <= NAMES_MAX) break;
      this.#names.delete(oldest);
    }
    return this.#write(hit.domain, fresh);
  }

  /** One write of a name at a time. Who hits it meanwhile waits for the same. */
  #write(domain: string, name: Name): Promise<Noted> {
    let writing = this.#writing.get(domain);
    if (writing === undefined) {
      writing = this.#post(domain, name).finally(() => this.#writing.delete(domain));
      this.#writing.set(domain, writing);
    }
    return writing;
  }

  async #post(domain: string, name: Name): Promise<Noted> {
    const { hits, last } = name;
    const now = this.#clock.now();
    const seen = await this.#writer.execute(seePending, { ...last, lastSeen: last.now, seen: hits, now });
    if (typeof seen === 'string') {
      this.#names.delete(domain);
      return seen;
    }
    const { firstSeen, againAt, isWritten } = seen;
    if (isWritten) name.hits -= hits;
    name.firstSeen = firstSeen;
    // Where another thread has written it, the minute of that counts. Whose turn it was lets the others go first.
    const left = isWritten ? WRITTEN_AGAIN_MS + TURN_MS : Math.min(WRITTEN_AGAIN_MS, againAt - now);
    name.writeAt = this.#clock.monotonic() + Math.max(0, left);
    if (this.#names.get(domain) === name) {
      // The map is in the order of writes.
      this.#names.delete(domain);
      this.#names.set(domain, name);
    }
    if (name.hits > 0) this.#flushLater();
    return firstSeen;
  }

  #flushLater(): void {
    this.#timer ??= setTimeout(() => this.#flush(), WRITTEN_AGAIN_MS + TURN_MS).unref();
  }

  /** What has been hit and has had its minute is written; what nobody hits any more is forgotten. */
  #flush(): void {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    for (const [domain, name] of this.#names) {
      if (now < name.writeAt) {
        if (name.hits > 0) this.#flushLater();
      } else if (name.hits === 0) this.#names.delete(domain);
      // The next hit, or the next minute, tries again.
      else this.#write(domain, name).catch(() => this.#flushLater());
    }
  }
}
