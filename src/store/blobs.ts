// Bytes of messages for readers, on any thread: ranges of a blob, from descriptors that are kept open.
//
// What is asked for in one turn and lies together is read at once: handing a read of 10 KB to the thread pool costs several
// times what the read does, and messages that came one after the other lie one after the other.
//
// Limits  OPEN_MAX descriptors; a read of TOGETHER_BYTES where several are one, with at most GAP_BYTES of what nobody asked for between two
// Errors  a file that is gone and whose row is, too -> `not-found`: the message was expunged and its segment collected
//         anything else, a file that is gone while its row is there included -> `unavailable`

import { type FileHandle, open as openHandle } from 'node:fs/promises';
import { Failure } from '../base/failure.ts';
import type { SegmentId } from '../base/ids.ts';
import type { Reader } from '../database/operation.ts';
import { type Blob, segmentPath } from './segment.ts';

/** Descriptors a thread keeps. */
const OPEN_MAX = 64;
/** Bytes a read asks for at most; a caller that streams goes on from there. */
export const BLOB_CHUNK_BYTES = 1024 * 1024;

const TOGETHER_BYTES = 256 * 1024;
const GAP_BYTES = 1024;

/** One that waits for its bytes: [from, to) of a segment. */
interface Wanted {
  readonly segment: SegmentId;
  readonly from: number;
  readonly to: number;
  readonly resolve: (bytes: Buffer) => void;
  readonly reject: (error: unknown) => void;
}

interface OpenFile {
  readonly file: Promise<FileHandle>;
  users: number;
  dropped: boolean;
}

export class Blobs {
  readonly #directory: string;
  readonly #reader: Pick<Reader, 'arrays'>;
  /** In the order of last use. */
  readonly #files = new Map<SegmentId, OpenFile>();
  /** Asked for in this turn. */
  #wanted: Wanted[] = [];

  constructor(directory: string, reader: Pick<Reader, 'arrays'>) {
    this.#directory = directory;
    this.#reader = reader;
  }

  /** The bytes [start, start + length) of a blob, cut at its end. All of it is in memory at once: callers that stream ask for BLOB_CHUNK_BYTES. */
  read(blob: Blob, start = 0, length = blob.length - start): Promise<Buffer> {
    const wanted = Math.max(0, Math.min(length, blob.length - start));
    if (wanted === 0) return Promise.resolve(Buffer.alloc(0));
    const from = blob.offset + start;
    return new Promise((resolve, reject) => {
      if (this.#wanted.length === 0) queueMicrotask(() => this.#begin());
      this.#wanted.push({ segment: blob.segment, from, to: from + wanted, resolve, reject });
    });
  }

  #begin(): void {
    const wanted = this.#wanted;
    this.#wanted = [];
    for (const run of runs(wanted)) void this.#readRun(run);
  }

  async #readRun(run: readonly Wanted[]): Promise<void> {
    const { segment, from } = run[0]!;
    const entry = this.#use(segment);
    try {
      const bytes = await readWhole(await entry.file, from, run.at(-1)!.to);
      if (run.length === 1) run[0]!.resolve(bytes);
      else for (const one of run) one.resolve(bytes.subarray(one.from - from, one.to - from));
    } catch (error) {
      // Of several that are read at once, each gets its own outcome.
      if (run.length > 1) for (const one of run) void this.#readRun([one]);
      else run[0]!.reject(this.#failure(segment, error));
    } finally {
      entry.users--;
      if (entry.dropped) this.#closeUnused(entry);
    }
  }

  #failure(segment: SegmentId, error: unknown): Failure {
    if (error instanceof Failure) return error;
    const isGone = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    // The row goes in the transaction before the file does: one that is still there has lost its file.
    const isCollected = isGone && this.#reader.arrays('SELECT 1 FROM segment WHERE id = ?', segment).length === 0;
    const kind = isCollected ? 'not-found' : 'unavailable';
    return new Failure(kind, 'The message cannot be read', { detail: String(error), cause: error });
  }

  #use(segment: SegmentId): OpenFile {
    let entry = this.#files.get(segment);
    if (entry === undefined) entry = this.#open(segment);
    else this.#files.delete(segment);
    this.#files.set(segment, entry);
    entry.users++;
    if (this.#files.size > OPEN_MAX) {
      const oldest = this.#files.keys().next().value;
      if (oldest !== undefined) this.#drop(oldest);
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
    // Who has asked by now has the file open.
    this.#begin();
    this.#drop(segment);
  }

  #drop(segment: SegmentId): void {
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

/** What lies together in one segment, in the order of its bytes. */
function runs(wanted: readonly Wanted[]): Iterable<readonly Wanted[]> {
  if (wanted.length === 1) return [wanted];
  const sorted = wanted.toSorted((a, b) => a.segment - b.segment || a.from - b.from || a.to - b.to);
  const all: Wanted[][] = [];
  for (const one of sorted) {
    const run = all.at(-1);
    const last = run?.at(-1);
    const isTogether =
      last !== undefined &&
      one.segment === last.segment &&
      one.from >= last.to &&
      one.from - last.to <= GAP_BYTES &&
      one.to - run![0]!.from <= TOGETHER_BYTES;
    if (isTogether) run!.push(one);
    else all.push([one]);
  }
  return all;
}

async function readWhole(file: FileHandle, from: number, to: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(to - from);
  for (let done = 0; done < buffer.length; ) {
    const { bytesRead } = await file.read(buffer, done, buffer.length - done, from + done);
    if (bytesRead === 0) throw new Failure('unavailable', 'The message cannot be read', { detail: 'short segment' });
    done += bytesRead;
  }
  return buffer;
}
