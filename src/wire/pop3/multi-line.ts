// A message as RETR and TOP send it: every line ends in CRLF, dots at the start of lines are doubled.
//
// In      the message's bytes in chunks of any size
// Out     bytes for the wire, a chunk a chunk; what has to stand behind them
// Limits  a chunk becomes at most twice as long: every line feed, or every dot behind one, brings one octet more
// Never   changes anything else: a bare CR goes out as it was stored
// RFC 1939 §3 §7
//
// Of a message whose lines all end in CRLF, a chunk without a dot behind an LF goes out as it is, found by one search; in
// others a byte costs a nanosecond, whatever stands in them.

import { MULTI_LINE_END } from './responses.ts';

const CR = 0x0d;
const LF = 0x0a;
const DOT = 0x2e;
const LF_DOT = Buffer.from('\n.');

export class MessageEncoder {
  /** The last two bytes given; a message begins at a line's start. */
  #last = LF;
  #beforeLast = CR;
  readonly #lines: 'crlf' | 'any';

  /** `crlf`: no bare line feed is in the message, or so its row says. */
  constructor(lines: 'crlf' | 'any') {
    this.#lines = lines;
  }

  push(chunk: Buffer): Buffer {
    if (chunk.length === 0) return chunk;
    const last = this.#last;
    this.#beforeLast = chunk.length > 1 ? chunk[chunk.length - 2]! : this.#last;
    this.#last = chunk[chunk.length - 1]!;
    if (this.#lines === 'any') return completeLines(chunk, last);
    if (!(last === LF && chunk[0] === DOT) && !chunk.includes(LF_DOT)) return chunk;
    return completeLines(chunk, last);
  }

  /** Completes the last line where the message does not, and ends the response. */
  end(): string {
    return this.#last === LF && (this.#lines === 'any' || this.#beforeLast === CR)
      ? MULTI_LINE_END
      : `\r\n${MULTI_LINE_END}`;
  }
}

/** `before` is the byte in front of the chunk. */
function completeLines(chunk: Buffer, before: number): Buffer {
  const complete = Buffer.allocUnsafe(2 * chunk.length);
  let length = 0;
  let last = before;
  for (let at = 0; at < chunk.length; at++) {
    const byte = chunk[at]!;
    if (byte === DOT && last === LF) complete[length++] = DOT;
    else if (byte === LF && last !== CR) complete[length++] = CR;
    complete[length++] = byte;
    last = byte;
  }
  return complete.subarray(0, length);
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
