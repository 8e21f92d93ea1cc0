// Cuts a stream of octets into LDAP messages, without a look at their contents.
//
// In      chunks as the socket gives them
// Out     whole messages, header included
// Limits  the length is judged from the header, before the contents have come; what is kept is what has come, at most twice
// Never   joins chunks one by one: a message that comes octet by octet costs two copies of each octet
// RFC 4511 §4.1.1 §5.1

import { SyntaxFailure } from '../../base/cursor.ts';
import { SEQUENCE } from './ber.ts';

/** Stands in while nothing is pending, so that no chunk is kept. */
const EMPTY = Buffer.alloc(0);
const FIRST_BYTES = 512;

export class LdapFramer {
  /** Bytes of one message with its header. May be changed between messages. */
  limit: number;
  #bytes: Buffer = EMPTY;
  #at = 0;
  #end = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Octets that have come and were not given out. */
  get pending(): number {
    return this.#end - this.#at;
  }

  push(chunk: Buffer): void {
    if (this.#at === this.#end) {
      this.#bytes = chunk;
      this.#at = 0;
      this.#end = chunk.length;
      return;
    }
    if (this.#end + chunk.length > this.#bytes.length) this.#grow(chunk.length);
    chunk.copy(this.#bytes, this.#end);
    this.#end += chunk.length;
  }

  /** The next whole message, undefined until more octets come. The octets are not a copy, and are never written to again. */
  next(): Buffer | undefined {
    if (this.#at === this.#end) return undefined;
    if (this.#bytes[this.#at] !== SEQUENCE) throw new SyntaxFailure('an LDAP message', 0);
    if (this.#end - this.#at < 2) return undefined;
    const first = this.#bytes[this.#at + 1]!;
    let header = 2;
    let length = first;
    if (first >= 0x80) {
      const octets = first & 0x7f;
      if (octets === 0 || octets > 4) throw new SyntaxFailure('a definite length of at most 4 octets', 1);
      header += octets;
      if (this.#end - this.#at < header) return undefined;
      length = this.#bytes.readUIntBE(this.#at + 2, octets);
    }
    if (header + length > this.limit) throw new SyntaxFailure(`a message of at most ${this.limit} octets`, 1);
    if (this.#end - this.#at < header + length) return undefined;
    const message = this.#bytes.subarray(this.#at, this.#at + header + length);
    this.#at += message.length;
    if (this.#at === this.#end) this.#bytes = EMPTY;
    return message;
  }

  /** Always into new memory: messages given out before may still be read. */
  #grow(count: number): void {
    const kept = this.#end - this.#at;
    const larger = Buffer.allocUnsafe(Math.max(FIRST_BYTES, 2 * (kept + count)));
    this.#bytes.copy(larger, 0, this.#at, this.#end);
    this.#bytes = larger;
    this.#at = 0;
    this.#end = kept;
  }
}
