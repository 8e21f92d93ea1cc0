// What a client that takes one message after the other will ask for next: read while it is busy with the last one.
//
// In      the messages that are asked for
// Out     where the bytes of each lie, if it is still there, and its first piece
// Limits  AHEAD_MESSAGES and AHEAD_BYTES a session; nothing for a client that picks single messages

import type { Uid } from '../../base/ids.ts';
import type { Reader } from '../../database/operation.ts';
import type { Blobs } from '../../store/blobs.ts';
import { bytesBetween, isStored, type StoredBytes } from '../../store/messages.ts';
import type { DropMessage, Maildrop } from './maildrop.ts';

/** A message is read and sent in pieces of this size. */
export const PIECE_BYTES = 64 * 1024;

const AHEAD_MESSAGES = 16;
const AHEAD_BYTES = 256 * 1024;
/** More is read when so few are left, so that the client waits for none of them. */
const FEW_MESSAGES = 8;

export interface Begun {
  readonly row: StoredBytes;
  /** Rejects as Blobs.read does. */
  readonly first: Promise<Buffer>;
}

export class ReadAhead {
  readonly #reader: Reader;
  readonly #blobs: Blobs;
  readonly #maildrop: Maildrop;
  /** Whole messages by number, in their order. A message's bytes never change. */
  readonly #ahead = new Map<number, Begun>();
  #aheadBytes = 0;
  /** The next that would be read. */
  #next = 0;
  #previous = 0;

  constructor(reader: Reader, blobs: Blobs, maildrop: Maildrop) {
    this.#reader = reader;
    this.#blobs = blobs;
    this.#maildrop = maildrop;
  }

  /** Undefined where the message has been expunged meanwhile. */
  begin(message: DropMessage): Begun | undefined {
    const { number, uid } = message;
    const isNext = number === this.#previous + 1;
    this.#previous = number;
    const ahead = this.#take(number);
    if (ahead === undefined) {
      this.#ahead.clear();
      this.#aheadBytes = 0;
      this.#next = number + 1;
    }
    const begun = ahead === undefined ? this.#begin(message) : this.#isThere(uid) ? ahead : undefined;
    if (isNext && this.#ahead.size < FEW_MESSAGES) this.#readOn();
    return begun;
  }

  #isThere(uid: Uid): boolean {
    return isStored(this.#reader, this.#maildrop.access, uid);
  }

  #begin({ uid }: DropMessage): Begun | undefined {
    const row = bytesBetween(this.#reader, this.#maildrop.access, [uid, uid], 1)[0];
    if (row === undefined) return undefined;
    return { row, first: this.#blobs.read(row.blob, 0, Math.min(PIECE_BYTES, row.blob.length)) };
  }

  #take(number: number): Begun | undefined {
    const ahead = this.#ahead.get(number);
    if (ahead === undefined) return undefined;
    this.#ahead.delete(number);
    this.#aheadBytes -= ahead.row.blob.length;
    return ahead;
  }

  #readOn(): void {
    const next = Array.from({ length: AHEAD_MESSAGES - this.#ahead.size }, (_, i) =>
      this.#maildrop.find(this.#next + i),
    ).filter((message) => message !== undefined);
    const [first, last] = [next[0], next.at(-1)];
    if (first === undefined || last === undefined) return;
    const rows = bytesBetween(this.#reader, this.#maildrop.access, [first.uid, last.uid], AHEAD_MESSAGES);
    const byUid = new Map(rows.map((row) => [row.uid, row]));
    for (const { number, uid } of next) {
      const row = byUid.get(uid);
      if (row !== undefined && this.#aheadBytes + row.blob.length > AHEAD_BYTES) return;
      this.#next = number + 1;
      if (row === undefined) continue;
      const first = this.#blobs.read(row.blob);
      // The error is thrown when the bytes are taken. They may never be taken: then it must not be an unhandled rejection.
      first.catch(() => {});
      this.#ahead.set(number, { row, first });
      this.#aheadBytes += row.blob.length;
    }
  }
}
