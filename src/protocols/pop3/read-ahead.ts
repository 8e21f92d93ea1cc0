// What a client that takes one message after the other will ask for next: read while it is busy with the last one.
//
// In      the messages that are asked for
// Out     the first piece of each
// Limits  AHEAD_MESSAGES and AHEAD_BYTES a session; nothing for a client that picks single messages
// Never   says that a message is still there: the caller has looked

import type { Reader } from '../../database/operation.ts';
import type { Blobs } from '../../store/blobs.ts';
import { bytesBetween } from '../../store/messages.ts';
import type { Blob } from '../../store/segment.ts';
import type { DropMessage, Maildrop } from './maildrop.ts';

/** A message is read and sent in pieces of this size. */
export const PIECE_BYTES = 64 * 1024;

const AHEAD_MESSAGES = 16;
const AHEAD_BYTES = 256 * 1024;
/** More is read when so few are left, so that the client waits for none of them. */
const FEW_MESSAGES = 8;

interface Ahead {
  readonly bytes: Promise<Buffer>;
  readonly length: number;
}

export class ReadAhead {
  readonly #reader: Reader;
  readonly #blobs: Blobs;
  readonly #maildrop: Maildrop;
  /** Whole messages by number, in their order. A message's bytes never change. */
  readonly #ahead = new Map<number, Ahead>();
  #aheadBytes = 0;
  /** The next that would be read. */
  #next = 0;
  #previous = 0;

  constructor(reader: Reader, blobs: Blobs, maildrop: Maildrop) {
    this.#reader = reader;
    this.#blobs = blobs;
    this.#maildrop = maildrop;
  }

  /** Throws as Blobs.read does. */
  first({ number }: DropMessage, blob: Blob): Promise<Buffer> {
    const isNext = number === this.#previous + 1;
    this.#previous = number;
    const ahead = this.#take(number);
    if (ahead === undefined) {
      this.#ahead.clear();
      this.#aheadBytes = 0;
      this.#next = number + 1;
    }
    const piece = ahead?.bytes ?? this.#blobs.read(blob, 0, Math.min(PIECE_BYTES, blob.length));
    if (isNext && this.#ahead.size < FEW_MESSAGES) this.#readOn();
    return piece;
  }

  #take(number: number): Ahead | undefined {
    const ahead = this.#ahead.get(number);
    if (ahead === undefined) return undefined;
    this.#ahead.delete(number);
    this.#aheadBytes -= ahead.length;
    return ahead;
  }

  #readOn(): void {
    const next = Array.from({ length: AHEAD_MESSAGES - this.#ahead.size }, (_, i) =>
      this.#maildrop.find(this.#next + i),
    ).filter((message) => message !== undefined);
    const [first, last] = [next[0], next.at(-1)];
    if (first === undefined || last === undefined) return;
    const rows = bytesBetween(this.#reader, this.#maildrop.access, [first.uid, last.uid], AHEAD_MESSAGES);
    const blobs = new Map(rows.map(({ uid, blob }) => [uid, blob]));
    for (const { number, uid } of next) {
      const blob = blobs.get(uid);
      if (blob !== undefined && this.#aheadBytes + blob.length > AHEAD_BYTES) return;
      this.#next = number + 1;
      if (blob === undefined) continue;
      const bytes = this.#blobs.read(blob);
      // The error is thrown when the bytes are taken. They may never be taken: then it must not be an unhandled rejection.
      bytes.catch(() => {});
      this.#ahead.set(number, { bytes, length: blob.length });
      this.#aheadBytes += blob.length;
    }
  }
}
