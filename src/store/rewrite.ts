// What upkeep does with segments: bytes that somebody needs move away from those that nobody does, and are compressed on the way.
//
// In      closed segments: half of one is dead, or a quarter while less than a tenth of the disk is free, most dead first; then those that
//         have been closed for `compressMs` and were never compressed, once
// Out     their live records in segments of this thread's own; the old row goes in the transaction, the old file behind it
// Order   read, check -> append, sync -> change each row that still says the old place -> when none is left, drop the segment
//         (endRewrite), whose file is unlinked after the commit. Killed anywhere, what was written and has no row is dead in the new
//         segment, and what was not moved is where it was
// Limits  a slice is SLICE_MESSAGES or SLICE_BYTES; `bytesPerSecond` are copied, half of it while a commit takes SLOW_COMMIT_MICROS
//         For space a byte is copied for a byte that is freed at most, three while the disk is short; for compression each once
// Errors  a record whose checksum is wrong stays where it is and is named in the log: its segment is not tried again
//         a file that cannot be read: its segment is passed over for PASSED_MS. No space: it comes again after FULL_MS
// Never   while a copy of the store of an older format lies beside it: that knows the old places (docs/upgrade.md)

import { stat } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { Clock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import { idOf, idText, type MessageId, type SegmentId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { UpkeepTask } from '../base/upkeep.ts';
import type { Reader, Writer } from '../database/operation.ts';
import { blobColumns, blobOf, storedBytes } from './blob-row.ts';
import { BLOB_CHUNK_BYTES, type Blobs } from './blobs.ts';
import {
  encodeFrame,
  encodeFrames,
  encodeFrameTable,
  FRAME_BYTES,
  FRAMED,
  frameCount,
  frameTableBytes,
  isWorthIt,
} from './frames.ts';
import {
  type Blob,
  LargeMessage,
  type PendingBlob,
  PLAIN,
  parseRecordHeader,
  RECORD_HEADER_BYTES,
  type SegmentHost,
  type SegmentWriter,
  segmentPath,
} from './segment.ts';
import {
  type CountedSegment,
  countSegment,
  countSegments,
  endRewrite,
  endSegments,
  leavePlain,
  longestPlain,
  type MovedBytes,
  moveMessages,
  type RewritableSegment,
  recordBytes,
  sparsest,
} from './space.ts';

/** Messages that one operation of the writer moves: some milliseconds. */
const SLICE_MESSAGES = 500;
const SLICE_BYTES = 4 * 1024 * 1024;
/** Larger ones have a segment of their own, and are compressed frame by frame. */
const ALONE_BYTES = 2 * 1024 * 1024;
/** A shared segment that is open closes when so much of it is dead, and half of it is; and after a day. */
const END_DEAD_BYTES = 4 * 1024 * 1024;
const END_AFTER_MS = 24 * 3600 * 1000;
/** Segments, and rows in them, that are counted in one slice. */
const COUNTED_SEGMENTS = 200;
const COUNTED_BYTES = 256 * 1024 * 1024;
/** Records of a segment that are compressed to see whether all of it is worth it. */
const SAMPLE_RECORDS = 64;
const SAMPLE_BYTES = 4 * 1024 * 1024;
const SHORT_SHARE = 0.1;
const SLOW_COMMIT_MICROS = 20_000;
/** At rest. A segment that is to be rewritten, and what was just asked for, comes sooner. */
const REST_MS = 10_000;
const SOON_MS = 500;
const FULL_MS = 10_000;
/** A segment that could not be read is passed over for so long. */
const PASSED_MS = 600_000;

export interface RewriteParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly log: Log;
  /** The directory of the segment files. */
  readonly directory: string;
  readonly blobs: Blobs;
  /** This thread's own: what is appended is synced when it resolves. */
  readonly host: SegmentHost;
  readonly segments: SegmentWriter;
  /** Copied, at most. */
  readonly bytesPerSecond: number;
  /** For how long a segment is closed before it is compressed; undefined: never. */
  readonly compressMs: number | undefined;
  /** A COMMIT takes so long, lately. */
  readonly commitMicros: () => number;
  /** Of the file system, between 0 and 1. */
  readonly freeShare: () => Promise<number>;
  /** False: nothing moves now. */
  readonly mayMove: () => boolean;
  /** Counts octets that were copied. */
  readonly copied: (bytes: number) => void;
}

interface Job extends RewritableSegment {
  /** Messages up to it have been looked at. */
  after: MessageId;
}

/** A record as it goes to its new place. */
interface NewRecord {
  readonly blob: Blob;
  readonly bytes: Buffer;
  readonly codec: number;
}

export class Rewriting implements UpkeepTask {
  readonly name = 'space';
  readonly #parts: RewriteParts;
  #job: Job | undefined;
  /** Not to be tried before this time of the monotonic clock. */
  readonly #passed = new Map<SegmentId, number>();
  /** Open ones whose threads have been asked to close them. */
  readonly #asked = new Set<SegmentId>();
  #copiedBytes = 0;
  #isFull = false;

  constructor(parts: RewriteParts) {
    this.#parts = parts;
  }

  async run(): Promise<number> {
    const began = performance.now();
    this.#copiedBytes = 0;
    try {
      const settled = await this.#settleOpen();
      const worked = await this.#work();
      if (!worked) return settled ? SOON_MS : REST_MS;
    } catch (error) {
      this.#job = undefined;
      if (!(error instanceof Failure) || error.kind !== 'full') throw error;
      // Said once, as long as it lasts.
      if (!this.#isFull) this.#parts.log.warn('store.rewrite', { detail: error.detail ?? error.message });
      this.#isFull = true;
      return FULL_MS;
    }
    this.#isFull = false;
    return Math.max(0, this.#paceMs() - (performance.now() - began));
  }

  /** What the copied octets of this slice may take. */
  #paceMs(): number {
    const { bytesPerSecond, commitMicros } = this.#parts;
    const rate = commitMicros() > SLOW_COMMIT_MICROS ? bytesPerSecond / 2 : bytesPerSecond;
    return (this.#copiedBytes / rate) * 1000;
  }

  /** Counts what is closed, asks for the end of what should be. Gives whether there will be more to do soon. */
  async #settleOpen(): Promise<boolean> {
    const { reader, writer, directory, clock } = this.#parts;
    const rows = reader.arrays(
      'SELECT id, opened, closed, bytes, dead FROM segment WHERE counted = 0 ORDER BY id LIMIT +?',
      COUNTED_SEGMENTS,
    );
    const counted: CountedSegment[] = [];
    const ends: SegmentId[] = [];
    let bytesLeft = COUNTED_BYTES;
    for (const [id, opened, closed, bytes, dead] of rows) {
      const segment = idOf<SegmentId>(id);
      const fileBytes = bytes === null ? await fileSize(segmentPath(directory, segment)) : Number(bytes);
      if (closed !== null) {
        counted.push(countSegment(reader, segment, fileBytes));
        bytesLeft -= fileBytes ?? 0;
        if (bytesLeft <= 0) break;
        continue;
      }
      const isSparse = Number(dead) >= END_DEAD_BYTES && Number(dead) * 2 >= (fileBytes ?? 0);
      const isOld = Number(opened) + END_AFTER_MS <= clock.now();
      if ((isSparse || isOld) && !this.#asked.has(segment)) ends.push(segment);
    }
    const open = new Set(rows.filter((row) => row[2] === null).map((row) => idOf<SegmentId>(row[0])));
    for (const segment of this.#asked) if (!open.has(segment)) this.#asked.delete(segment);
    if (ends.length > 0) {
      await writer.execute(endSegments, { segments: ends });
      for (const segment of ends) this.#asked.add(segment);
    }
    if (counted.length > 0) await writer.execute(countSegments, { segments: counted });
    return ends.length > 0 || counted.length > 0;
  }

  /** One slice of a job. False: there is none. */
  async #work(): Promise<boolean> {
    if (!this.#parts.mayMove()) return false;
    const job = this.#job ?? (await this.#nextJob());
    if (job === undefined) return false;
    if (job === 'left') return true;
    this.#job = job;
    try {
      if (!(await this.#slice(job))) this.#job = undefined;
    } catch (error) {
      this.#job = undefined;
      if (!(error instanceof Failure) || error.kind === 'full') throw error;
      // Not to be read, or the writer takes nothing.
      this.#passed.set(job.segment, performance.now() + PASSED_MS);
      this.#parts.log.warn('store.rewrite', {
        segment: idText(job.segment),
        detail: error.detail ?? error.message,
      });
    }
    return true;
  }

  /** `left`: one was looked at and stays as it is. */
  async #nextJob(): Promise<Job | 'left' | undefined> {
    const { reader, writer, clock, compressMs } = this.#parts;
    for (const [segment, until] of this.#passed) if (until <= performance.now()) this.#passed.delete(segment);
    const isDiskShort = (await this.#parts.freeShare()) < SHORT_SHARE;
    const sparse = sparsest(reader, isDiskShort ? 1 : 2, this.#passed);
    if (sparse !== undefined) return { ...sparse, after: idOf(-1) };
    if (compressMs === undefined) return undefined;
    const plain = longestPlain(reader, clock.now() - compressMs, this.#passed);
    if (plain === undefined) return undefined;
    const { segment } = plain;
    if (await this.#isWorthIt(segment)) return { ...plain, after: idOf(-1) };
    await writer.execute(leavePlain, { segment });
    return 'left';
  }

  /** Some of its records, from all over it, would shrink by a tenth. */
  async #isWorthIt(segment: SegmentId): Promise<boolean> {
    const { reader } = this.#parts;
    const ids = reader
      .arrays('SELECT id FROM message WHERE segment = ? ORDER BY id', segment)
      .map(([id]) => Number(id));
    // Nothing is left in it: it goes.
    if (ids.length === 0) return true;
    const step = Math.max(1, ids.length / SAMPLE_RECORDS);
    let plain = 0;
    let stored = 0;
    for (let at = 0; at < ids.length && plain < SAMPLE_BYTES; at += step) {
      const blob = this.#blobOf(ids[Math.floor(at)]!);
      if (blob === undefined || blob.codec !== PLAIN || blob.segment !== segment) continue;
      for (const start of sampled(blob.length)) {
        const frame = await this.#raw(blob, start, Math.min(FRAME_BYTES, blob.length - start));
        plain += frame.length;
        stored += encodeFrame(frame).length;
      }
    }
    return plain > 0 && isWorthIt(plain, stored);
  }

  #blobOf(message: number): Blob | undefined {
    const [row] = this.#parts.reader.arrays(`SELECT ${blobColumns()} FROM message WHERE id = ?`, message);
    return row && blobOf(row, 0);
  }

  /** Octets as they are stored. */
  #raw({ segment, offset }: Blob, start: number, length: number): Promise<Buffer> {
    return this.#parts.blobs.readSegment(segment, offset + start, offset + start + length);
  }

  /** False: the job is done. */
  async #slice(job: Job): Promise<boolean> {
    const { reader, writer } = this.#parts;
    const rows = reader.arrays(
      `SELECT ${blobColumns()} FROM message WHERE segment = ? AND id > ? ORDER BY id LIMIT +?`,
      job.segment,
      job.after,
      SLICE_MESSAGES,
    );
    if (rows.length === 0) {
      await writer.execute(endRewrite, { segment: job.segment });
      return false;
    }
    const blobs: Blob[] = [];
    let bytes = 0;
    for (const row of rows) {
      const blob = blobOf(row, 0);
      bytes += storedBytes(blob);
      if (blobs.length > 0 && bytes > SLICE_BYTES) break;
      blobs.push(blob);
    }
    const [first] = blobs as [Blob];
    if (storedBytes(first) > ALONE_BYTES) {
      job.after = first.message;
      return this.#moveLarge(job, first);
    }
    await this.#move(job, blobs);
    job.after = blobs.at(-1)!.message;
    return true;
  }

  async #move(job: Job, blobs: readonly Blob[]): Promise<void> {
    const { segments } = this.#parts;
    const records = await this.#read(job, blobs);
    const pending = await Promise.all(
      records.map(({ blob, bytes, codec }) =>
        segments.append(blob.message, [bytes], blob.length, blob.hash, { codec, stored: bytes.length }),
      ),
    );
    await this.#moveRows(job.segment, pending, blobs);
  }

  /** Records that are what was written. */
  async #read(job: Job, blobs: readonly Blob[]): Promise<NewRecord[]> {
    // Asked for in one turn, so that what lies together is read at once.
    const raw = await Promise.all(
      blobs.map((blob) => this.#raw(blob, -RECORD_HEADER_BYTES, recordBytes(storedBytes(blob)))),
    );
    const records: NewRecord[] = [];
    for (const [i, blob] of blobs.entries()) {
      const record = raw[i]!;
      const bytes = record.subarray(RECORD_HEADER_BYTES);
      if (!isRecordOf(blob, record, crc32(bytes))) this.#nameDamaged(blob);
      else records.push(this.#encoded(job, blob, bytes));
    }
    return records;
  }

  #encoded({ isPacked }: Job, blob: Blob, bytes: Buffer): NewRecord {
    if (blob.codec === PLAIN && !isPacked && this.#parts.compressMs !== undefined) {
      const frames = encodeFrames(bytes);
      if (isWorthIt(bytes.length, frames.length)) return { blob, bytes: frames, codec: FRAMED };
    }
    return { blob, bytes, codec: blob.codec };
  }

  #nameDamaged({ message, segment, offset }: Blob): void {
    this.#parts.log.error('store.damaged', {
      message: idText(message),
      segment: idText(segment),
      offset,
      detail: 'its bytes are not those that were written: it stays where it is',
    });
  }

  /** A message with a segment of its own goes into another one. False: it stays plain, and so does its segment. */
  async #moveLarge(job: Job, blob: Blob): Promise<boolean> {
    const { host, writer, compressMs } = this.#parts;
    const isCompressed = blob.codec === PLAIN && !job.isPacked && compressMs !== undefined;
    const room = isCompressed ? frameTableBytes(blob.length) : 0;
    const large = await LargeMessage.create(host, blob.message, room);
    try {
      const lengths: number[] = [];
      let checksum = 0;
      const stored = storedBytes(blob);
      for (let at = 0; at < stored; at += FRAME_BYTES) {
        const piece = await this.#raw(blob, at, Math.min(FRAME_BYTES, stored - at));
        checksum = crc32(piece, checksum);
        const written = isCompressed ? encodeFrame(piece) : piece;
        lengths.push(written.length);
        await large.write(written);
      }
      const header = await this.#raw(blob, -RECORD_HEADER_BYTES, RECORD_HEADER_BYTES);
      if (!isRecordOf(blob, header, checksum)) {
        this.#nameDamaged(blob);
        large.abandon();
        return true;
      }
      if (isCompressed && !isWorthIt(blob.length, room + large.length)) {
        large.abandon();
        await writer.execute(leavePlain, { segment: job.segment });
        return false;
      }
      const codec = blob.codec === PLAIN ? undefined : { codec: blob.codec, length: blob.length };
      const pending = isCompressed
        ? await this.#finishFramed(large, blob, lengths)
        : await large.finish(blob.hash, undefined, codec);
      await this.#moveRows(job.segment, [pending], [blob]);
      return true;
    } catch (error) {
      large.abandon();
      throw error;
    }
  }

  async #finishFramed(large: LargeMessage, blob: Blob, lengths: readonly number[]): Promise<PendingBlob> {
    const table = encodeFrameTable(blob.length, lengths);
    let checksum = crc32(table);
    for (let at = 0; at < large.length; at += BLOB_CHUNK_BYTES)
      checksum = crc32(await large.readPiece(at, Math.min(BLOB_CHUNK_BYTES, large.length - at)), checksum);
    return large.finish(blob.hash, { bytes: table, checksum }, { codec: FRAMED, length: blob.length });
  }

  async #moveRows(from: SegmentId, pending: readonly PendingBlob[], old: readonly Blob[]): Promise<void> {
    const { writer, copied } = this.#parts;
    const places = new Map(old.map((blob) => [blob.message, blob]));
    const moved: MovedBytes[] = pending.map(({ blob }) => {
      const place = places.get(blob.message)!;
      const { message, segment, offset, codec, stored = null } = blob;
      return {
        message,
        from: { offset: place.offset, stored: storedBytes(place) },
        to: { segment, offset, stored },
        codec,
      };
    });
    const bytes = pending.reduce((sum, { blob }) => sum + recordBytes(storedBytes(blob)), 0);
    this.#copiedBytes += bytes;
    copied(bytes);
    try {
      await writer.execute(moveMessages, { from, moved }, moved.length * 100);
    } finally {
      for (const { settle } of pending) settle();
    }
  }

  async end(): Promise<void> {
    await this.#parts.segments.close();
  }
}

/** The record's header says so of these bytes. */
function isRecordOf(blob: Blob, record: Buffer, checksum: number): boolean {
  const header = parseRecordHeader(record.subarray(0, RECORD_HEADER_BYTES));
  return (
    header !== undefined &&
    header.id === blob.message &&
    header.codec === blob.codec &&
    header.length === storedBytes(blob) &&
    header.checksum === checksum
  );
}

/** Where frames begin that are tried: of a large message the first, one in the middle and the last. */
function sampled(length: number): readonly number[] {
  const last = (frameCount(length) - 1) * FRAME_BYTES;
  return [...new Set([0, Math.floor(last / FRAME_BYTES / 2) * FRAME_BYTES, last])];
}

async function fileSize(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
