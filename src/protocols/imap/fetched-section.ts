// One BODY[...] of one message on its way out: found in the structure, read ahead when it is small, streamed when not.
//
// In      a message's row, what was asked for
// Out     `BODY[...] {n}` and n bytes, or NIL for a part that the message has not
// Limits  the whole batch's budget is read ahead; a large section goes in pieces of BLOB_CHUNK_BYTES
// RFC 3501 §6.4.5

import type { Part } from '../../message/part.ts';
import { cutHeaderFields, findSection } from '../../message/section.ts';
import { BLOB_CHUNK_BYTES, type Blobs } from '../../store/blobs.ts';
import type { MessageRow } from '../../store/messages.ts';
import type { FetchSection } from '../../wire/imap/commands/fetch.ts';
import { encodeAbsentSection, encodeSectionHead } from '../../wire/imap/responses/fetch.ts';

/** Bytes that a batch of messages may still read ahead. */
export interface Budget {
  leftBytes: number;
}

export interface SectionOutput {
  /** Text in latin1, gathered and written at the end of the turn. */
  write(text: string): void;
  /** The bytes must not change until they are gone. */
  writeBytes(bytes: Uint8Array): void;
  /** Undefined, or a wait: for a peer that does not take what it asked for, or for a turn of other connections. */
  breathe(): Promise<void> | undefined;
  /** Cuts the connection: in the middle of a literal an error cannot be reported. */
  abort(error: unknown): void;
  /** The peer is gone: what is under way may stop. */
  readonly gone: boolean;
}

/** Below it a copy into the text costs less than a buffer of its own. */
const INLINE_BYTES = 8 * 1024;

export class FetchedSection {
  readonly #item: FetchSection;
  readonly #row: MessageRow;
  readonly #blobs: Blobs;
  /** Of the message's bytes; undefined when there is no such part. */
  readonly #range: { readonly start: number; readonly end: number } | undefined;
  /** All of it, or its first piece. */
  #bytes: Buffer | undefined;

  /** `structure` decodes the row's once for all its sections. */
  constructor(item: FetchSection, row: MessageRow, structure: () => Part, blobs: Blobs) {
    this.#item = item;
    this.#row = row;
    this.#blobs = blobs;
    this.#range = this.#find(structure);
  }

  #find(structure: () => Part): { start: number; end: number } | undefined {
    const { section, partial } = this.#item;
    const isWhole = section.part.length === 0 && section.text === undefined;
    const found = isWhole ? { start: 0, end: this.#row.blob.length } : findSection(structure(), section);
    if (found === undefined || partial === undefined || this.#cutsFields) return found;
    const start = Math.min(found.end, found.start + partial.offset);
    return { start, end: Math.min(found.end, start + partial.length) };
  }

  get #cutsFields(): boolean {
    const { text } = this.#item.section;
    return text === 'HEADER.FIELDS' || text === 'HEADER.FIELDS.NOT';
  }

  get #sizeBytes(): number {
    return this.#range === undefined ? 0 : this.#range.end - this.#range.start;
  }

  /** Reads all of a section that the budget allows. */
  async readAhead(budget: Budget): Promise<void> {
    if (this.#sizeBytes > budget.leftBytes) return;
    budget.leftBytes -= this.#sizeBytes;
    await this.open();
  }

  /** Reads the first piece, so that a message that cannot be read is known before anything is announced. */
  async open(): Promise<void> {
    if (this.#range === undefined || this.#bytes !== undefined) return;
    // A header is bounded, and its fields are cut from the whole of it.
    const size = this.#cutsFields ? this.#sizeBytes : Math.min(this.#sizeBytes, BLOB_CHUNK_BYTES);
    this.#bytes = await this.#blobs.read(this.#row.blob, this.#range.start, size);
    if (this.#cutsFields) this.#bytes = this.#cut(this.#bytes);
  }

  #cut(header: Buffer): Buffer {
    const { section, partial } = this.#item;
    const cut = cutHeaderFields(header, section.fields, section.text as 'HEADER.FIELDS' | 'HEADER.FIELDS.NOT');
    const text = partial === undefined ? cut : cut.slice(partial.offset, partial.offset + partial.length);
    return Buffer.from(text, 'latin1');
  }

  /** Writes the section behind `text`, or gives both back as text for more to come behind. After open(). */
  async write(text: string, to: SectionOutput): Promise<string> {
    const range = this.#range;
    const first = this.#bytes;
    if (range === undefined || first === undefined) return text + encodeAbsentSection(this.#item);
    this.#bytes = undefined;
    const sizeBytes = this.#cutsFields ? first.length : this.#sizeBytes;
    const head = text + encodeSectionHead(this.#item, sizeBytes);
    if (sizeBytes <= INLINE_BYTES) return head + first.toString('latin1');
    to.write(head);
    to.writeBytes(first);
    await to.breathe();
    for (let sent = first.length; sent < sizeBytes && !to.gone; ) {
      try {
        const size = Math.min(BLOB_CHUNK_BYTES, sizeBytes - sent);
        const bytes = await this.#blobs.read(this.#row.blob, range.start + sent, size);
        to.writeBytes(bytes);
        sent += bytes.length;
        await to.breathe();
      } catch (error) {
        to.abort(error);
        return '';
      }
    }
    return '';
  }
}
