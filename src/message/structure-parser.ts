// Reads the MIME structure of a message in one pass over its bytes, without recursion.
//
// In      the bytes of a message; any bytes at all, it never throws
// Out     the tree of parts (structure.ts) and the message's own header section
// Limits  MIME_DEPTH_MAX, MIME_PARTS_MAX, MIME_DELIMITERS_MAX, MIME_STRUCTURE_BYTES; beyond one of them a part is
//         opaque text that reaches to the end of what holds it: still stored and fetchable
// How     a stack of open parts; the next line that is a delimiter of any of them closes those above its owner
// RFC 2046 §5.1.1 §5.2.1, RFC 2045 §5.2

import { MIME_DELIMITERS_MAX, MIME_DEPTH_MAX, MIME_PARTS_MAX, MIME_STRUCTURE_BYTES } from '../base/limits.ts';
import { fieldValue, type Header, parseHeader } from './header.ts';
import { EMPTY_HEADER, encodeHeader, type HeaderValues, readHeaderValues } from './header-values.ts';
import { countLines } from './lines.ts';
import {
  type ContentType,
  DEFAULT_CONTENT_TYPE,
  type Disposition,
  findParameter,
  parseContentType,
  parseDisposition,
  parseLanguages,
  parseTransferEncoding,
} from './parameters.ts';
import type { Part } from './part.ts';

/** A part that is still being read. */
type OpenPart = { -readonly [K in keyof Part]: K extends 'parts' ? OpenPart[] : Part[K] };

interface Frame {
  readonly part: OpenPart;
  /** Undefined for a part that is not divided, and once its closing delimiter has come. */
  boundary: string | undefined;
}

interface Delimiter {
  readonly frame: number;
  readonly isClosing: boolean;
  readonly lineStart: number;
  readonly lineEnd: number;
}

const MESSAGE: ContentType = { type: 'message', subtype: 'rfc822', parameters: [] };
const OPAQUE: ContentType = { type: 'text', subtype: 'plain', parameters: [] };
const LINE_WITH_DASHES = Buffer.from('\n--');
/** Bytes of a line that may be a delimiter: 70 of boundary (RFC 2046 §5.1.1), with room for broken mailers and padding. */
const DELIMITER_LINE_BYTES = 512;
/** Comparing a line with the boundaries takes about ten times as long as finding the next line with dashes. */
const COMPARISON_COST = 9;

export interface ParsedStructure {
  readonly structure: Part;
  readonly header: Header;
}

export function parseStructure(bytes: Buffer): ParsedStructure {
  return new StructureParser(bytes).parse();
}

class StructureParser {
  readonly #bytes: Buffer;
  readonly #frames: Frame[] = [];
  /** How many open boundaries begin with each byte: most lines with dashes are ruled out by it. Most messages need none. */
  #firstBytes: Uint8Array | undefined;
  #root: ParsedStructure | undefined;
  #partCount = 0;
  #delimitersLeft = MIME_DELIMITERS_MAX;
  #textLeft = MIME_STRUCTURE_BYTES;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  parse(): ParsedStructure {
    let at = this.#open(0);
    // Without a boundary there is nothing to look for.
    while (this.#frames.some((frame) => frame.boundary !== undefined)) {
      const delimiter = this.#nextDelimiter(at);
      if (delimiter === undefined) break;
      at = delimiter.lineEnd;
      if (!delimiter.isClosing && this.#partCount >= MIME_PARTS_MAX) continue;
      this.#closeAbove(delimiter.frame, this.#endBefore(delimiter.lineStart));
      if (delimiter.isClosing) this.#setBoundary(this.#frames[delimiter.frame]!, undefined);
      else at = this.#open(at);
    }
    this.#closeAbove(-1, this.#bytes.length);
    const root = this.#root!;
    countLines(this.#bytes, root.structure as OpenPart);
    return root;
  }

  /** Opens the part whose header begins here, and the messages in it; gives where its body begins. */
  #open(headerStart: number): number {
    let at = headerStart;
    let content: ContentType;
    do {
      const parent = this.#frames[this.#frames.length - 1]?.part;
      const isInMessage = parent !== undefined && parent.type === 'message';
      const test = this.#frames.length > 0 ? this.#isDelimiterLine : undefined;
      const header = parseHeader(this.#bytes, at, this.#bytes.length, test);
      if (isInMessage) parent.header = this.#keepValues(readHeaderValues(header));
      const part = this.#readPart(header, parent?.subtype === 'digest' && parent.type === 'multipart');
      parent?.parts.push(part);
      this.#root ??= { structure: part, header };
      this.#partCount++;
      content = this.#divisible(part);
      const frame: Frame = { part, boundary: undefined };
      if (content.type === 'multipart') this.#setBoundary(frame, findParameter(content.parameters, 'boundary'));
      this.#frames.push(frame);
      at = header.end;
    } while (content.type === 'message' && content.subtype === 'rfc822');
    return at;
  }

  /** What the part is to us: a part that would take us over a bound is made opaque text. */
  #divisible(part: OpenPart): ContentType {
    const isDivided = part.type === 'multipart' || (part.type === 'message' && part.subtype === 'rfc822');
    if (isDivided && (this.#frames.length >= MIME_DEPTH_MAX || this.#partCount >= MIME_PARTS_MAX))
      Object.assign(part, OPAQUE);
    return part;
  }

  #setBoundary(frame: Frame, boundary: string | undefined): void {
    if (frame.boundary === boundary) return;
    this.#firstBytes ??= new Uint8Array(256);
    if (frame.boundary) this.#firstBytes[frame.boundary.charCodeAt(0)]!--;
    frame.boundary = boundary?.trimEnd() || undefined;
    if (frame.boundary) this.#firstBytes[frame.boundary.charCodeAt(0)]!++;
  }

  #closeAbove(frame: number, end: number): void {
    let closedAt = end;
    while (this.#frames.length > frame + 1) {
      const closing = this.#frames.pop()!;
      this.#setBoundary(closing, undefined);
      // A header without an empty line may reach up to the delimiter: then the body is empty and begins there.
      closedAt = Math.max(closedAt, closing.part.bodyStart);
      closing.part.bodyEnd = closedAt;
    }
  }

  /** The line break before a delimiter belongs to the delimiter. RFC 2046 §5.1.1 */
  #endBefore(lineStart: number): number {
    if (this.#bytes[lineStart - 1] !== 0x0a) return lineStart;
    return this.#bytes[lineStart - 2] === 0x0d ? lineStart - 2 : lineStart - 1;
  }

  /** The next delimiter of an open part at or behind `from`, which is the start of a line. */
  #nextDelimiter(from: number): Delimiter | undefined {
    const bytes = this.#bytes;
    let at = from;
    while (this.#delimitersLeft > 0) {
      if (bytes[at] === 0x2d && bytes[at + 1] === 0x2d && this.#firstBytes![bytes[at + 2]!]! > 0) {
        this.#delimitersLeft -= COMPARISON_COST;
        const match = this.#match(lineText(bytes, at));
        if (match !== undefined) {
          const lineFeed = bytes.indexOf(0x0a, at);
          return { ...match, lineStart: at, lineEnd: lineFeed < 0 ? bytes.length : lineFeed + 1 };
        }
      }
      this.#delimitersLeft--;
      const lineFeed = bytes.indexOf(LINE_WITH_DASHES, at);
      if (lineFeed < 0) return undefined;
      at = lineFeed + 1;
    }
    return undefined;
  }

  /**
   * A line that begins with `--`: whose delimiter it is, the innermost part's first. Spaces behind it are padding.
   * RFC 2046 §5.1.1: a line that only begins with the boundary is a delimiter too, if no other boundary fits better.
   */
  #match(line: string): { frame: number; isClosing: boolean } | undefined {
    const text = line.slice(2).trimEnd();
    let prefix = -1;
    let prefixLength = 0;
    for (let frame = this.#frames.length - 1; frame >= 0; frame--) {
      const { boundary } = this.#frames[frame]!;
      if (boundary === undefined || !text.startsWith(boundary)) continue;
      if (text.length === boundary.length) return { frame, isClosing: false };
      if (text.length === boundary.length + 2 && text.endsWith('--')) return { frame, isClosing: true };
      if (boundary.length <= prefixLength) continue;
      prefix = frame;
      prefixLength = boundary.length;
    }
    return prefix < 0 ? undefined : { frame: prefix, isClosing: text.startsWith('--', prefixLength) };
  }

  /** Of a line in a header: it costs what one in a body costs. */
  readonly #isDelimiterLine = (text: string, lineStart: number): boolean => {
    if (this.#delimitersLeft <= 0 || !this.#firstBytes?.[text.charCodeAt(lineStart + 2)]) return false;
    this.#delimitersLeft -= 1 + COMPARISON_COST;
    const lineFeed = text.indexOf('\n', lineStart);
    const lineEnd = lineFeed < 0 ? text.length : lineFeed;
    return this.#match(text.slice(lineStart, Math.min(lineEnd, lineStart + DELIMITER_LINE_BYTES))) !== undefined;
  };

  #readPart(header: Header, isInDigest: boolean): OpenPart {
    let content: ContentType | undefined;
    let encoding: string | undefined;
    let id: string | undefined;
    let description: string | undefined;
    let md5: string | undefined;
    let disposition: Disposition | undefined;
    let languages: readonly string[] = [];
    let location: string | undefined;
    for (const field of header.fields) {
      if (!field.name.startsWith('content-')) continue;
      const value = this.#keep(fieldValue(header, field));
      if (value === undefined) continue;
      if (field.name === 'content-type') content ??= parseContentType(value);
      else if (field.name === 'content-transfer-encoding') encoding ??= parseTransferEncoding(value);
      else if (field.name === 'content-id') id ??= value;
      else if (field.name === 'content-description') description ??= value;
      else if (field.name === 'content-md5') md5 ??= value;
      else if (field.name === 'content-disposition') disposition ??= parseDisposition(value);
      else if (field.name === 'content-language') languages = parseLanguages(value);
      else if (field.name === 'content-location') location ??= value;
    }
    content ??= isInDigest ? MESSAGE : DEFAULT_CONTENT_TYPE;
    return {
      type: content.type,
      subtype: content.subtype,
      headerStart: header.start,
      bodyStart: header.end,
      bodyEnd: header.end,
      lines: 0,
      parameters: content.parameters,
      encoding: encoding ?? '7bit',
      id,
      description,
      md5,
      disposition,
      languages,
      location,
      header: undefined,
      parts: [],
    };
  }

  #keepValues(values: HeaderValues): HeaderValues {
    return this.#keep(encodeHeader(values)) === undefined ? EMPTY_HEADER : values;
  }

  /** The text, as long as the structure has room for it. */
  #keep(text: string): string | undefined {
    if (text.length > this.#textLeft) return undefined;
    this.#textLeft -= text.length;
    return text;
  }
}

/** The line at `at`, its end cut off when it is long. */
function lineText(bytes: Buffer, at: number): string {
  const window = bytes.subarray(at, at + DELIMITER_LINE_BYTES);
  const lineFeed = window.indexOf(0x0a);
  return window.toString('latin1', 0, lineFeed < 0 ? window.length : lineFeed);
}
