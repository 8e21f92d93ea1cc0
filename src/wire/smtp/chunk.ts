// The octets behind BDAT: counted, so nothing in them is an end.
//
// In      how many octets are to come, and whether the message ends with them; chunks of any size
// Out     the message's bytes in runs; what stands behind the octets
// Never   passes a bare CR, a bare LF or a NUL: such data is `bad` for good, because the message goes on by DATA, where another
//         host might see an end in it. A CR may be one chunk's last octet, and its LF the next one's first
// RFC 3030 §2, RFC 5321 §2.3.8

import type { BadData, DataProgress } from './data.ts';

const CR = 0x0d;
const LF = 0x0a;

export class ChunkReader {
  #left = 0;
  #isLast = false;
  /** The last octet of the message so far. */
  #before = LF;
  #bad: BadData | undefined;

  get bad(): BadData | undefined {
    return this.#bad;
  }

  /** No octet is to come. */
  get isFilled(): boolean {
    return this.#left === 0;
  }

  expect(octets: number, isLast: boolean): void {
    this.#left = octets;
    this.#isLast = isLast;
  }

  push(chunk: Buffer): DataProgress {
    const run = chunk.subarray(0, this.#left);
    this.#left -= run.length;
    if (run.length > 0) {
      this.#bad ??= badIn(run, this.#before);
      this.#before = run[run.length - 1]!;
    }
    const isEnd = this.#left === 0 && this.#isLast;
    if (isEnd && this.#before === CR) this.#bad ??= 'bare-cr';
    return {
      runs: run.length > 0 ? [run] : [],
      rest: this.#left === 0 ? chunk.subarray(run.length) : undefined,
      isEnd,
    };
  }
}

/** A CR at the end of the run has its LF perhaps in the next one. */
function badIn(run: Buffer, before: number): BadData | undefined {
  if (before === CR && run[0] !== LF) return 'bare-cr';
  if (run.includes(0)) return 'nul';
  for (let at = run.indexOf(LF); at >= 0; at = run.indexOf(LF, at + 1))
    if ((at > 0 ? run[at - 1] : before) !== CR) return 'bare-lf';
  for (let at = run.indexOf(CR); at >= 0; at = run.indexOf(CR, at + 1))
    if (at + 1 < run.length && run[at + 1] !== LF) return 'bare-cr';
  return undefined;
}
