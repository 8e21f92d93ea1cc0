// The text of one message for SEARCH: header values and text parts, decoded, without regard to case.
//
// In      a message's row and bytes, all texts that are looked for
// Out     whether header or body hold one
// Limits  HEADER_BYTES of a header, PART_BYTES of each text part, MESSAGE_BYTES of them together; attachments are no text
// RFC 3501 §6.4.4 BODY, TEXT, HEADER; RFC 2045, RFC 2047

import { Failure } from '../../base/failure.ts';
import { decodeWords, eachDecodedText } from '../../message/decode.ts';
import { fieldValue, type Header, parseHeader } from '../../message/header.ts';
import { findParameter } from '../../message/parameters.ts';
import { isMessage, type Part } from '../../message/part.ts';
import { decodeStructure } from '../../message/structure.ts';
import type { Blobs } from '../../store/blobs.ts';
import type { MessageRow } from '../../store/messages.ts';

const PART_BYTES = 4 * 1024 * 1024;
const MESSAGE_BYTES = 16 * 1024 * 1024;

/** RFC 5051 is more than clients expect: lower case of Unicode, composed. */
export function fold(text: string): string {
  return text.normalize('NFC').toLowerCase();
}

export class MessageText {
  readonly #row: MessageRow;
  readonly #blobs: Blobs;
  readonly #needles: { readonly body: ReadonlySet<string>; readonly text: ReadonlySet<string> };
  readonly #breathe: () => Promise<void> | undefined;
  readonly #structure: Part;
  #header: Header | undefined;
  #foundInBody: ReadonlySet<string> | undefined;

  constructor(
    row: MessageRow,
    blobs: Blobs,
    needles: { readonly body: ReadonlySet<string>; readonly text: ReadonlySet<string> },
    breathe: () => Promise<void> | undefined,
  ) {
    this.#row = row;
    this.#blobs = blobs;
    this.#needles = needles;
    this.#breathe = breathe;
    this.#structure = decodeStructure(row.structure);
  }

  /** `field` in lower case; an empty text asks whether the field is there. */
  async hasHeader(field: string, text: string): Promise<boolean> {
    const header = await this.#readHeader();
    const needle = fold(text);
    return header.fields.some(
      (one) => one.name === field && fold(decodeWords(fieldValue(header, one))).includes(needle),
    );
  }

  /** `needle` is one of those that were announced, folded. */
  async bodyHas(needle: string): Promise<boolean> {
    this.#foundInBody ??= await this.#searchBody();
    return this.#foundInBody.has(needle);
  }

  async messageHas(needle: string): Promise<boolean> {
    return fold(headerText(await this.#readHeader())).includes(needle) || (await this.bodyHas(needle));
  }

  async #readHeader(): Promise<Header> {
    this.#header ??= parseHeader(await this.#read(this.#structure.headerStart, this.#structure.bodyStart));
    return this.#header;
  }

  /** Empty when the message has been expunged and collected meanwhile. */
  async #read(start: number, end: number): Promise<Buffer> {
    try {
      return await this.#blobs.read(this.#row.blob, start, Math.min(PART_BYTES, end - start));
    } catch (error) {
      if (error instanceof Failure && error.kind === 'not-found') return Buffer.alloc(0);
      throw error;
    }
  }

  /** All needles at once, so that many keys cost one reading. */
  async #searchBody(): Promise<ReadonlySet<string>> {
    const open = new Set([...this.#needles.body, ...this.#needles.text]);
    const found = new Set<string>();
    const overlap = Math.max(0, ...[...open].map((needle) => needle.length - 1));
    let leftBytes = MESSAGE_BYTES;
    for (const part of textParts(this.#structure)) {
      let before = '';
      const { start, end } = textRange(part);
      const bytes = Math.min(end - start, leftBytes);
      leftBytes -= bytes;
      for await (const piece of this.#pieces(part, start, start + bytes)) {
        const text = before + fold(piece);
        for (const needle of open) if (text.includes(needle)) found.add(needle);
        for (const needle of found) open.delete(needle);
        if (open.size === 0) return found;
        before = overlap === 0 ? '' : text.slice(-overlap);
      }
      if (leftBytes <= 0) break;
    }
    // An empty text is in every body, also in one without text.
    if (open.has('')) found.add('');
    return found;
  }

  async *#pieces(part: Part, start: number, end: number): AsyncGenerator<string> {
    const body = await this.#read(start, end);
    if (isMessage(part)) {
      yield headerText(parseHeader(body));
      return;
    }
    const charset = findParameter(part.parameters, 'charset') ?? 'us-ascii';
    for (const piece of eachDecodedText(body, part.encoding, charset)) {
      yield piece;
      await this.#breathe();
    }
  }
}

/** In the order of the message: text parts, and attached messages for their header fields. */
function* textParts(part: Part): Generator<Part> {
  if (isMessage(part) || part.type === 'text') yield part;
  for (const inner of part.parts) yield* textParts(inner);
}

/** An attached message's own text parts come after it. */
function textRange(part: Part): { start: number; end: number } {
  const inner = isMessage(part) ? part.parts[0]! : undefined;
  if (inner === undefined) return { start: part.bodyStart, end: part.bodyEnd };
  return { start: inner.headerStart, end: inner.bodyStart };
}

/** A field a line, so that no text is found across two of them. */
function headerText(header: Header): string {
  return header.fields.map((field) => `${field.name}: ${decodeWords(fieldValue(header, field))}\n`).join('');
}
