// Bytes of messages for readers, on any thread: ranges of a blob, from descriptors that are kept open.
//
// Errors  a file that is gone -> `not-found`: the message was expunged and its segment collected; read the row once more
//         anything else -> `unavailable`

import { type FileHandle, open as openHandle } from 'node:fs/promises';
import { Failure } from '../base/failure.ts';
import type { SegmentId } from '../base/ids.ts';
import { type Blob, segmentPath } from './segment.ts';

/** Descriptors a thread keeps. */
const OPEN_MAX = 64;
/** Bytes a read asks for at most; a caller that streams goes on from there. */
export const BLOB_CHUNK_BYTES = 1024 * 1024;

interface OpenFile {
  readonly file: Promise<FileHandle>;
  users: number;
  dropped: boolean;
}

export class Blobs {
  readonly #directory: string;
  /** In the order of last use. */
  readonly #files = new Map<SegmentId, OpenFile>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The bytes [start, start + length) of a blob, cut at its end. All of it is in memory at once: callers that stream ask for BLOB_CHUNK_BYTES. */
  async read(blob: Blob, start = 0, length = blob.length - start): Promise<Buffer> {
    const wanted = Math.max(0, Math.min(length, blob.length - start));
    if (wanted === 0) return Buffer.alloc(0);
    const entry = this.#use(blob.segment);
    try {
      const file = await entry.file;
      const buffer = Buffer.allocUnsafe(wanted);
      let done = 0;
      while (done < wanted) {
        const { bytesRead } = await file.read(buffer, done, wanted - done, blob.offset + start + done);
        if (bytesRead === 0)
          throw new Failure('unavailable', 'The message cannot be read', { detail: 'short segment' });
        done += bytesRead;
      }
      return buffer;
    } catch (error) {
      if (error instanceof Failure) throw error;
      const gone = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      throw new Failure(gone ? 'not-found' : 'unavailable', 'The message cannot be read', {
        detail: String(error),
        cause: error,
      });
    } finally {
      entry.users--;
      if (entry.dropped) this.#closeUnused(entry);
    }
  }

  #use(segment: SegmentId): OpenFile {
    let entry = this.#files.get(segment);
    if (entry === undefined) entry = this.#open(segment);
    else this.#files.delete(segment);
    this.#files.set(segment, entry);
    entry.users++;
    if (this.#files.size > OPEN_MAX) {
      const oldest = this.#files.keys().next().value;
      if (oldest !== undefined) this.forget(oldest);
    }
    return entry;
  }

  #open(segment: SegmentId): OpenFile {
    const entry = { file: openHandle(segmentPath(this.#directory, segment), 'r'), users: 0, dropped: false };
    // A failed open is the reader's error, not an unhandled one. Another may stand in its place by then.
    entry.file.catch(() => {
      if (this.#files.get(segment) === entry) this.#files.delete(segment);
    });
    return entry;
  }

  /** The segment is being collected: its descriptor is closed, so that its space comes back. */
  forget(segment: SegmentId): void {
    const entry = this.#files.get(segment);
    if (entry === undefined) return;
    this.#files.delete(segment);
    entry.dropped = true;
    this.#closeUnused(entry);
  }

  #closeUnused(entry: OpenFile): void {
    if (entry.users === 0)
      entry.file.then(
        (file) => file.close(),
        () => {},
      );
  }

  close(): void {
    for (const segment of [...this.#files.keys()]) this.forget(segment);
  }
}
