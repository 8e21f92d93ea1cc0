// Codec 1 of a record: zstd, in frames of FRAME_BYTES of plain bytes, so that who wants a part of a message reads its frames only.
//
// Layout  the length of the plain bytes, 8 octets; for each frame its length, 4 octets; the frames, one behind the other;
//         little-endian
// Frame   one of zstd's with its checksum: what is read in parts is checked in parts
// Errors  what does not decode, or not to the length that it should have -> Failure `damaged`

import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { Failure } from '../base/failure.ts';

/** Codec of a record: zstd in frames. */
export const FRAMED = 1;
/** Plain bytes of a frame; the last one has what is left. */
export const FRAME_BYTES = 256 * 1024;
const PLAIN_LENGTH_BYTES = 8;
const FRAME_LENGTH_BYTES = 4;

const COMPRESS = {
  params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 },
};

export function frameCount(plainBytes: number): number {
  return Math.ceil(plainBytes / FRAME_BYTES);
}

/** What stands in front of the frames. */
export function frameTableBytes(plainBytes: number): number {
  return PLAIN_LENGTH_BYTES + FRAME_LENGTH_BYTES * frameCount(plainBytes);
}

/** At most FRAME_BYTES. */
export function encodeFrame(plain: Uint8Array): Buffer {
  return zstdCompressSync(plain, COMPRESS);
}

export function encodeFrameTable(plainBytes: number, frameLengths: readonly number[]): Buffer {
  const table = Buffer.alloc(PLAIN_LENGTH_BYTES + FRAME_LENGTH_BYTES * frameLengths.length);
  table.writeBigUInt64LE(BigInt(plainBytes), 0);
  for (const [i, length] of frameLengths.entries())
    table.writeUInt32LE(length, PLAIN_LENGTH_BYTES + FRAME_LENGTH_BYTES * i);
  return table;
}

/** A whole record's bytes. */
export function encodeFrames(plain: Buffer): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at < plain.length; at += FRAME_BYTES) frames.push(encodeFrame(plain.subarray(at, at + FRAME_BYTES)));
  const lengths = frames.map((frame) => frame.length);
  return Buffer.concat([encodeFrameTable(plain.length, lengths), ...frames]);
}

/** What compression is for: a tenth of the bytes, or they stay plain. */
export function isWorthIt(plainBytes: number, storedBytes: number): boolean {
  return storedBytes <= plainBytes * 0.9;
}

/** Where each frame begins in the stored bytes, and where the last one ends. */
export type FrameStarts = readonly number[];

/** `table` begins with frameTableBytes(plainBytes) octets of a record that has `storedBytes`. */
export function parseFrameTable(table: Buffer, plainBytes: number, storedBytes: number): FrameStarts {
  const count = frameCount(plainBytes);
  let at = frameTableBytes(plainBytes);
  if (table.length < at || table.readBigUInt64LE(0) !== BigInt(plainBytes)) throw damaged('its length is another');
  const starts = [at];
  for (let i = 0; i < count; i++) {
    at += table.readUInt32LE(PLAIN_LENGTH_BYTES + FRAME_LENGTH_BYTES * i);
    starts.push(at);
  }
  if (at !== storedBytes) throw damaged('its frames have another length');
  return starts;
}

/** The plain bytes of frame `index` of a message that has `plainBytes`. */
export function decodeFrame(frame: Uint8Array, index: number, plainBytes: number): Buffer {
  const expected = Math.min(FRAME_BYTES, plainBytes - index * FRAME_BYTES);
  let plain: Buffer;
  try {
    plain = zstdDecompressSync(frame, { maxOutputLength: FRAME_BYTES, chunkSize: Math.max(1024, expected) });
  } catch (error) {
    throw damaged(`frame ${index}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (plain.length !== expected) throw damaged(`frame ${index} has ${plain.length} bytes`);
  return plain;
}

export function damaged(detail: string): Failure {
  return new Failure('damaged', 'The message is damaged', { detail });
}
