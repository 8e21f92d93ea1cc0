// Queue rows of one message in the text form (text-form.ts), a piece at a time: a message need not fit in memory.
//
// In      rows of one message and one sender
// Out     their lines and the message's first bytes, then piece by piece the bytes that follow
// Never   shows our Return-Path line, which is not of the message
// Errors  Failure('not-found') where a row or the message has gone, between two pieces too

import { Failure } from '../base/failure.ts';
import { idText, type QueueRowId } from '../base/ids.ts';
import type { Reader } from '../database/operation.ts';
import { Blobs } from '../store/blobs.ts';
import { storedMessage } from './deliveries.ts';
import { carriedBy, type QueueRow, queueRow } from './queue.ts';
import { type TextForm, writeTextHead } from './text-form.ts';

/** Bytes of a piece. */
const PIECE_BYTES = 256 * 1024;

export interface RawPiece {
  readonly bytes: Buffer;
  /** Where the next piece begins; undefined behind the last one. */
  readonly at: number | undefined;
}

export interface RawParts {
  readonly reader: Reader;
  /** The directory of the segment files. */
  readonly segments: string;
}

/** `at`: what the piece before has given; undefined: the first one. */
export async function rawPiece(
  { reader, segments }: RawParts,
  ids: readonly QueueRowId[],
  at: number | undefined,
): Promise<RawPiece> {
  const rows = reader
    .all('SELECT * FROM queue WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id', JSON.stringify(ids))
    .map(queueRow);
  const [first] = rows;
  const message = first && storedMessage(reader, first.message);
  if (message === undefined || rows.length < ids.length)
    throw new Failure('not-found', 'it is not in the queue any more');
  const { blob, traceBytes } = message;
  const from = at ?? traceBytes;
  const blobs = new Blobs(segments, reader);
  try {
    const body = await blobs.read(blob, from, PIECE_BYTES);
    const next = from + body.length;
    return {
      bytes: at === undefined ? Buffer.concat([writeTextHead(formOf(rows)), body]) : body,
      at: next < blob.length ? next : undefined,
    };
  } finally {
    blobs.close();
  }
}

function formOf(rows: readonly QueueRow[]): TextForm {
  const carried = rows.map(carriedBy);
  const { envelope, request } = carried[0]!;
  const [channel, ...others] = new Set(rows.map((row) => row.channel));
  return {
    envelope: { ...envelope, recipients: carried.flatMap(({ envelope: { recipients } }) => recipients) },
    id: idText(rows[0]!.message),
    arrivedAt: Math.min(...rows.map(({ createdAt }) => createdAt)),
    ...('dn' in request.caller ? { login: request.caller.dn } : {}),
    ...(others.length === 0 ? { channel: channel! } : {}),
  };
}
