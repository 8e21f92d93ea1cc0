// The checker of message bytes: each message lies where its row says, and is what was written.
//
// In      message rows, segment files
// Out     problems; a message that is expunged meanwhile is none
// Record  see segment.ts: header with checksum of its own, CRC-32 of the bytes; the row has their SHA-256

import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { Failure } from '../base/failure.ts';
import { idOf, idText, type SegmentId } from '../base/ids.ts';
import type { Reader, Row } from '../database/operation.ts';
import { BLOB_CHUNK_BYTES, Blobs } from './blobs.ts';
import { messageName, pages, type StoreProblem } from './check-pages.ts';
import { PLAIN, parseRecordHeader, RECORD_HEADER_BYTES, segmentPath } from './segment.ts';

export interface BlobCheckOptions {
  readonly reader: Reader;
  /** The directory of the segment files. */
  readonly segments: string;
  /** Read every record: checksum and hash of every message's bytes. */
  readonly bytes: boolean;
}

export async function* checkBlobs({ reader, segments, bytes }: BlobCheckOptions): AsyncGenerator<StoreProblem> {
  const sizes = new Map<SegmentId, number | undefined>();
  const blobs = new Blobs(segments, reader);
  const read = (after: number, limit: number): Row[] =>
    reader.all(
      `SELECT m.id, m.segment, m.offset, m.length, m.hash, m.codec, s.id AS known
       FROM message m LEFT JOIN segment s ON s.id = m.segment WHERE m.id > ? ORDER BY m.id LIMIT +?`,
      after,
      limit,
    );
  try {
    for await (const rows of pages(read, (row) => Number(row['id'])))
      for (const row of rows) {
        const segment = idOf<SegmentId>(row['segment']);
        if (!sizes.has(segment)) sizes.set(segment, await fileSize(segmentPath(segments, segment)));
        let found = blobProblem(row, sizes.get(segment));
        // A segment that was open has grown since its file was measured.
        if (found?.problem === 'blob beyond file') {
          sizes.set(segment, await fileSize(segmentPath(segments, segment)));
          found = blobProblem(row, sizes.get(segment));
        }
        if (found === undefined && bytes) found = await recordProblem(blobs, row);
        // Expunged and collected since the page was read: nothing is wrong.
        if (found !== undefined && reader.get('SELECT 1 FROM message WHERE id = ?', Number(row['id'])) !== undefined)
          yield found;
      }
  } finally {
    blobs.close();
  }
}

async function fileSize(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch {
    return undefined;
  }
}

function blobProblem(row: Row, fileBytes: number | undefined): StoreProblem | undefined {
  const where = messageName(row['id']);
  const segment = idOf<SegmentId>(row['segment']);
  const offset = Number(row['offset']);
  const length = Number(row['length']);
  const name = `segment ${idText(segment)}`;
  if (row['known'] === null) return { problem: 'no segment row', where, detail: `${name} is not known` };
  if (fileBytes === undefined) return { problem: 'no segment file', where, detail: `${name} has no file` };
  if (row['codec'] !== PLAIN) return { problem: 'codec', where, detail: `${row['codec']} is not known` };
  if (offset < RECORD_HEADER_BYTES || length < 0 || offset + length > fileBytes) {
    const detail = `bytes ${offset} to ${offset + length} of ${name}, which has ${fileBytes}`;
    return { problem: 'blob beyond file', where, detail };
  }
  return undefined;
}

/** The record around a blob: header, checksum and hash. */
async function recordProblem(blobs: Blobs, row: Row): Promise<StoreProblem | undefined> {
  const where = messageName(row['id']);
  const segment = idOf<SegmentId>(row['segment']);
  const offset = Number(row['offset']);
  const length = Number(row['length']);
  const record = {
    segment,
    offset: offset - RECORD_HEADER_BYTES,
    length: RECORD_HEADER_BYTES + length,
    hash: row['hash'] as Uint8Array,
    codec: PLAIN,
  };
  try {
    const header = parseRecordHeader(await blobs.read(record, 0, RECORD_HEADER_BYTES));
    if (header === undefined) return { problem: 'record header', where, detail: 'there is none before its bytes' };
    if (header.id !== row['id'] || header.length !== length)
      return { problem: 'record header', where, detail: `of ${messageName(header.id)}, ${header.length} bytes` };
    let checksum = 0;
    const hash = createHash('sha256');
    for (let at = RECORD_HEADER_BYTES; at < record.length; at += BLOB_CHUNK_BYTES) {
      const piece = await blobs.read(record, at, BLOB_CHUNK_BYTES);
      checksum = crc32(piece, checksum);
      hash.update(piece);
    }
    if (checksum !== header.checksum)
      return { problem: 'record checksum', where, detail: 'its bytes are not those that were written' };
    if (!hash.digest().equals(record.hash))
      return { problem: 'record hash', where, detail: 'its bytes are not those that its row names' };
    return undefined;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { problem: 'blob cannot be read', where, detail: error.detail ?? error.message };
  }
}
