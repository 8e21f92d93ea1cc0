// Cuts a TCP stream into DNS messages by the length before each.
//
// In      chunks of any size
// Out     messages; of one that is larger than the caller takes only the header, which is enough to refuse it
// Never   keeps more than one message and the chunks that hold it
// RFC 1035 §4.2.2

import { Framer } from '../framer.ts';

export interface DnsFrame {
  readonly octets: Buffer;
  /** False: these are the first octets of a message that is too large; the connection cannot be read further. */
  readonly isWhole: boolean;
}

const LENGTH_BYTES = 2;
const HEADER_BYTES = 12;

export class DnsFramer {
  readonly #bytes = new Framer();
  /** Of the message that has begun. */
  #length: number | undefined;

  push(chunk: Buffer): void {
    this.#bytes.push(chunk);
  }

  /** The next message, undefined when it has not all come. */
  next(maxBytes: number): DnsFrame | undefined {
    this.#length ??= this.#bytes.block(LENGTH_BYTES)?.readUInt16BE(0);
    if (this.#length === undefined) return undefined;
    const isWhole = this.#length <= maxBytes;
    const octets = this.#bytes.block(isWhole ? this.#length : HEADER_BYTES);
    if (octets === undefined) return undefined;
    this.#length = undefined;
    return { octets, isWhole };
  }
}
