// A message as RETR and TOP send it: dots doubled at the start of lines, a CRLF at its end.
//
// In      the message's bytes in chunks of any size
// Out     bytes for the wire, a chunk a chunk; what has to stand behind them
// Limits  a chunk becomes at most half as long again: a line that begins with a dot has a line feed, too
// Never   changes anything else: a bare CR or LF goes out as it was stored. A dot behind a bare LF is doubled all the same,
//         because clients that break lines there would take it for the end
// RFC 1939 §3 §7
//
// A chunk without a dot behind an LF goes out as it is, found by one search; in others a byte costs a nanosecond, whatever
// stands in them.

import { MULTI_LINE_END } from './responses.ts';

const CR = 0x0d;
const LF = 0x0a;
const DOT = 0x2e;
const LF_DOT = Buffer.from('\n.');

export class MessageEncoder {
  /** The last two bytes given; a message begins at a line's start. */
  #last = LF;
  #beforeLast = CR;

  push(chunk: Buffer): Buffer {
    if (chunk.length === 0) return chunk;
    const isLineStart = this.#last === LF;
    this.#beforeLast = chunk.length > 1 ? chunk[chunk.length - 2]! : this.#last;
    this.#last = chunk[chunk.length - 1]!;
    if (!(isLineStart && chunk[0] === DOT) && !chunk.includes(LF_DOT)) return chunk;
    return stuffDots(chunk, isLineStart);
  }

  /** Completes the last line where the message does not, and ends the response. */
  end(): string {
    return this.#last === LF && this.#beforeLast === CR ? MULTI_LINE_END : `\r\n${MULTI_LINE_END}`;
  }
}

function stuffDots(chunk: Buffer, isLineStart: boolean): Buffer {
  const stuffed = Buffer.allocUnsafe(chunk.length + (chunk.length >> 1) + 1);
  let length = 0;
  let last = isLineStart ? LF : 0;
  for (let at = 0; at < chunk.length; at++) {
    const byte = chunk[at]!;
    if (byte === DOT && last === LF) stuffed[length++] = DOT;
    stuffed[length++] = byte;
    last = byte;
  }
  return stuffed.subarray(0, length);
}

/** The header, the blank line and so many lines of the body; the rest is cut off. */
export class TopCutter {
  #linesLeft: number;
  #inBody = false;
  /** Since the last line feed nothing has come but perhaps a CR. */
  #isBlank = true;

  constructor(bodyLines: number) {
    this.#linesLeft = bodyLines;
  }

  /** All that is wanted has been given. */
  get done(): boolean {
    return this.#inBody && this.#linesLeft === 0;
  }

  push(chunk: Buffer): Buffer {
    let at = 0;
    while (at < chunk.length && !this.done) {
      if (chunk[at] === LF) {
        if (this.#inBody) this.#linesLeft--;
        else this.#inBody = this.#isBlank;
        this.#isBlank = true;
      } else if (chunk[at] !== CR) this.#isBlank = false;
      at++;
    }
    return chunk.subarray(0, at);
  }
}
