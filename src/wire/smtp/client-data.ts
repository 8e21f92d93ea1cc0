// A message as DATA sends it: dots doubled at the start of a line, a CRLF at its end, then the final dot.
//
// In      the message's bytes in chunks of any size
// Out     bytes for the wire; undefined as soon as the message has a bare CR, a bare LF or a NUL
// Never   puts a bare CR or LF on the wire: another host might see an end of data in it (SMTP smuggling). It does not
//         repair either: a message is sent as it was signed, or not at all
// RFC 5321 §2.3.8 §4.1.1.4 §4.5.2

import { stuffDots } from './data.ts';

const CR = 0x0d;
const LF = 0x0a;

export class DataEncoder {
  /** The last byte given; the data begins at a line's start. */
  #last = LF;
  #isBad = false;

  /** Undefined from the first chunk on that must not be sent: then the connection is to be closed without a final dot. */
  push(chunk: Buffer): readonly Buffer[] | undefined {
    if (chunk.length === 0) return this.#isBad ? undefined : [];
    this.#isBad ||= !this.#isClean(chunk);
    if (this.#isBad) return undefined;
    const atLineStart = this.#last === LF;
    this.#last = chunk[chunk.length - 1]!;
    return stuffDots(chunk, atLineStart);
  }

  /** What ends the data. Undefined for a message that must not be sent: it ends in a CR. */
  end(): Buffer | undefined {
    if (this.#isBad || this.#last === CR) return undefined;
    return Buffer.from(this.#last === LF ? '.\r\n' : '\r\n.\r\n');
  }

  /** Every CR has its LF, across chunks too, and every LF its CR. */
  #isClean(chunk: Buffer): boolean {
    if (chunk.includes(0)) return false;
    if (this.#last === CR && chunk[0] !== LF) return false;
    for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, at + 1)) {
      if ((at > 0 ? chunk[at - 1] : this.#last) !== CR) return false;
    }
    for (let at = chunk.indexOf(CR); at >= 0; at = chunk.indexOf(CR, at + 1)) {
      if (at + 1 < chunk.length && chunk[at + 1] !== LF) return false;
    }
    return true;
  }
}
