// The text of one message for SEARCH: header values and text parts, decoded, without regard to case (i;unicode-casemap).
//
// In      a message's row and bytes, all texts that are looked for
// Out     whether header or body hold one; or all of the text that any key can look at, for the index. BODY is the text of text parts; TEXT is that and all header fields, of the
//         message, its parts and the messages in it, as they stand and decoded. A key for an address field also looks at
//         the addresses as they are parsed, `mailbox@host`: comments and white space may stand between
// Limits  HEADER_BYTES of a header, PART_BYTES of each text part, MESSAGE_BYTES of them together; attachments are no text.
//         Of more than PART_BYTES a search sees what depends on its keys: such a message has no whole text
// RFC 3501 §6.4.4 BODY, TEXT, HEADER; RFC 2045, RFC 2047

import { Failure } from '../base/failure.ts';
import { parseAddressList } from '../message/addresses.ts';
import { decodeExtended, decodeRaw, decodeWords, eachDecodedText } from '../message/decode.ts';
import { fieldValue, type Header, parseHeader } from '../message/header.ts';
import { findParameter, type Parameters } from '../message/parameters.ts';
import type { Part } from '../message/part.ts';
import { decodeStructure } from '../message/structure.ts';
import { fold } from '../message/unicode-casemap.ts';
import type { Blobs } from './blobs.ts';
import type { MessageRow } from './messages.ts';

const PART_BYTES = 4 * 1024 * 1024;
const MESSAGE_BYTES = 16 * 1024 * 1024;
const ADDRESS_FIELDS: ReadonlySet<string> = new Set(['from', 'sender', 'reply-to', 'to', 'cc', 'bcc']);

/** The texts that are in BODY, and those that are in what TEXT sees beyond the message's own header. */
interface Found {
  readonly body: Set<string>;
  readonly text: Set<string>;
}

/** A header, or a piece of a text part; `begins` is that part's first. */
interface TextPiece {
  readonly kind: 'header' | 'body';
  readonly text: string;
  readonly begins: boolean;
}

/** What the index is made of. */
export interface WholeText {
  /** Of the message and of its parts, with addresses as they are parsed. */
  readonly header: string;
  /** Of all text parts. */
  readonly body: string;
}

interface Needles {
  readonly body: ReadonlySet<string>;
  readonly text: ReadonlySet<string>;
}

export const NO_NEEDLES: Needles = { body: new Set(), text: new Set() };

export class MessageText {
  readonly #row: MessageRow;
  readonly #blobs: Blobs;
  readonly #needles: Needles;
  readonly #breathe: () => Promise<void> | undefined;
  readonly #structure: Part;
  #header: Header | undefined;
  #found: Found | undefined;
  #isGone = false;

  constructor(row: MessageRow, blobs: Blobs, needles: Needles, breathe: () => Promise<void> | undefined) {
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
    return header.fields.some((one) => {
      if (one.name !== field) return false;
      const value = fieldValue(header, one);
      if (fold(decodeWords(value)).includes(needle)) return true;
      return ADDRESS_FIELDS.has(field) && fold(addressesText(value)).includes(needle);
    });
  }

  /** `needle` is one of those that were announced, folded. */
  async bodyHas(needle: string): Promise<boolean> {
    this.#found ??= await this.#searchParts();
    return this.#found.body.has(needle);
  }

  async messageHas(needle: string): Promise<boolean> {
    if (fold(partHeaderText(this.#structure, await this.#readHeader())).includes(needle)) return true;
    this.#found ??= await this.#searchParts();
    return this.#found.text.has(needle);
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
      if (!(error instanceof Failure && error.kind === 'not-found')) throw error;
      this.#isGone = true;
      return Buffer.alloc(0);
    }
  }

  /** There is more of it than a search is sure to read: it has no whole text. */
  get isTooLong(): boolean {
    return textBytes(this.#structure) > PART_BYTES;
  }

  /**
   * All that any key can find a text in, folded as the keys' texts are: whatever is part of a value, a header or a body is
   * part of this. Undefined of a message whose bytes are gone.
   */
  async whole(): Promise<WholeText | undefined> {
    if (this.isTooLong) throw new Error('the text is too long');
    const own = await this.#readHeader();
    let header = fold(partHeaderText(this.#structure, own));
    for (const field of own.fields) {
      if (!ADDRESS_FIELDS.has(field.name)) continue;
      for (const address of fold(addressesText(fieldValue(own, field))).split('\n'))
        if (!header.includes(address)) header += `${address}\n`;
    }
    let body = '';
    for await (const { kind, text, begins } of this.#texts(() => true)) {
      if (kind === 'header') header += text;
      else body += begins ? `\n${text}` : text;
    }
    return this.#isGone ? undefined : { header, body };
  }

  /** Headers of the parts, while they are asked for, and text parts piece by piece, folded. Never the message's own header. */
  async *#texts(wantsHeaders: () => boolean): AsyncGenerator<TextPiece> {
    let leftBytes = MESSAGE_BYTES;
    for (const part of allParts(this.#structure)) {
      if (leftBytes <= 0) return;
      const isText = part.type === 'text';
      const readsHeader = part !== this.#structure && wantsHeaders();
      const start = readsHeader ? part.headerStart : part.bodyStart;
      const end = isText ? part.bodyEnd : readsHeader ? part.bodyStart : start;
      const bytes = await this.#read(start, Math.min(end, start + leftBytes));
      leftBytes -= bytes.length;
      if (readsHeader) {
        const header = parseHeader(bytes.subarray(0, part.bodyStart - start));
        yield { kind: 'header', text: fold(partHeaderText(part, header)), begins: true };
      }
      if (!isText) continue;
      let begins = true;
      const charset = findParameter(part.parameters, 'charset') ?? '';
      for (const piece of eachDecodedText(bytes.subarray(part.bodyStart - start), part.encoding, charset)) {
        if (piece !== '') {
          yield { kind: 'body', text: fold(piece), begins };
          begins = false;
        }
        await this.#breathe();
      }
    }
  }

  /** All needles at once, so that many keys cost one reading. */
  async #searchParts(): Promise<Found> {
    const found: Found = { body: new Set(), text: new Set() };
    // An empty text is in every body, also in one without text.
    if (this.#needles.body.has('')) found.body.add('');
    if (this.#needles.text.has('')) found.text.add('');
    const open = { body: without(this.#needles.body, found.body), text: without(this.#needles.text, found.text) };
    const isOver = (): boolean => open.body.size === 0 && open.text.size === 0;
    const look = (text: string, kind: 'body' | 'text'): void => {
      for (const needle of open[kind]) {
        if (!text.includes(needle)) continue;
        found[kind].add(needle);
        open[kind].delete(needle);
      }
    };
    if (isOver()) return found;
    const overlap = Math.max(0, ...[...open.body, ...open.text].map((needle) => needle.length - 1));
    let before = '';
    // Only TEXT asks for the headers of parts.
    for await (const { kind, text, begins } of this.#texts(() => open.text.size > 0)) {
      if (kind === 'header') look(text, 'text');
      else {
        const all = begins ? text : before + text;
        look(all, 'body');
        look(all, 'text');
        before = overlap === 0 ? '' : all.slice(-overlap);
      }
      if (isOver()) break;
    }
    return found;
  }
}

function without(all: ReadonlySet<string>, some: ReadonlySet<string>): Set<string> {
  return new Set([...all].filter((one) => !some.has(one)));
}

/** Bytes of all that is text to us. */
function textBytes(structure: Part): number {
  let bytes = 0;
  for (const part of allParts(structure))
    bytes += (part.type === 'text' ? part.bodyEnd : part.bodyStart) - part.headerStart;
  return bytes;
}

/** In the order of the message. */
function* allParts(part: Part): Generator<Part> {
  yield part;
  for (const inner of part.parts) yield* allParts(inner);
}

/** A field a line, so that no text is found across two of them; lines that are no field as they stand. */
function headerText(header: Header): string {
  return header.fields
    .map((field) => {
      const value = decodeWords(fieldValue(header, field));
      return field.name === '' ? `${value}\n` : `${field.name}: ${value}\n`;
    })
    .join('');
}

/** With the values of parameters as they are meant, file names above all. */
function partHeaderText(part: Part, header: Header): string {
  return headerText(header) + parametersText(part.parameters) + parametersText(part.disposition?.parameters ?? []);
}

function parametersText(parameters: Parameters): string {
  let text = '';
  for (let i = 0; i < parameters.length; i += 2) {
    const value = parameters[i + 1]!;
    text += `${parameters[i]!.endsWith('*') ? decodeExtended(value) : decodeWords(value)}\n`;
  }
  return text;
}

/** An address a line. */
function addressesText(value: string): string {
  let text = '';
  for (const [, , mailbox, host] of parseAddressList(value))
    if (mailbox !== null && host !== null) text += `${decodeRaw(`${mailbox}@${host}`)}\n`;
  return text;
}
