// Segment files: the bytes of messages, appended, synced in groups, named by rows that are committed afterwards.
//
// In      a message id and its bytes, from the one thread that owns the writer
// Out     a blob (where the bytes lie), once they are written; it says whether they are synced too
// File    records one after another: a header of 32 bytes, then the bytes; little-endian
//           0 magic "WPS1"   4 codec, 3 zero bytes   8 message id   16 length   24 CRC-32 of the bytes   28 CRC-32 of 0..27
// States  open (one for each thread) -> closed: full, or the thread ends. A message too large to buffer has a file of its own
// Order   bytes are synced before the row that names them is committed; a row that names unsynced bytes cannot exist. Where a
//         sync is quick the writer makes it, right before the commit (segment-syncs.ts); where it is slow, this thread does,
//         while the writer commits others
//         What follows the last row's record in a file is a torn or refused message, and is never read
// Errors  no space -> Failure 'full' and the segment is cut back to its last good record; any other I/O error -> `fatal`, the process ends:
//         after a failed sync it is not known what is on disk

import { closeSync, fdatasync, ftruncateSync, openSync, unlinkSync, writev, writevSync } from 'node:fs';
import { type FileHandle, open as openFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { Failure } from '../base/failure.ts';
import { idText, type MessageId, type SegmentId } from '../base/ids.ts';
import { SEGMENT_BYTES } from '../base/limits.ts';

export const RECORD_HEADER_BYTES = 32;
const MAGIC = 0x31535057;
const EMPTY = Buffer.alloc(0);
/** Codec of a record: plain bytes. Compressed ones: FRAMED, see frames.ts; encryption would come as a further number. */
export const PLAIN = 0;

/** Where the bytes of a message lie. `hash` is the SHA-256 of the plain bytes. */
export interface Blob {
  /** Whose bytes they are: where they lie may change. */
  readonly message: MessageId;
  readonly segment: SegmentId;
  readonly offset: number;
  readonly length: number;
  readonly hash: Uint8Array;
  /** PLAIN, or FRAMED (frames.ts). */
  readonly codec: number;
  /** Of the bytes as they lie there; absent: `length`, which is that of the plain ones. */
  readonly stored?: number;
  /** Written and not synced: the writer does that before it commits the row. Absent: on disk. */
  readonly isUnsynced?: true;
}

export function segmentPath(directory: string, segment: SegmentId): string {
  return join(directory, `${idText(segment)}.seg`);
}

/** `length` and `checksum` are those of the bytes as they are stored. */
export function recordHeader(id: MessageId, length: number, checksum: number, codec = PLAIN): Buffer {
  const header = Buffer.alloc(RECORD_HEADER_BYTES);
  header.writeUInt32LE(MAGIC, 0);
  header[4] = codec;
  header.writeBigUInt64LE(BigInt(id), 8);
  header.writeBigUInt64LE(BigInt(length), 16);
  header.writeUInt32LE(checksum, 24);
  header.writeUInt32LE(crc32(header.subarray(0, 28)), 28);
  return header;
}

export interface RecordHeader {
  readonly id: number;
  readonly length: number;
  readonly codec: number;
  readonly checksum: number;
}

/** Undefined when these 32 bytes are no header of ours. */
export function parseRecordHeader(header: Buffer): RecordHeader | undefined {
  if (header.length < RECORD_HEADER_BYTES || header.readUInt32LE(0) !== MAGIC) return undefined;
  if (header.readUInt32LE(28) !== crc32(header.subarray(0, 28))) return undefined;
  return {
    id: Number(header.readBigUInt64LE(8)),
    length: Number(header.readBigUInt64LE(16)),
    codec: header[4]!,
    checksum: header.readUInt32LE(24),
  };
}

const WORD = 2 ** 32;

/**
 * Whether a plain message's record begins so. Its own checksum is not looked at: what is wrong in these fields is seen, and a wrong
 * checksum of the bytes is none of theirs.
 */
export function isHeaderOf(record: Buffer, { message, length }: Blob): boolean {
  return (
    record.readUInt32LE(0) === MAGIC &&
    record[4] === PLAIN &&
    record.readUInt32LE(8) + record.readUInt32LE(12) * WORD === message &&
    record.readUInt32LE(16) + record.readUInt32LE(20) * WORD === length
  );
}

/** Of the bytes behind the header. */
export function recordChecksum(record: Buffer): number {
  return record.readUInt32LE(24);
}

/** What a segment's life needs of the outside. */
export interface SegmentHost {
  readonly directory: string;
  nextId(): SegmentId;
  /** The row that makes the file known; called when the file and its name are synced. */
  opened(segment: SegmentId): Promise<void>;
  /** No operation that names this segment is still on its way. */
  closed(segment: SegmentId, bytes: number): Promise<void>;
  /** A sync takes long: others are committed meanwhile. */
  isSyncSlow(): boolean;
  /** Whoever waited for bytes has gone on, and has called the operations that name them: they need not wait for other work. */
  written(): void;
  /** Prints one line and ends the process. */
  fatal(error: Error): void;
}

/** A blob whose row is not committed yet: `settle` when the operation that names it has its outcome, either way. */
export interface PendingBlob {
  readonly blob: Blob;
  settle(): void;
}

/** What a record holds instead of the plain bytes. */
export interface Encoded {
  readonly codec: number;
  /** Length of what is stored. */
  readonly stored: number;
}

interface OpenSegment {
  readonly id: SegmentId;
  readonly descriptor: number;
  bytes: number;
  /** Appended, and the row's outcome not yet known. */
  pending: number;
  /** To be closed behind what is being written. */
  ends: boolean;
  full: boolean;
}

interface Append {
  readonly id: MessageId;
  readonly chunks: readonly Uint8Array[];
  /** Of the plain bytes. */
  readonly length: number;
  /** Of the chunks. */
  readonly stored: number;
  readonly codec: number;
  readonly hash: Uint8Array;
  readonly resolve: (pending: PendingBlob) => void;
  readonly reject: (error: Error) => void;
}

/** The shared segment of one thread. Appends of one turn, and those that come while a sync runs, are written together. */
export class SegmentWriter {
  readonly #host: SegmentHost;
  #segment: OpenSegment | undefined;
  #waiting: Append[] = [];
  #running: Promise<void> | undefined;

  constructor(host: SegmentHost) {
    this.#host = host;
  }

  /**
   * Resolves when the bytes are in the file. The chunks must not change until then. `length` and `hash` are those of the plain
   * bytes; the chunks are these, or what `encoded` says.
   */
  append(
    id: MessageId,
    chunks: readonly Uint8Array[],
    length: number,
    hash: Uint8Array,
    encoded: Encoded = { codec: PLAIN, stored: length },
  ): Promise<PendingBlob> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ id, chunks, length, hash, ...encoded, resolve, reject });
      // At the end of the turn, so that all messages that became complete in it share one write and one sync.
      this.#running ??= new Promise((turn) => setImmediate(turn)).then(() => this.#run());
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      try {
        await this.#write(group);
      } catch (error) {
        const failure = this.#failure(error);
        this.#cut();
        for (const append of group) append.reject(failure);
      }
    }
    this.#running = undefined;
  }

  async #write(group: readonly Append[]): Promise<void> {
    const segment = (this.#segment ??= await this.#open());
    const buffers: Uint8Array[] = [];
    const offsets: number[] = [];
    let at = segment.bytes;
    for (const append of group) {
      let checksum = 0;
      for (const chunk of append.chunks) checksum = crc32(chunk, checksum);
      buffers.push(recordHeader(append.id, append.stored, checksum, append.codec), ...append.chunks);
      offsets.push(at + RECORD_HEADER_BYTES);
      at += RECORD_HEADER_BYTES + append.stored;
    }
    await writeAll(segment.descriptor, buffers, { from: segment.bytes, to: at });
    const isUnsynced = !this.#host.isSyncSlow();
    if (!isUnsynced) await sync(segment.descriptor);
    segment.bytes = at;
    segment.pending += group.length;
    group.forEach((append, index) => {
      const blob = {
        message: append.id,
        segment: segment.id,
        offset: offsets[index]!,
        length: append.length,
        hash: append.hash,
        codec: append.codec,
        ...(append.codec === PLAIN ? {} : { stored: append.stored }),
        ...(isUnsynced ? { isUnsynced } : {}),
      };
      append.resolve({ blob, settle: () => this.#settle(segment) });
    });
    // Behind all that follows from the promises.
    process.nextTick(() => this.#host.written());
    if (segment.bytes >= SEGMENT_BYTES || segment.ends) this.#giveUp();
  }

  async #open(): Promise<OpenSegment> {
    const id = this.#host.nextId();
    await createSynced(this.#host.directory, id);
    const path = segmentPath(this.#host.directory, id);
    const descriptor = openSync(path, 'r+');
    try {
      await this.#host.opened(id);
    } catch (error) {
      // A file without a row is never collected before the next start; on a full disk each message would leave one.
      closeSync(descriptor);
      unlinkSync(path);
      throw error;
    }
    return { id, descriptor, bytes: 0, pending: 0, ends: false, full: false };
  }

  /** Gives back the space of what a failed write left after the last good record: the disk may be full. */
  #cut(): void {
    const segment = this.#segment;
    if (segment === undefined) return;
    try {
      ftruncateSync(segment.descriptor, segment.bytes);
    } catch {
      // What cannot be cut does no harm: records are found by their rows.
      this.#giveUp();
    }
  }

  #giveUp(): void {
    const segment = this.#segment;
    if (segment === undefined) return;
    this.#segment = undefined;
    segment.full = true;
    this.#closeIfDone(segment);
  }

  #settle(segment: OpenSegment): void {
    segment.pending--;
    this.#closeIfDone(segment);
  }

  #closeIfDone(segment: OpenSegment): void {
    if (!segment.full || segment.pending > 0) return;
    closeSync(segment.descriptor);
    // A lost row is found at the next start, where every open segment is closed.
    this.#host.closed(segment.id, segment.bytes).catch(() => {});
  }

  #failure(error: unknown): Failure {
    return segmentFailure(error, this.#host);
  }

  /** Closes this segment, if it is the one that is open: what is appended next begins another. */
  end(segment: SegmentId): void {
    if (this.#segment?.id !== segment) return;
    this.#segment.ends = true;
    if (this.#running === undefined) this.#giveUp();
  }

  /** Waits for what is under way and closes the segment. Nothing may be appended afterwards. */
  async close(): Promise<void> {
    await this.#running;
    this.#giveUp();
  }
}

/** What comes in front of the bytes that were written, with the CRC-32 of all of it. */
export interface PutBefore {
  readonly bytes: Buffer;
  readonly checksum: number;
}

/**
 * A message that is too large to buffer: a segment file of its own, written as the bytes come. With `room` so many octets stay free
 * in front of them, for what is known when all have come; the record begins right before what is there in the end.
 */
export class LargeMessage {
  readonly #host: SegmentHost;
  readonly id: MessageId;
  readonly segment: SegmentId;
  readonly #start: number;
  #file: FileHandle | undefined;
  #length = 0;
  #checksum = 0;

  private constructor(host: SegmentHost, id: MessageId, room: number) {
    this.#host = host;
    this.id = id;
    this.segment = host.nextId();
    this.#start = RECORD_HEADER_BYTES + room;
  }

  static async create(host: SegmentHost, id: MessageId, room = 0): Promise<LargeMessage> {
    const large = new LargeMessage(host, id, room);
    const path = segmentPath(host.directory, large.segment);
    try {
      await createSynced(host.directory, large.segment);
      large.#file = await openFile(path, 'r+');
      await host.opened(large.segment);
    } catch (error) {
      // As with the shared segment: a file without a row is not collected before the next start.
      await large.#file?.close().catch(() => {});
      await unlink(path).catch(() => {});
      throw segmentFailure(error, host);
    }
    return large;
  }

  get length(): number {
    return this.#length;
  }

  /** A chunk may still be written after the message was given up. */
  #opened(): FileHandle {
    if (this.#file === undefined) throw new Failure('unavailable', 'The message was given up');
    return this.#file;
  }

  async write(chunk: Uint8Array): Promise<void> {
    const file = this.#opened();
    try {
      await putAll(file, chunk, this.#start + this.#length);
    } catch (error) {
      // Closed by us between two parts of a short write: that says nothing about the disk.
      if (this.#file === undefined && isClosedFile(error)) this.#opened();
      throw segmentFailure(error, this.#host);
    }
    this.#checksum = crc32(chunk, this.#checksum);
    this.#length += chunk.length;
  }

  /** All that was written, for parsing, behind `before` octets that are the caller's; the message is not committed yet. */
  async read(before = 0): Promise<Buffer> {
    const file = this.#opened();
    const buffer = Buffer.allocUnsafe(before + this.#length);
    await file.read(buffer, before, this.#length, this.#start);
    return buffer;
  }

  /** A piece of what was written. */
  async readPiece(at: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length);
    await this.#opened().read(buffer, 0, length, this.#start + at);
    return buffer;
  }

  /** `before` is no longer than the room. `plain`: what was written is that many bytes, in this codec. */
  async finish(
    hash: Uint8Array,
    before?: PutBefore,
    plain?: { readonly codec: number; readonly length: number },
  ): Promise<PendingBlob> {
    const file = this.#opened();
    const first = before?.bytes ?? EMPTY;
    const offset = this.#start - first.length;
    const length = first.length + this.#length;
    try {
      const header = recordHeader(this.id, length, before?.checksum ?? this.#checksum, plain?.codec);
      await putAll(file, Buffer.concat([header, first]), offset - RECORD_HEADER_BYTES);
      await file.datasync();
    } catch (error) {
      this.abandon();
      throw segmentFailure(error, this.#host);
    }
    const place = { message: this.id, segment: this.segment, offset, hash };
    const blob = plain === undefined ? { ...place, length, codec: PLAIN } : { ...place, ...plain, stored: length };
    return { blob, settle: () => void this.#done() };
  }

  /** The message was not accepted: the file is closed and may be collected. */
  abandon(): void {
    void this.#done();
  }

  async #done(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    if (file === undefined) return;
    try {
      // Waits for what is under way.
      await file.close();
      await this.#host.closed(this.segment, this.#start + this.#length);
    } catch {
      // Found at the next start, where every open segment is closed.
    }
  }
}

function isClosedFile(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EBADF';
}

function segmentFailure(error: unknown, host: SegmentHost): Failure {
  if (error instanceof Failure) return error;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new Failure('full', 'Insufficient system storage, try again later', { detail: String(error) });
  host.fatal(new Error(`a segment file cannot be written: ${error instanceof Error ? error.message : String(error)}`));
  return new Failure('unavailable', 'Internal error, try again later', { detail: String(error), cause: error });
}

/** An empty segment file whose name survives a power cut. */
async function createSynced(directory: string, segment: SegmentId): Promise<void> {
  const file = await openFile(segmentPath(directory, segment), 'wx', 0o600);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
  const folder = await openFile(directory, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** A write may be short; what it left is written, or fails. */
async function putAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; )
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
}

/** IOV_MAX is 1024 on every system we know. */
const BUFFERS_A_WRITE = 1000;
/** Copied into the page cache by this thread, 0.2 ms of work: for less, the way through the thread pool costs more than the copy. */
const COPIED_BYTES_MAX = 1024 * 1024;

async function writeAll(
  descriptor: number,
  buffers: readonly Uint8Array[],
  { from, to }: { readonly from: number; readonly to: number },
): Promise<void> {
  let rest = buffers;
  let at = from;
  while (rest.length > 0) {
    const part = rest.slice(0, BUFFERS_A_WRITE);
    const written =
      to - from <= COPIED_BYTES_MAX ? writevSync(descriptor, part, at) : await writeAside(descriptor, part, at);
    at += written;
    rest = afterWrite(rest, written);
  }
}

function writeAside(descriptor: number, buffers: readonly Uint8Array[], position: number): Promise<number> {
  return new Promise((resolve, reject) =>
    writev(descriptor, buffers, position, (error, bytes) => (error ? reject(error) : resolve(bytes))),
  );
}

/** What remains of the buffers when `written` bytes of them are on their way: a write may be short. */
function afterWrite(buffers: readonly Uint8Array[], written: number): readonly Uint8Array[] {
  let left = written;
  for (let index = 0; index < buffers.length; index++) {
    const buffer = buffers[index]!;
    if (left < buffer.length) return [buffer.subarray(left), ...buffers.slice(index + 1)];
    left -= buffer.length;
  }
  return [];
}

function sync(descriptor: number): Promise<void> {
  return new Promise((resolve, reject) => fdatasync(descriptor, (error) => (error ? reject(error) : resolve())));
}
