// Bytes of messages for readers, on any thread: ranges of a blob, from descriptors that are kept open. The one place where codecs
// are known: whoever reads gets plain bytes.
//
// What is asked for in one turn and lies together is read at once: handing a read of 10 KB to the thread pool costs several
// times what the read does, and messages that came one after the other lie one after the other.
//
// Moved   upkeep moves bytes (rewrite.ts), and unlinks the old file some seconds after: who finds no file reads the row again, and
//         goes on from there. So a caller may keep a blob for as long as it streams
// Checked what has the checksum of its record or frame: whole messages and all of a small one, compressed ones frame by frame. Pieces of
//         a large plain message are not
// Limits  OPEN_MAX descriptors; a read of TOGETHER_BYTES where several are one, with at most GAP_BYTES of what nobody asked for between two;
//         FRAMES_MAX frames are kept plain for who goes on reading
// Errors  a file that is gone and whose row is, too -> `not-found`: the message was expunged and its segment collected
//         bytes that are not those that were written -> `damaged`
//         anything else, a file that is gone while its row is there included -> `unavailable`

import { type FileHandle, open as openHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { Failure } from '../base/failure.ts';
import { idText, type SegmentId } from '../base/ids.ts';
import type { Reader } from '../database/operation.ts';
import { blobColumns, blobOf, storedBytes } from './blob-row.ts';
import {
  damaged,
  decodeFrame,
  FRAME_BYTES,
  FRAMED,
  type FrameStarts,
  frameTableBytes,
  parseFrameTable,
} from './frames.ts';
import { type Blob, isHeaderOf, PLAIN, RECORD_HEADER_BYTES, recordChecksum, segmentPath } from './segment.ts';

/** Descriptors a thread keeps. */
const OPEN_MAX = 64;
/** Bytes a read asks for at most; a caller that streams goes on from there. */
export const BLOB_CHUNK_BYTES = 1024 * 1024;

const TOGETHER_BYTES = 256 * 1024;
const GAP_BYTES = 1024;
/** Of a message that is not larger all is read and checked, whatever part is asked for. */
const CHECKED_BYTES = 64 * 1024;
/** A caller that streams asks for pieces that begin and end within frames. */
const FRAMES_MAX = 4;
/** So often a message may be moved while one read looks for it. */
const MOVES_MAX = 5;

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
  /** Plain bytes of frames, those read last at the end. */
  readonly #frames = new Map<string, Buffer>();
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
    if (blob.codec !== PLAIN) return this.#read(blob, start, start + wanted);
    // What nearly all reads are: one promise, and nothing between the file and the caller.
    return new Promise((resolve, reject) => {
      const failed = (error: unknown): void => {
        if (isGone(error)) this.#read(blob, start, start + wanted).then(resolve, reject);
        else reject(failureOf(error));
      };
      this.#wantPlain(blob, start, start + wanted, resolve, failed);
    });
  }

  #wantPlain(
    blob: Blob,
    start: number,
    end: number,
    resolve: (bytes: Buffer) => void,
    reject: (error: unknown) => void,
  ): void {
    const { segment, offset, length } = blob;
    if (length > CHECKED_BYTES && end - start < length) {
      this.#push({ segment, from: offset + start, to: offset + end, resolve, reject });
      return;
    }
    const take = (record: Buffer): void => {
      const problem = recordProblem(blob, record);
      if (problem !== undefined) reject(problem);
      else resolve(record.subarray(RECORD_HEADER_BYTES + start, RECORD_HEADER_BYTES + end));
    };
    this.#push({ segment, from: offset - RECORD_HEADER_BYTES, to: offset + length, resolve: take, reject });
  }

  async #read(asked: Blob, start: number, end: number): Promise<Buffer> {
    let blob = asked;
    for (let moves = 0; ; moves++) {
      try {
        return await this.#readThere(blob, start, end);
      } catch (error) {
        if (!isGone(error)) throw failureOf(error);
        const now = this.#placeOf(blob);
        if (now === undefined)
          throw new Failure('not-found', 'The message cannot be read', { detail: String(error), cause: error });
        const isMoved = now.segment !== blob.segment || now.offset !== blob.offset;
        if (!isMoved || moves === MOVES_MAX) throw failureOf(error);
        blob = now;
      }
    }
  }

  /** Where the message lies now; undefined when its row is gone. */
  #placeOf({ message }: Blob): Blob | undefined {
    const row = this.#reader.arrays(`SELECT ${blobColumns()} FROM message WHERE id = ?`, message)[0];
    return row && blobOf(row, 0);
  }

  async #readThere(blob: Blob, start: number, end: number): Promise<Buffer> {
    switch (blob.codec) {
      case PLAIN:
        return new Promise((resolve, reject) => this.#wantPlain(blob, start, end, resolve, reject));
      case FRAMED:
        return this.#readFrames(blob, start, end);
      default:
        throw new Failure('unavailable', 'The message cannot be read', { detail: `codec ${blob.codec} is not known` });
    }
  }

  async #readFrames(blob: Blob, start: number, end: number): Promise<Buffer> {
    const first = Math.floor(start / FRAME_BYTES);
    const last = Math.floor((end - 1) / FRAME_BYTES);
    const frames: Buffer[] = [];
    for (let index = first; index <= last; index++) frames.push(this.#frame(blob, index) ?? EMPTY);
    const missing = frames.indexOf(EMPTY);
    if (missing >= 0)
      await this.#loadFrames(blob, first + missing, first + frames.lastIndexOf(EMPTY), (index, plain) => {
        frames[index - first] = plain;
      });
    const from = first * FRAME_BYTES;
    if (frames.length === 1) return frames[0]!.subarray(start - from, end - from);
    return Buffer.concat(frames).subarray(start - from, end - from);
  }

  /** Frames `first` to `last`, of which some may be kept already, in one read. */
  async #loadFrames(
    blob: Blob,
    first: number,
    last: number,
    each: (index: number, plain: Buffer) => void,
  ): Promise<void> {
    const { segment, offset, length } = blob;
    const stored = storedBytes(blob);
    const tableBytes = frameTableBytes(length);
    // A message of one frame comes with its table.
    const isSmall = length <= FRAME_BYTES;
    const head = await this.#want(segment, offset, offset + (isSmall ? stored : tableBytes));
    const starts: FrameStarts = parseFrameTable(head, length, stored);
    const from = isSmall ? 0 : starts[first]!;
    const bytes = isSmall ? head : await this.#want(segment, offset + from, offset + starts[last + 1]!);
    for (let index = first; index <= last; index++) {
      const plain = decodeFrame(bytes.subarray(starts[index]! - from, starts[index + 1]! - from), index, length);
      this.#keepFrame(blob, index, plain);
      each(index, plain);
      // What is long leaves others their turn.
      if (index < last) await new Promise((turn) => setImmediate(turn));
    }
  }

  #frame(blob: Blob, index: number): Buffer | undefined {
    return this.#frames.get(frameKey(blob, index));
  }

  #keepFrame(blob: Blob, index: number, plain: Buffer): void {
    this.#frames.set(frameKey(blob, index), plain);
    if (this.#frames.size > FRAMES_MAX) this.#frames.delete(this.#frames.keys().next().value!);
  }

  /** The bytes [from, to) of a segment as they are. Errors as those of read(), but for a message that has moved. */
  async readSegment(segment: SegmentId, from: number, to: number): Promise<Buffer> {
    try {
      return await this.#want(segment, from, to);
    } catch (error) {
      if (!isGone(error)) throw failureOf(error);
      // The row goes in the transaction before the file does: one that is still there has lost its file.
      if (this.#reader.arrays('SELECT 1 FROM segment WHERE id = ?', segment).length > 0) throw failureOf(error);
      throw new Failure('not-found', 'The segment is gone', { detail: String(error), cause: error });
    }
  }

  #want(segment: SegmentId, from: number, to: number): Promise<Buffer> {
    return new Promise((resolve, reject) => this.#push({ segment, from, to, resolve, reject }));
  }

  #push(wanted: Wanted): void {
    if (this.#wanted.length === 0) queueMicrotask(() => this.#begin());
    this.#wanted.push(wanted);
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
      else run[0]!.reject(error);
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

const EMPTY = Buffer.alloc(0);

function frameKey({ segment, offset }: Blob, index: number): string {
  return `${segment} ${offset} ${index}`;
}

function placeText({ message, segment, offset }: Blob): string {
  return `message ${idText(message)}, offset ${offset} of segment ${idText(segment)}`;
}

/** A record of a plain message that is not what was written. */
function recordProblem(blob: Blob, record: Buffer): Failure | undefined {
  if (!isHeaderOf(record, blob)) return damaged(`no record of it is where its row says: ${placeText(blob)}`);
  if (crc32(record.subarray(RECORD_HEADER_BYTES)) === recordChecksum(record)) return undefined;
  return damaged(`its bytes are not those that were written: ${placeText(blob)}`);
}

/** There is no such file. */
function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function failureOf(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure('unavailable', 'The message cannot be read', { detail: String(error), cause: error });
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
