// BINARY[...] and BINARY.SIZE[...] of one message: a part with its transfer encoding undone, streamed when it is large.
//
// In      a message's row, what was asked for
// Out     `BINARY[1] {n}` and n octets, `~{n}` where a NUL is among them; the size; NIL for a part that the message has not
// Twice   a large part is decoded once for its size, and again while it is sent: never as a whole in memory
// As is   the message itself, multiparts and messages in it: they have no transfer encoding of their own (RFC 2045 §6.4)
// Errors  an encoding that nobody knows: NO with UNKNOWN-CTE
// RFC 3516 §4.2 §4.3

import { isMessage, isMultipart, type Part } from '../../message/part.ts';
import { findPart } from '../../message/section.ts';
import { openTransferDecoder, type TransferDecoder } from '../../message/transfer-decoder.ts';
import { BLOB_CHUNK_BYTES, type Blobs } from '../../store/blobs.ts';
import type { MessageRow } from '../../store/messages.ts';
import type { FetchBinary } from '../../wire/imap/commands/fetch.ts';
import { encodeBinaryHead, encodeBinarySize } from '../../wire/imap/responses/fetch.ts';
import { ImapFailure } from './errors.ts';
import type { Budget, SectionOutput } from './fetched-section.ts';

/** Below it a copy into the text costs less than a buffer of its own. */
const INLINE_BYTES = 8 * 1024;

interface Encoded {
  readonly start: number;
  readonly end: number;
  readonly encoding: string;
}

export class FetchedBinary {
  readonly #item: FetchBinary;
  readonly #row: MessageRow;
  readonly #blobs: Blobs;
  readonly #body: Encoded | undefined;
  /** All of it decoded, where it was read at once. */
  #content: Buffer | undefined;
  #sizeBytes = 0;
  #hasNul = false;
  #isOpen = false;

  constructor(item: FetchBinary, row: MessageRow, structure: () => Part, blobs: Blobs) {
    this.#item = item;
    this.#row = row;
    this.#blobs = blobs;
    this.#body =
      item.part.length === 0 ? { start: 0, end: row.blob.length, encoding: 'binary' } : encodedBody(structure(), item);
  }

  async readAhead(budget: Budget): Promise<void> {
    const bytes = this.#body === undefined ? 0 : this.#body.end - this.#body.start;
    if (bytes > budget.leftBytes) return;
    budget.leftBytes -= bytes;
    await this.open();
  }

  async open(): Promise<void> {
    if (this.#isOpen || this.#body === undefined) return;
    const isSmall = this.#body.end - this.#body.start <= BLOB_CHUNK_BYTES;
    const pieces: Buffer[] = [];
    for await (const piece of this.#decoded(this.#body)) {
      this.#sizeBytes += piece.length;
      this.#hasNul ||= piece.includes(0);
      if (isSmall) pieces.push(piece);
    }
    if (isSmall) this.#content = Buffer.concat(pieces);
    this.#isOpen = true;
  }

  /** What was asked for of the decoded octets, in pieces. */
  async *#decoded({ start, end, encoding }: Encoded): AsyncGenerator<Buffer> {
    const decoder = openTransferDecoder(encoding);
    if (decoder === undefined)
      throw new ImapFailure('unsupported', `Nobody knows the encoding of this part`, 'UNKNOWN-CTE');
    const { partial } = this.#item;
    const from = partial?.offset ?? 0;
    const to = partial === undefined ? Number.POSITIVE_INFINITY : from + partial.length;
    let done = 0;
    for await (const piece of this.#pieces(decoder, start, end)) {
      const cut = piece.subarray(Math.max(0, from - done), Math.max(0, Math.min(piece.length, to - done)));
      done += piece.length;
      if (cut.length > 0) yield cut;
      if (done >= to) return;
    }
  }

  async *#pieces(decoder: TransferDecoder, start: number, end: number): AsyncGenerator<Buffer> {
    for (let at = start; at < end; at += BLOB_CHUNK_BYTES)
      yield decoder.push(await this.#blobs.read(this.#row.blob, at, Math.min(BLOB_CHUNK_BYTES, end - at)));
    yield decoder.end();
  }

  async write(text: string, to: SectionOutput): Promise<string> {
    if (this.#item.binary === 'size') return text + encodeBinarySize(this.#item.part, this.#sizeBytes);
    const body = this.#body;
    if (body === undefined) return `${text}${encodeBinaryHead(this.#item)} NIL`;
    const sign = this.#hasNul ? '~' : '';
    const head = `${text}${encodeBinaryHead(this.#item)} ${sign}{${this.#sizeBytes}}\r\n`;
    const content = this.#content;
    this.#content = undefined;
    if (content !== undefined && content.length <= INLINE_BYTES) return head + content.toString('latin1');
    to.write(head);
    try {
      for await (const piece of content === undefined ? this.#decoded(body) : [content]) {
        to.writeBytes(piece);
        await to.breathe();
        if (to.gone) return '';
      }
    } catch (error) {
      to.abort(error);
    }
    return '';
  }
}

function encodedBody(structure: Part, { part: path }: FetchBinary): Encoded | undefined {
  const part = findPart(structure, path);
  if (part === undefined) return undefined;
  const isComposite = isMultipart(part) || isMessage(part);
  return { start: part.bodyStart, end: part.bodyEnd, encoding: isComposite ? 'binary' : part.encoding };
}
