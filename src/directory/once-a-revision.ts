// What nearly each operation asks of the directory, and what hardly ever changes: read once for each published revision.
//
// In      what says which revision is published, a reader's; a key, and how to read what it stands for
// Out     what was read when that revision was published: it may be newer, and is never older
// Limits  KEPT_MAX keys; then all are forgotten
// Never   remembers what is read in a snapshot, which may be of an older revision; nor for a reader of which nobody says what is published

import type { Reader } from '../database/operation.ts';

const KEPT_MAX = 64;

const publishedFor = new WeakMap<Reader, () => number>();

/** From now on what was read by this reader may hold as long as no other revision is published. */
export function followPublished(reader: Reader, published: () => number): void {
  publishedFor.set(reader, published);
}

/** Undefined where nobody says it. */
export function publishedRevision(reader: Reader): number | undefined {
  return publishedFor.get(reader)?.();
}

interface Kept<T> {
  at: number;
  readonly values: Map<string, T>;
}

export class OnceARevision<T> {
  readonly #kept = new WeakMap<Reader, Kept<T>>();

  get(reader: Reader, key: string, read: () => T): T {
    const now = publishedRevision(reader);
    if (now === undefined || reader.openSnapshot !== undefined) return read();
    let kept = this.#kept.get(reader);
    if (kept === undefined) this.#kept.set(reader, (kept = { at: now, values: new Map() }));
    if (kept.at !== now || kept.values.size >= KEPT_MAX) {
      kept.values.clear();
      kept.at = now;
    }
    const known = kept.values.get(key);
    if (known !== undefined) return known;
    const value = read();
    kept.values.set(key, value);
    return value;
  }
}
