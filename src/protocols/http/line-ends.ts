// Lines of a message that a program has sent as it had them: each ends in CRLF, as every message here.
//
// In      bytes, in pieces that may be cut anywhere
// Out     the same bytes, a lone LF as CRLF
// Errors  Failure('syntax') for NUL, and for a CR that no LF follows: no message has them. RFC 5321 §4.1.1.4, RFC 5322 §2.3

import { Failure } from '../../base/failure.ts';

const LF = 0x0a;
const CR = 0x0d;
const EMPTY = Buffer.alloc(0);
const CRLF = Buffer.from('\r\n');

export class LineEnds {
  /** The piece before ended in CR: it comes with the LF. */
  #isHalf = false;

  push(chunk: Buffer): Buffer {
    if (chunk.length === 0) return chunk;
    if (chunk.includes(0)) throw notALine('NUL');
    const pieces: Buffer[] = [];
    let from = 0;
    let at = 0;
    if (this.#isHalf) {
      if (chunk[0] !== LF) throw notALine('CR');
      this.#isHalf = false;
      pieces.push(CRLF);
      from = 1;
      at = 1;
    }
    for (;;) {
      const lf = chunk.indexOf(LF, at);
      this.#checkReturns(chunk, at, lf < 0 ? chunk.length : lf);
      if (lf < 0) break;
      if (lf === at || chunk[lf - 1] !== CR) {
        pieces.push(chunk.subarray(from, lf), CRLF);
        from = lf + 1;
      }
      at = lf + 1;
    }
    pieces.push(chunk.subarray(from, this.#isHalf ? chunk.length - 1 : chunk.length));
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  }

  /** Nothing follows. */
  end(): Buffer {
    if (this.#isHalf) throw notALine('CR');
    return EMPTY;
  }

  /** `bytes[start, end)` is a line without its LF, or the last piece of one. */
  #checkReturns(bytes: Buffer, start: number, end: number): void {
    const cr = bytes.indexOf(CR, start);
    if (cr < 0 || cr >= end) return;
    if (cr < end - 1) throw notALine('CR');
    if (end === bytes.length) this.#isHalf = true;
  }
}

function notALine(what: string): Failure {
  return new Failure('syntax', `the message has a bare ${what}`);
}
