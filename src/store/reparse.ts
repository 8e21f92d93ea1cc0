// Messages that an older parser has read are parsed again from their bytes, while the server runs.
//
// In      rows whose `parser` is below the program's, and their bytes
// Out     the same rows with header, structure and bare line feeds as today's parser gives them; UIDs, flags and modseqs stay as they are
// States  the counter `parser` equals the program's version -> nothing is done and nothing is read; otherwise one walk over
//         all messages by id, and the counter is set at its end. A crash begins the walk again: what is done is passed over
// Order   a slice of messages, one transaction, a pause: mail goes before
// Limits  PAGE_ROWS rows are looked at a time; a slice has SLICE_MESSAGES messages or SLICE_BYTES and one message more
// Errors  a message whose bytes cannot be read, or are others than were stored, stays as it is and is tried at the next
//         start: what an older parser has read is all that is left of it. The first LOGGED_MAX are named in the log. A
//         writer that refuses is asked again after RETRY_MS

import { hash as hashOnce } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { asFailure, Failure } from '../base/failure.ts';
import { idOf, idText, type MessageId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { operation, type Reader, type Writer } from '../database/operation.ts';
import { countBareLineFeeds } from '../message/lines.ts';
import { PARSER, parseMessage } from '../message/structure.ts';
import { blobColumns, blobOf } from './blob-row.ts';
import type { Blobs } from './blobs.ts';
import type { Blob } from './segment.ts';

const PAGE_ROWS = 500;
const SLICE_MESSAGES = 50;
const SLICE_BYTES = 1024 * 1024;
const PAUSE_MS = 20;
const RETRY_MS = 30_000;
/** Messages that cannot be parsed again and are named in the log; their number is said at the end. */
const LOGGED_MAX = 100;

interface Reparsed {
  readonly id: MessageId;
  readonly header: string;
  readonly structure: string;
  readonly bareLineFeeds: number;
}

export const storeReparsed = operation(
  'store.reparsed',
  async (tx, args: { readonly parser: number; readonly messages: readonly Reparsed[] }) => {
    for (const { id, header, structure, bareLineFeeds } of args.messages)
      await tx.run(
        'UPDATE message SET header = ?, structure = ?, bare_lf = ?, parser = ? WHERE id = ? AND parser < ?',
        header,
        structure,
        bareLineFeeds,
        args.parser,
        id,
        args.parser,
      );
  },
);

/** All messages have been tried: the next start looks at none. */
export const endReparse = operation('store.endReparse', async (tx, args: { readonly parser: number }) => {
  await tx.run("UPDATE counter SET value = ? WHERE name = 'parser'", args.parser);
});

export interface ReparseParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly blobs: Blobs;
  readonly log: Log;
  /** Between two slices; PAUSE_MS unless a test hurries. */
  readonly pauseMs?: number;
}

/** Gives the function that ends it: what is under way comes to an end. */
export function startReparse(parts: ReparseParts): () => Promise<void> {
  const stop = new AbortController();
  const walk = reparse(parts, stop.signal).catch((error: unknown) => {
    if (!stop.signal.aborted) parts.log.error('store.reparse', { detail: asFailure(error).detail ?? String(error) });
  });
  return () => {
    stop.abort();
    return walk;
  };
}

/** One walk over all messages, if there may be one that an older parser has read. Rejects when `signal` is aborted. */
export async function reparse(parts: ReparseParts, signal: AbortSignal): Promise<void> {
  const { reader, writer, log } = parts;
  const done = reader.get("SELECT value FROM counter WHERE name = 'parser'")?.['value'];
  if (done === PARSER) return;
  let parsed = 0;
  let left = 0;
  let slice: Reparsed[] = [];
  let sliceBytes = 0;
  const write = async (): Promise<void> => {
    await writeSlice(parts, slice, signal);
    parsed += slice.length;
    slice = [];
    sliceBytes = 0;
    await sleep(parts.pauseMs ?? PAUSE_MS, undefined, { signal });
  };
  for (let after = idOf<MessageId>(-1); ; ) {
    const page = reader.arrays(
      `SELECT parser, ${blobColumns()} FROM message WHERE id > ? ORDER BY id LIMIT +?`,
      after,
      PAGE_ROWS,
    );
    for (const row of page) {
      const blob = blobOf(row, 1);
      after = blob.message;
      if (Number(row[0]) >= PARSER) continue;
      const message = await parseAgain(parts, after, blob);
      if (message instanceof Failure) {
        if (left++ < LOGGED_MAX)
          log.warn('store.reparse', { message: idText(after), detail: message.detail ?? message.message });
      } else if (message !== 'gone') slice.push(message);
      sliceBytes += blob.length;
      if (slice.length >= SLICE_MESSAGES || sliceBytes >= SLICE_BYTES) await write();
      signal.throwIfAborted();
    }
    await write();
    if (page.length < PAGE_ROWS) break;
  }
  if (left === 0) await writer.execute(endReparse, { parser: PARSER });
  if (parsed > 0 || left > 0) log.info('store.reparsed', { parser: PARSER, messages: parsed, left });
}

/** A Failure when its bytes cannot be had; `gone` when it was expunged meanwhile. */
async function parseAgain(
  { reader, blobs }: ReparseParts,
  id: MessageId,
  blob: Blob,
): Promise<Reparsed | 'gone' | Failure> {
  try {
    const bytes = await blobs.read(blob);
    if (!hashOnce('sha256', bytes, 'buffer').equals(blob.hash))
      throw new Failure('unavailable', 'its bytes are not those that its row names');
    const { headerText, structureText } = parseMessage(bytes);
    return { id, header: headerText, structure: structureText, bareLineFeeds: countBareLineFeeds(bytes) };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return reader.get('SELECT 1 FROM message WHERE id = ?', id) === undefined ? 'gone' : error;
  }
}

async function writeSlice(parts: ReparseParts, messages: readonly Reparsed[], signal: AbortSignal): Promise<void> {
  if (messages.length === 0) return;
  const bytes = messages.reduce((sum, { header, structure }) => sum + header.length + structure.length, 0);
  for (;;) {
    try {
      await parts.writer.execute(storeReparsed, { parser: PARSER, messages }, bytes);
      return;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      parts.log.warn('store.reparse', { detail: error.detail ?? error.message });
      await sleep(RETRY_MS, undefined, { signal });
    }
  }
}
