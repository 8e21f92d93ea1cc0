// A message at the end of an mbox file (mboxrd), and what a crash has left of one.
//
// In      the open file, a message as pieces of text; a place in it, as it was committed before the bytes were written
// Out     the place; the message behind it, synced; of a place whether the message is whole there, torn, or nothing of it
// Order   plan -> the caller commits the place -> append. One that fails the caller cuts off again, then forgets the place
// Never   writes anywhere but behind the end that was planned for
// RFC 4155

import type { FileHandle } from 'node:fs/promises';
import type { JsonObject } from '../../base/json.ts';
import { LINE_END } from '../lf-text.ts';

/** Where a message begins. */
export interface FilePlace {
  readonly device: string;
  readonly inode: string;
  readonly offset: number;
  /** Line ends that the file lacks before it. */
  readonly lead: number;
}

/** Undefined: it is no place. */
export function placeOf({ device, inode, offset, lead }: JsonObject): FilePlace | undefined {
  const isPlace = typeof device === 'string' && typeof inode === 'string';
  return isPlace && typeof offset === 'number' && typeof lead === 'number'
    ? { device, inode, offset, lead }
    : undefined;
}

/** The end of the file. */
export async function planPlace(file: FileHandle): Promise<FilePlace> {
  const { dev, ino, size } = await file.stat({ bigint: true });
  const offset = Number(size);
  const tail = await bytesAt(file, Math.max(0, offset - 2), Math.min(2, offset));
  const ends = tail.reduce((count, byte) => (byte === LINE_END ? count + 1 : 0), 0);
  return { device: String(dev), inode: String(ino), offset, lead: offset === 0 ? 0 : 2 - ends };
}

export async function appendAt(file: FileHandle, place: FilePlace, text: AsyncIterable<Buffer>): Promise<void> {
  let at = place.offset;
  for await (const piece of atPlace(place, text)) {
    for (let done = 0; done < piece.length; ) {
      const { bytesWritten } = await file.write(piece, done, piece.length - done, at);
      done += bytesWritten;
      at += bytesWritten;
    }
  }
  await file.sync();
}

export async function cutAt(file: FileHandle, { offset }: FilePlace): Promise<void> {
  await file.truncate(offset);
  await file.sync();
}

/** `other`: a reader has written the file anew, or somebody else has come before; nothing there is ours to cut. */
export async function foundAt(
  file: FileHandle,
  place: FilePlace,
  text: AsyncIterable<Buffer>,
): Promise<'whole' | 'torn' | 'other'> {
  const { dev, ino, size } = await file.stat({ bigint: true });
  if (String(dev) !== place.device || String(ino) !== place.inode || size < place.offset) return 'other';
  let at = place.offset;
  for await (const piece of atPlace(place, text)) {
    const there = await bytesAt(file, at, piece.length);
    const same = equalBytes(piece, there);
    if (same < piece.length) return (await isUnwritten(file, at + same, Number(size))) ? 'torn' : 'other';
    at += piece.length;
  }
  return 'whole';
}

async function* atPlace({ lead }: FilePlace, text: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  if (lead > 0) yield Buffer.alloc(lead, LINE_END);
  yield* text;
}

/** Fewer at the end of the file. */
async function bytesAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(buffer, done, length - done, at + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return buffer.subarray(0, done);
}

/** How many are the same from the beginning on. */
function equalBytes(one: Buffer, other: Buffer): number {
  if (one.equals(other)) return one.length;
  let at = 0;
  while (at < other.length && one[at] === other[at]) at++;
  return at;
}

const STEP_BYTES = 64 * 1024;

/** Nothing follows, or what a file system shows of bytes that were never written: zeros to the end. */
async function isUnwritten(file: FileHandle, from: number, size: number): Promise<boolean> {
  for (let at = from; at < size; at += STEP_BYTES) {
    const bytes = await bytesAt(file, at, Math.min(STEP_BYTES, size - at));
    if (bytes.some((byte) => byte !== 0)) return false;
  }
  return true;
}
