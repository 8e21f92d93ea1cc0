// The checker of message bytes: each message lies where its row says, and is what was written.
//
// In      message rows, segment files
// Out     problems; a message that is expunged or moved meanwhile is none
// Record  see segment.ts: header with checksum of its own, CRC-32 of the bytes as they are stored; the row has the SHA-256 of the plain
//         ones

import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { Failure } from '../base/failure.ts';
import { idText, type SegmentId } from '../base/ids.ts';
import type { Reader, Value } from '../database/operation.ts';
import { blobColumns, blobOf, storedBytes } from './blob-row.ts';
import { BLOB_CHUNK_BYTES, Blobs } from './blobs.ts';
import {
  type CheckProblem,
  messageName,
  nextTurn,
  PAGE,
  type StoreProblem,
  type StoreProblemName,
} from './check-pages.ts';
import { FRAMED } from './frames.ts';
import { type Blob, PLAIN, parseRecordHeader, RECORD_HEADER_BYTES, segmentPath } from './segment.ts';

export interface BlobCheckOptions {
  readonly reader: Reader;
  /** The directory of the segment files. */
  readonly segments: string;
  /** Read every record: checksum and hash of every message's bytes. */
  readonly bytes: boolean;
  /** Of these messages only, ascending. */
  readonly messages?: readonly number[];
}

type BlobProblem = CheckProblem<StoreProblemName>;

const PLACES = `SELECT ${blobColumns('m.')}, s.id AS known FROM message m LEFT JOIN segment s ON s.id = m.segment`;
/** A message that is moved so often while it is looked at is left to the next check. */
const LOOKS_MAX = 5;

export async function* checkBlobs({
  reader,
  segments,
  bytes,
  messages,
}: BlobCheckOptions): AsyncGenerator<StoreProblem> {
  const sizes = new Map<SegmentId, number | undefined>();
  const blobs = new Blobs(segments, reader);
  const look = async (place: Place): Promise<BlobProblem | undefined> => {
    const { segment } = place.blob;
    if (!sizes.has(segment)) sizes.set(segment, await fileSize(segmentPath(segments, segment)));
    let found = blobProblem(place, sizes.get(segment));
    // A segment that was open has grown since its file was measured.
    if (found?.problem === 'blob beyond file') {
      sizes.set(segment, await fileSize(segmentPath(segments, segment)));
      found = blobProblem(place, sizes.get(segment));
    }
    return found ?? (bytes ? recordProblem(blobs, place.blob) : undefined);
  };
  try {
    for (const page of placePages(reader, messages)) {
      for (let place of page) {
        for (let looks = 1; looks <= LOOKS_MAX; looks++) {
          const found = await look(place);
          if (found === undefined) break;
          const [row] = reader.arrays(`${PLACES} WHERE m.id = ?`, place.blob.message);
          // Expunged and collected since the page was read: nothing is wrong.
          if (row === undefined) break;
          const now = placeOf(row);
          if (isSame(now, place)) {
            yield { ...found, at: { message: now.blob.message, segment: now.blob.segment } };
            break;
          }
          place = now;
        }
      }
      await nextTurn();
    }
  } finally {
    blobs.close();
  }
}

function* placePages(reader: Reader, messages: readonly number[] | undefined): Generator<Place[]> {
  if (messages !== undefined) {
    const those = `${PLACES} WHERE m.id IN (SELECT value FROM json_each(?)) ORDER BY m.id`;
    for (let at = 0; at < messages.length; at += PAGE)
      yield reader.arrays(those, JSON.stringify(messages.slice(at, at + PAGE))).map(placeOf);
    return;
  }
  for (let after = 0; ; ) {
    const page = reader.arrays(`${PLACES} WHERE m.id > ? ORDER BY m.id LIMIT +?`, after, PAGE).map(placeOf);
    yield page;
    if (page.length < PAGE) return;
    after = page.at(-1)!.blob.message;
  }
}

interface Place {
  readonly blob: Blob;
  /** Its segment has a row. */
  readonly isKnown: boolean;
}

function placeOf(row: readonly Value[]): Place {
  return { blob: blobOf(row, 0), isKnown: row.at(-1) !== null };
}

function isSame({ blob: a }: Place, { blob: b }: Place): boolean {
  return a.segment === b.segment && a.offset === b.offset;
}

async function fileSize(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch {
    return undefined;
  }
}

function blobProblem({ blob, isKnown }: Place, fileBytes: number | undefined): BlobProblem | undefined {
  const { message, segment, offset, codec } = blob;
  const where = messageName(message);
  const length = storedBytes(blob);
  const name = `segment ${idText(segment)}`;
  if (!isKnown) return { problem: 'no segment row', where, detail: `${name} is not known` };
  if (fileBytes === undefined) return { problem: 'no segment file', where, detail: `${name} has no file` };
  if (codec !== PLAIN && codec !== FRAMED) return { problem: 'codec', where, detail: `${codec} is not known` };
  if (offset < RECORD_HEADER_BYTES || length < 0 || offset + length > fileBytes) {
    const detail = `bytes ${offset} to ${offset + length} of ${name}, which has ${fileBytes}`;
    return { problem: 'blob beyond file', where, detail };
  }
  return undefined;
}

/** The record around a blob: header, checksum and hash. */
async function recordProblem(blobs: Blobs, blob: Blob): Promise<BlobProblem | undefined> {
  const { message, segment, offset, codec } = blob;
  const where = messageName(message);
  const length = storedBytes(blob);
  try {
    const header = parseRecordHeader(await blobs.readSegment(segment, offset - RECORD_HEADER_BYTES, offset));
    if (header === undefined) return { problem: 'record header', where, detail: 'there is none before its bytes' };
    if (header.id !== message || header.length !== length || header.codec !== codec) {
      const detail = `of ${messageName(header.id)}, ${header.length} bytes, codec ${header.codec}`;
      return { problem: 'record header', where, detail };
    }
    let checksum = 0;
    for (let at = 0; at < length; at += BLOB_CHUNK_BYTES) {
      const to = Math.min(length, at + BLOB_CHUNK_BYTES);
      checksum = crc32(await blobs.readSegment(segment, offset + at, offset + to), checksum);
    }
    if (checksum !== header.checksum)
      return { problem: 'record checksum', where, detail: 'its bytes are not those that were written' };
    const hash = createHash('sha256');
    for (let at = 0; at < blob.length; at += BLOB_CHUNK_BYTES)
      hash.update(await blobs.read(blob, at, BLOB_CHUNK_BYTES));
    if (!hash.digest().equals(blob.hash))
      return { problem: 'record hash', where, detail: 'its bytes are not those that its row names' };
    return undefined;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { problem: 'blob cannot be read', where, detail: error.detail ?? error.message };
  }
}
