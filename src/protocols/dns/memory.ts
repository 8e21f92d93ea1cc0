// Answers that are remembered, each as long as nothing moves in the zones that it was made from.
//
// In      the key of a query (quick-query.ts), an answer, the zones that it was made from; what has moved since
// Out     the answer, as it was made
// Limits  REMEMBERED_MAX answers in two halves: where the younger is full it becomes the older, whose answers go unless they
//         are asked for again. So a flood of names that are asked once does not empty the memory
// Read-your-writes  the directory's revision is compared before each look: what a change moves is gone at the next question

import { isSubdomain } from '../../wire/dns/name.ts';
import type { ZoneChanges } from '../../zones/changes.ts';
import { nameOfPath } from '../../zones/path.ts';
import { REMEMBERED_MAX } from './limits.ts';

/** A response without its id and without a cookie. */
export interface MadeAnswer {
  readonly octets: Uint8Array;
  readonly rcode: number;
  /** Apexes of the zones that it was made from; none: the name lies in no zone of ours, or the question is refused. */
  readonly zones: readonly string[];
}

export class AnswerMemory {
  readonly #revision: () => number;
  readonly #moved: () => ZoneChanges | undefined;
  #young = new Map<string, MadeAnswer>();
  #old = new Map<string, MadeAnswer>();
  #ofRevision: number | undefined;

  /** `moved`: what has moved in the zones since it was last called; undefined: too much, or it is not known. */
  constructor(revision: () => number, moved: () => ZoneChanges | undefined) {
    this.#revision = revision;
    this.#moved = moved;
  }

  /** To be called before an answer is looked for or made: what is added then was read after it. */
  follow(): void {
    const revision = this.#revision();
    if (revision === this.#ofRevision) return;
    const isFirst = this.#ofRevision === undefined;
    this.#ofRevision = revision;
    const moved = this.#moved();
    if (isFirst || (moved !== undefined && !moved.all && moved.paths.length === 0)) return;
    if (moved === undefined || moved.all) {
      this.#young.clear();
      this.#old.clear();
      return;
    }
    const names = moved.paths.map(nameOfPath);
    forget(this.#young, names);
    forget(this.#old, names);
  }

  find(key: string): MadeAnswer | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.add(key, old);
    return old;
  }

  add(key: string, answer: MadeAnswer): void {
    if (this.#young.size >= REMEMBERED_MAX / 2) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, answer);
  }
}

/** An answer goes with a change in a zone of its own, in one above or below it, or, where it is of none, with any. */
function forget(answers: Map<string, MadeAnswer>, names: readonly string[]): void {
  const touched = new Map<string, boolean>();
  const isTouched = (zone: string): boolean => {
    let known = touched.get(zone);
    if (known === undefined) {
      known = names.some((name) => isSubdomain(name, zone) || isSubdomain(zone, name));
      touched.set(zone, known);
    }
    return known;
  };
  for (const [key, { zones }] of answers) if (zones.length === 0 || zones.some(isTouched)) answers.delete(key);
}
