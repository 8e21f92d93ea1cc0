// Answers that are remembered, each as long as nothing moves in the zones that it was made from.
//
// In      the key of a query (quick-query.ts), an answer, the zones that it was made from; what has moved since
// Out     the answer, as it was made
// States  of an answer: as made -> moved (a name in one of its zones, above or below it, has moved since), and found no more. What
//         has moved is noted by name, and compared when the answer is looked for: a change costs no walk through all answers
// Limits  REMEMBERED_BYTES; MOVED_MAX names that have moved, then the answers that they touch are dropped and it begins anew
// Read-your-writes  the directory's revision is compared before each look: what a change moves is gone at the next question

import { Generations } from '../../base/generations.ts';
import { parentName, ROOT } from '../../wire/dns/name.ts';
import type { ZoneChanges } from '../../zones/changes.ts';
import { nameOfPath } from '../../zones/path.ts';
import { REMEMBERED_BYTES } from './limits.ts';

/** A response without its id and without a cookie. */
export interface MadeAnswer {
  readonly octets: Uint8Array;
  readonly rcode: number;
  /** Apexes of the zones that it was made from; none: the name lies in no zone of ours, or the question is refused. */
  readonly zones: readonly string[];
}

interface Remembered {
  readonly answer: MadeAnswer;
  /** How many times something had moved before. */
  readonly moves: number;
}

/** Key, the answer's fields, a place in the table. */
const BESIDE_BYTES = 400;
const MOVED_MAX = 2000;

export class AnswerMemory {
  readonly #revision: () => number;
  readonly #moved: () => ZoneChanges | undefined;
  readonly #answers = new Generations<Remembered>(
    REMEMBERED_BYTES,
    ({ answer }) => BESIDE_BYTES + answer.octets.length,
  );
  #ofRevision: number | undefined;
  #moves = 0;
  /** When each name has moved last, counted in moves. */
  readonly #names = new Map<string, number>();
  /** The same of the names above them. */
  readonly #above = new Map<string, number>();

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
    if (moved === undefined || moved.all) this.#answers.clear();
    else this.#note(moved.paths);
  }

  find(key: string): MadeAnswer | undefined {
    const found = this.#answers.find(key);
    return found === undefined || this.#isTouched(found) ? undefined : found.answer;
  }

  add(key: string, answer: MadeAnswer): void {
    this.#answers.add(key, { answer, moves: this.#moves });
  }

  #note(paths: readonly string[]): void {
    this.#moves++;
    for (const path of paths) {
      const name = nameOfPath(path);
      this.#names.set(name, this.#moves);
      for (let at = parentName(name); at !== undefined && at !== ROOT; at = parentName(at))
        this.#above.set(at, this.#moves);
    }
    if (this.#names.size + this.#above.size <= MOVED_MAX) return;
    this.#answers.forgetThose((one) => this.#isTouched(one));
    this.#names.clear();
    this.#above.clear();
  }

  /** By a change in a zone of its own, in one above or below it, or, where it is of none, by any. */
  #isTouched({ answer, moves }: Remembered): boolean {
    if (moves === this.#moves) return false;
    if (answer.zones.length === 0) return true;
    return answer.zones.some((zone) => {
      if (this.#above.get(zone)! > moves) return true;
      for (let at: string | undefined = zone; at !== undefined; at = parentName(at))
        if (this.#names.get(at)! > moves) return true;
      return false;
    });
  }
}
