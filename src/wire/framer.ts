// Bytes in as they come from a socket, lines and blocks out: the one place where input waits for its end.
//
// In      push(chunk): chunks of any size, also one byte
// Out     line(): a line without its CRLF; block(n): exactly n bytes; chunk(max): what is there, for data that streams
// Limits  the caller gives the limit of a line with each call; a block's size is checked by the caller before it asks
// Never   answers, waits or closes; makes a buffer as large as a peer announces; concatenates in a loop; keeps a chunk for each
//         octet of a peer that sends single ones while its session is busy
// RFC 5321 §2.3.8, RFC 3501 §2.2, RFC 1939 §3: only CRLF ends a line, a CR or LF alone is an error

/**
 * A line that cannot be a command. Reported as soon as it is certain; what is left of it up to the next CRLF is dropped, so
 * the next line begins where the peer began one. `head` is how it begins (64 characters at most,
 * up to the first control character), for the tag and the log.
 */
export interface BadLine {
  readonly kind: 'bad-line';
  readonly reason: 'too-long' | 'bare-lf' | 'bare-cr' | 'nul';
  readonly head: string;
}

/** `text` is latin1: a character is a byte. */
export type Line = { readonly kind: 'line'; readonly text: string } | BadLine;

const CR = 0x0d;
const LF = 0x0a;
const HEAD_CHARACTERS = 64;
const TAIL_CHARACTERS = 33;
const EMPTY = Buffer.alloc(0);
/** Behind so many chunks small ones are gathered: to take the first of many thousand moves all others. */
const CHUNKS_APART = 64;
const SMALL_BYTES = 512;
const ROOM_BYTES = 4096;

/** Input of one connection. A busy session reads no more from its socket, so little waits here. */
export class Framer {
  /** Unread chunks in order; the first of them from `#at`. */
  #chunks: Buffer[] = [];
  #at = 0;
  /** Where small chunks are gathered, the octets that are taken, and the chunk that they are. */
  #room: Buffer = EMPTY;
  #taken = 0;
  #gathered: Buffer | undefined;
  /** The beginning of a line or block whose end has not come. */
  readonly #part = new Gather();
  /** The rest of a bad line is being dropped; `#lastByte` is the byte before the next one then. */
  #dropping = false;
  #lastByte = 0;
  /** How the last bad line ends, as far as that is known. */
  #tail = '';

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    if (this.#chunks.length < CHUNKS_APART || chunk.length > SMALL_BYTES) this.#chunks.push(chunk);
    else this.#gather(chunk);
  }

  /** Octets that were given out are never written to again. */
  #gather(chunk: Buffer): void {
    const last = this.#chunks.length - 1;
    const goesOn = this.#chunks[last] === this.#gathered && this.#taken + chunk.length <= this.#room.length;
    if (!goesOn) {
      this.#room = Buffer.allocUnsafeSlow(ROOM_BYTES);
      this.#taken = 0;
    }
    chunk.copy(this.#room, this.#taken);
    this.#taken += chunk.length;
    this.#gathered = this.#room.subarray(0, this.#taken);
    this.#chunks[goesOn ? last : last + 1] = this.#gathered;
  }

  /** Bytes that were pushed and not given out. */
  get waitingBytes(): number {
    let size = this.#part.length - this.#at;
    for (const chunk of this.#chunks) size += chunk.length;
    return size;
  }

  /** The next line, undefined when its end has not come. `maxBytes` counts the CRLF. */
  line(maxBytes: number): Line | undefined {
    for (;;) {
      if (this.#dropping && !this.#drop()) return undefined;
      const chunk = this.#chunks[0];
      if (chunk === undefined) return undefined;
      const end = chunk.indexOf(LF, this.#at);
      const length = this.#part.length + (end < 0 ? chunk.length : end + 1) - this.#at;
      // A line that has no end yet is at least one byte longer than what is here.
      if (length > maxBytes || (end < 0 && length >= maxBytes)) return this.#bad('too-long');
      if (end >= 0) return this.#lineTo(chunk, end);
      this.#part.add(chunk, this.#at, chunk.length);
      this.#next();
    }
  }

  /** How the bad line reported last ends (the last 32 bytes, without CRLF), undefined when its end has not come. */
  finishBadLine(): string | undefined {
    return this.#dropping && !this.#drop() ? undefined : this.#tail;
  }

  /** Exactly `length` bytes, undefined when they have not all come. The caller has checked that it may be so large. */
  block(length: number): Buffer | undefined {
    const first = this.#chunks[0];
    if (length === 0) return EMPTY;
    if (this.#part.length === 0 && first !== undefined && first.length - this.#at >= length) return this.chunk(length);
    while (this.#part.length < length) {
      const chunk = this.#chunks[0];
      if (chunk === undefined) return undefined;
      const end = Math.min(chunk.length, this.#at + length - this.#part.length);
      this.#part.add(chunk, this.#at, end);
      this.#advanceTo(chunk, end);
    }
    return this.#part.take();
  }

  /** At most `maxBytes` of what is there, without a copy; undefined when nothing is. The beginning of a line is given too. */
  chunk(maxBytes = Number.POSITIVE_INFINITY): Buffer | undefined {
    if (this.#part.length > 0) this.putBack(this.#part.take());
    const chunk = this.#chunks[0];
    if (chunk === undefined) return undefined;
    const end = Math.min(chunk.length, this.#at + maxBytes);
    const bytes = chunk.subarray(this.#at, end);
    this.#advanceTo(chunk, end);
    return bytes;
  }

  /** Bytes of the last chunk that were not the caller's: they are next again. */
  putBack(bytes: Buffer): void {
    if (bytes.length === 0) return;
    const first = this.#chunks[0];
    if (first !== undefined && this.#at > 0) this.#chunks[0] = first.subarray(this.#at);
    this.#at = 0;
    this.#chunks.unshift(bytes);
  }

  /** The line that ends with the LF at `end` of the first chunk. */
  #lineTo(chunk: Buffer, end: number): Line {
    let text: string;
    if (this.#part.length === 0) text = chunk.toString('latin1', this.#at, end);
    else {
      this.#part.add(chunk, this.#at, end);
      text = this.#part.take().toString('latin1');
    }
    this.#advanceTo(chunk, end + 1);
    if (text.charCodeAt(text.length - 1) !== CR) {
      this.#dropping = true;
      this.#lastByte = LF;
      this.#tail = '';
      return bad('bare-lf', text);
    }
    text = text.slice(0, -1);
    this.#tail = text.slice(-TAIL_CHARACTERS);
    if (text.includes('\0')) return bad('nul', text);
    if (text.includes('\r')) return bad('bare-cr', text);
    return { kind: 'line', text };
  }

  #bad(reason: BadLine['reason']): BadLine {
    const chunk = this.#chunks[0]!;
    const part = this.#part.take();
    const head =
      part.toString('latin1', 0, HEAD_CHARACTERS) + chunk.toString('latin1', this.#at, this.#at + HEAD_CHARACTERS);
    this.#dropping = true;
    this.#lastByte = part[part.length - 1] ?? 0;
    this.#tail = part.toString('latin1', Math.max(0, part.length - TAIL_CHARACTERS));
    return bad(reason, head);
  }

  /** Drops up to and with the next CRLF; false when it has not come. */
  #drop(): boolean {
    for (let chunk = this.#chunks[0]; chunk !== undefined; chunk = this.#chunks[0]) {
      const end = chunk.indexOf(LF, this.#at);
      const before = end > this.#at ? chunk[end - 1] : this.#lastByte;
      const stop = end < 0 ? chunk.length : end;
      this.#tail = (this.#tail + chunk.toString('latin1', Math.max(this.#at, stop - TAIL_CHARACTERS), stop)).slice(
        -TAIL_CHARACTERS,
      );
      if (end < 0) {
        this.#lastByte = chunk[stop - 1]!;
        this.#next();
        continue;
      }
      this.#lastByte = LF;
      this.#advanceTo(chunk, end + 1);
      this.#tail = before === CR ? this.#tail.slice(0, -1) : '';
      if (before !== CR) continue;
      this.#dropping = false;
      return true;
    }
    return false;
  }

  #advanceTo(chunk: Buffer, at: number): void {
    if (at >= chunk.length) this.#next();
    else this.#at = at;
  }

  #next(): void {
    this.#chunks.shift();
    this.#at = 0;
  }
}

function bad(reason: BadLine['reason'], text: string): BadLine {
  let end = 0;
  while (end < HEAD_CHARACTERS && end < text.length && text.charCodeAt(end) >= 0x20) end++;
  return { kind: 'bad-line', reason, head: text.slice(0, end) };
}

/** Grows by doubling: linear in what comes, and a peer that sends single bytes costs no object a byte. */
class Gather {
  #bytes: Buffer = EMPTY;
  length = 0;

  add(source: Buffer, start: number, end: number): void {
    const length = this.length + end - start;
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(length, this.#bytes.length * 2, 256));
      this.#bytes.copy(larger, 0, 0, this.length);
      this.#bytes = larger;
    }
    source.copy(this.#bytes, this.length, start, end);
    this.length = length;
  }

  /** What was gathered; a new one begins. */
  take(): Buffer {
    const bytes = this.#bytes.subarray(0, this.length);
    this.#bytes = EMPTY;
    this.length = 0;
    return bytes;
  }
}
