// A message as local programs write it, to lines that end in CRLF.
//
// In      chunks of standard input
// Out     the same lines, each ended by CRLF; nothing behind a line that is a dot, unless dots are text
// Limits  none of its own: no line is held, only whether a line begins and what stood before
// A first line `From ...` is the separator of an mbox, no part of the message. A CR alone stays.

const CR = 0x0d;
const LF = 0x0a;
const DOT = 0x2e;
const CRLF = Buffer.from('\r\n');

export class MessageLines {
  readonly #isDotText: boolean;
  /** Held back: the beginning of a line that may be the dot, a CR whose LF has not come, an mbox's first line. */
  #held: Buffer = Buffer.alloc(0);
  #isFirst = true;
  #atLineStart = true;
  #isOver = false;

  constructor(isDotText: boolean) {
    this.#isDotText = isDotText;
  }

  /** The dot has come: what follows is no part of the message. */
  get isOver(): boolean {
    return this.#isOver;
  }

  push(chunk: Buffer): Buffer[] {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = Buffer.alloc(0);
    const out: Buffer[] = [];
    for (let at = 0; at < bytes.length && !this.#isOver; ) {
      const lf = bytes.indexOf(LF, at);
      if (lf < 0) {
        this.#hold(bytes.subarray(at), out);
        break;
      }
      const end = lf > at && bytes[lf - 1] === CR ? lf - 1 : lf;
      this.#line(bytes.subarray(at, end), out);
      at = lf + 1;
    }
    return out;
  }

  /** What is left; a last line gets its end. */
  end(): Buffer[] {
    const out: Buffer[] = [];
    if (!this.#isOver && (this.#held.length > 0 || !this.#atLineStart)) this.#line(this.#held, out);
    this.#isOver = true;
    return out;
  }

  #line(text: Buffer, out: Buffer[]): void {
    const isWhole = this.#atLineStart;
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    this.#atLineStart = true;
    if (isWhole && !this.#isDotText && text.length === 1 && text[0] === DOT) {
      this.#isOver = true;
      return;
    }
    if (isWhole && isFirst && isSeparator(text)) return;
    if (text.length > 0) out.push(text);
    out.push(CRLF);
  }

  /** Of a long line only what may still mean something is kept. */
  #hold(part: Buffer, out: Buffer[]): void {
    const isShort = this.#atLineStart && part.length < SEPARATOR.length;
    if (isShort || (this.#atLineStart && this.#isFirst && part.length < FIRST_LINE_MAX && isSeparator(part))) {
      this.#held = Buffer.from(part);
      return;
    }
    const end = part.at(-1) === CR ? part.length - 1 : part.length;
    if (end > 0) {
      out.push(part.subarray(0, end));
      this.#atLineStart = false;
      this.#isFirst = false;
    }
    this.#held = Buffer.from(part.subarray(end));
  }
}

const SEPARATOR = Buffer.from('From ');
const FIRST_LINE_MAX = 1024;

function isSeparator(line: Buffer): boolean {
  return line.length >= SEPARATOR.length && line.compare(SEPARATOR, 0, SEPARATOR.length, 0, SEPARATOR.length) === 0;
}
