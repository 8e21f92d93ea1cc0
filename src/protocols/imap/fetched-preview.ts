// PREVIEW of one message: made when it is asked for, from the first text part that says something.
//
// Limits  PARTS_MAX parts, PART_BYTES of each; LAZY gives NIL where the text begins behind LAZY_BYTES of the message
// RFC 8970 §3.2 §4.1

import type { Part } from '../../message/part.ts';
import { previewOf, previewParts } from '../../message/preview.ts';
import type { Blobs } from '../../store/blobs.ts';
import type { MessageRow } from '../../store/messages.ts';
import type { FetchPreview } from '../../wire/imap/commands/fetch.ts';
import { encodeNString } from '../../wire/imap/responses/strings.ts';
import type { Budget } from './fetched-section.ts';

const PARTS_MAX = 4;
const PART_BYTES = 32 * 1024;
const LAZY_BYTES = 64 * 1024;

export class FetchedPreview {
  readonly #item: FetchPreview;
  readonly #row: MessageRow;
  readonly #structure: () => Part;
  readonly #blobs: Blobs;
  /** Null: too slow for LAZY. */
  #text: string | null | undefined;

  constructor(item: FetchPreview, row: MessageRow, structure: () => Part, blobs: Blobs) {
    this.#item = item;
    this.#row = row;
    this.#structure = structure;
    this.#blobs = blobs;
  }

  async readAhead(budget: Budget): Promise<void> {
    if (budget.leftBytes < PART_BYTES) return;
    budget.leftBytes -= PART_BYTES;
    await this.open();
  }

  async open(): Promise<void> {
    if (this.#text !== undefined) return;
    let text: string | null = '';
    let left = PARTS_MAX;
    for (const part of previewParts(this.#structure())) {
      if (text !== '' || left-- === 0) break;
      const bytes = Math.min(PART_BYTES, part.bodyEnd - part.bodyStart);
      const isSlow = this.#item.preview === 'lazy' && part.bodyStart + bytes > LAZY_BYTES;
      text = isSlow ? null : previewOf(part, await this.#blobs.read(this.#row.blob, part.bodyStart, bytes));
      if (isSlow) break;
    }
    this.#text = text;
  }

  async write(text: string): Promise<string> {
    const made = this.#text ?? null;
    return `${text}PREVIEW ${encodeNString(made === null ? null : Buffer.from(made).toString('latin1'))}`;
  }
}
