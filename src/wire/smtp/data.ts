// The bytes between 354 and the final dot: unstuffed, bounded, and never mistaken for anything else.
//
// In      chunks of any size
// Out     the message's bytes in runs, without the stuffed dots; then `end` with the bytes after the final CRLF.CRLF
// Limits  the caller counts bytes; a run refers to the chunk that held it, but RUNS_MAX of them become one
// Never   ends at anything but CRLF.CRLF; passes a bare CR, a bare LF or a NUL: such data is `bad` for good, and is
//         still read to its end, where the door refuses it and closes: SMTP smuggling, RFC 5321 §2.3.8 §4.1.1.4 §4.5.2
//
// One search for LF a line with a look at both neighbours, in a text: a search in bytes is a call out of the language, three times as dear.

const CR = 0x0d;
const LF = 0x0a;
const DOT = 0x2e;
/** Whoever takes runs has work for each: a message may be of lines that begin with a dot. */
const RUNS_MAX = 16;

/** Why the data cannot be a message. */
export type BadData = 'bare-cr' | 'bare-lf' | 'nul';

export interface DataProgress {
  /** Bytes of the message, in order. */
  readonly runs: readonly Buffer[];
  /** The bytes after the final dot, once it has been received. */
  readonly rest: Buffer | undefined;
  readonly isEnd: boolean;
}

/** A chunk, the same as text, and what has been given out of it. */
interface Reading {
  readonly chunk: Buffer;
  readonly text: string;
  readonly runs: Buffer[];
}

export class DataReader {
  #bad: BadData | undefined;
  /** The last two bytes seen, as they were sent: a final dot may be cut anywhere. The data begins at a line's start. */
  #last = LF;
  #beforeLast = CR;
  /** At a line's start a dot was seen and held back: it is stuffing, or the end. */
  #dot = false;
  /** After that dot, a CR. */
  #dotCr = false;

  get bad(): BadData | undefined {
    return this.#bad;
  }

  push(chunk: Buffer): DataProgress {
    const progress = this.#read(chunk);
    return progress.runs.length > RUNS_MAX ? { ...progress, runs: [Buffer.concat(progress.runs)] } : progress;
  }

  #read(chunk: Buffer): DataProgress {
    const runs: Buffer[] = [];
    const text = chunk.toString('latin1');
    let at = 0; // first byte not yet given out
    let from = 0; // where the search goes on
    if (this.#dot) {
      const resumed = this.#resume(chunk, runs);
      if (resumed.rest !== undefined) return { runs, rest: resumed.rest, isEnd: true };
      if (this.#dot) return { runs, rest: undefined, isEnd: false };
      at = resumed.at;
      from = at;
    } else if (this.#atLineStart() && chunk.length > 0 && chunk[0] === DOT) {
      const line = this.#dotLine({ chunk, text, runs }, 0, 0);
      if (line.rest !== undefined) return { runs, rest: line.rest, isEnd: true };
      if (this.#dot) return { runs, rest: undefined, isEnd: false };
      at = line.at;
      from = at;
    }
    for (;;) {
      const lf = text.indexOf('\n', from);
      if (lf < 0) break;
      const before = lf > 0 ? text.charCodeAt(lf - 1) : this.#last;
      if (before !== CR) {
        this.#bad ??= 'bare-lf';
        from = lf + 1;
        continue;
      }
      from = lf + 1;
      if (text.charCodeAt(from) === DOT) {
        const line = this.#dotLine({ chunk, text, runs }, from, at);
        if (line.rest !== undefined) return { runs, rest: line.rest, isEnd: true };
        if (this.#dot) return { runs, rest: undefined, isEnd: false };
        at = line.at;
        from = at;
      }
    }
    this.#give({ chunk, text, runs }, at, chunk.length);
    this.#remember(chunk, chunk.length);
    return { runs, rest: undefined, isEnd: false };
  }

  #atLineStart(): boolean {
    return this.#last === LF && this.#beforeLast === CR;
  }

  /** A dot stands at a line's start at `dot`; bytes from `at` on have not been given out. */
  #dotLine(reading: Reading, dot: number, at: number): { at: number; rest?: Buffer } {
    const { chunk } = reading;
    this.#give(reading, at, dot);
    if (dot + 1 >= chunk.length) {
      this.#remember(chunk, dot);
      this.#dot = true;
      return { at: chunk.length };
    }
    if (chunk[dot + 1] !== CR) {
      this.#setLast(DOT, LF);
      return { at: dot + 1 };
    }
    if (dot + 2 >= chunk.length) {
      this.#remember(chunk, dot);
      this.#dot = true;
      this.#dotCr = true;
      return { at: chunk.length };
    }
    if (chunk[dot + 2] === LF) return { at: chunk.length, rest: chunk.subarray(dot + 3) };
    this.#setLast(DOT, LF);
    return { at: dot + 1 };
  }

  /** The chunk before ended behind a dot at a line's start, or behind that dot and a CR. */
  #resume(chunk: Buffer, runs: Buffer[]): { at: number; rest?: Buffer } {
    if (chunk.length === 0) return { at: 0 };
    if (!this.#dotCr) {
      if (chunk[0] !== CR) {
        this.#dot = false;
        this.#setLast(DOT, LF);
        return { at: 0 };
      }
      if (chunk.length === 1) {
        this.#dotCr = true;
        return { at: 1 };
      }
      this.#dot = false;
      if (chunk[1] === LF) return { at: 2, rest: chunk.subarray(2) };
      this.#setLast(DOT, LF);
      return { at: 0 };
    }
    this.#dot = false;
    this.#dotCr = false;
    if (chunk[0] === LF) return { at: 1, rest: chunk.subarray(1) };
    // A stuffed dot, then a CR that nothing follows up.
    this.#bad ??= 'bare-cr';
    runs.push(Buffer.from('\r'));
    this.#setLast(CR, DOT);
    return { at: 0 };
  }

  #setLast(last: number, beforeLast: number): void {
    this.#last = last;
    this.#beforeLast = beforeLast;
  }

  #remember(chunk: Buffer, end: number): void {
    if (end >= 2) this.#setLast(chunk[end - 1]!, chunk[end - 2]!);
    else if (end === 1) this.#setLast(chunk[0]!, this.#last);
  }

  /** Gives out a run. Every CR in it must have its LF, in this run or as the next byte; `#last` is the byte before it. */
  #give({ chunk, text, runs }: Reading, start: number, end: number): void {
    if (end <= start) return;
    const run = chunk.subarray(start, end);
    if (this.#bad === undefined) {
      const first = run[0];
      if (this.#lastGiven(chunk, start) === CR && first !== LF) this.#bad = 'bare-cr';
      else if (run.includes(0)) this.#bad = 'nul';
      else if (hasBareCr(text, start, end)) this.#bad = 'bare-cr';
    }
    runs.push(run);
  }

  #lastGiven(chunk: Buffer, start: number): number {
    return start > 0 ? chunk[start - 1]! : this.#last;
  }
}

/** At the very end it may have its LF yet. */
function hasBareCr(text: string, start: number, end: number): boolean {
  for (let cr = text.indexOf('\r', start); cr >= 0 && cr + 1 < end; cr = text.indexOf('\r', cr + 1))
    if (text.charCodeAt(cr + 1) !== LF) return true;
  return false;
}

/** Puts a dot before every line that begins with one; whole messages, for sending. Only CRLF ends a line. */
export function stuffDots(bytes: Buffer, atLineStart: boolean): readonly Buffer[] {
  const out: Buffer[] = [];
  let at = 0;
  if (atLineStart && bytes[0] === DOT) {
    out.push(DOT_BYTE);
  }
  for (let found = bytes.indexOf('\n.', 0, 'latin1'); found >= 0; found = bytes.indexOf('\n.', found + 1, 'latin1')) {
    out.push(bytes.subarray(at, found + 1), DOT_BYTE);
    at = found + 1;
  }
  if (at < bytes.length) out.push(bytes.subarray(at));
  return out;
}

const DOT_BYTE = Buffer.from('.');
