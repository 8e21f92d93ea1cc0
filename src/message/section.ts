// Where a section of a message stands in its bytes: BODY[1.2.MIME], BODY[HEADER], BODY[2.TEXT] and so on.
//
// In      a decoded structure and the section as a value (wire/imap parses its text)
// Out     a range of the message's bytes; undefined when the message has no such part
// RFC 3501 §6.4.5

import { cutFields, parseHeader } from './header.ts';
import { isMessage, isMultipart, type Part } from './part.ts';

export interface SectionName {
  /** `1.2` is [1, 2]; empty for the message itself. */
  readonly part: readonly number[];
  /** Undefined: all of the message, or the body of the part. */
  readonly text: 'HEADER' | 'HEADER.FIELDS' | 'HEADER.FIELDS.NOT' | 'TEXT' | 'MIME' | undefined;
}

export interface ByteRange {
  readonly start: number;
  /** Behind the last byte. */
  readonly end: number;
}

/** For HEADER.FIELDS and .NOT the range of the whole header: cutHeaderFields takes it from there. */
export function findSection(structure: Part, section: SectionName): ByteRange | undefined {
  if (section.part.length === 0) return messageText(structure, section.text);
  const part = findPart(structure, section.part);
  if (part === undefined) return undefined;
  switch (section.text) {
    case undefined:
      return { start: part.bodyStart, end: part.bodyEnd };
    case 'MIME':
      return { start: part.headerStart, end: part.bodyStart };
    default:
      // HEADER and TEXT of a part are those of the message in it.
      return isMessage(part) ? messageText(part.parts[0]!, section.text) : undefined;
  }
}

/** `structure` is that of a message. */
function messageText(structure: Part, text: SectionName['text']): ByteRange | undefined {
  switch (text) {
    case undefined:
      return { start: structure.headerStart, end: structure.bodyEnd };
    case 'TEXT':
      return { start: structure.bodyStart, end: structure.bodyEnd };
    case 'MIME':
      return undefined;
    default:
      return { start: structure.headerStart, end: structure.bodyStart };
  }
}

/**
 * The part with that number. A message that is no multipart has the one part 1; the parts of a message/rfc822 are
 * those of the message in it.
 */
export function findPart(structure: Part, path: readonly number[]): Part | undefined {
  let part: Part = structure;
  let isWholeMessage = true;
  for (const number of path) {
    if (!isWholeMessage && isMessage(part)) {
      part = part.parts[0]!;
      isWholeMessage = true;
    }
    if (isMultipart(part)) {
      const next = part.parts[number - 1] ?? emptyPart(part, number);
      if (next === undefined) return undefined;
      part = next;
    } else if (!isWholeMessage || number !== 1) return undefined;
    isWholeMessage = false;
  }
  return part;
}

/** The one empty text part that BODYSTRUCTURE shows in a multipart without parts. */
function emptyPart(multipart: Part, number: number): Part | undefined {
  if (multipart.parts.length > 0 || number !== 1) return undefined;
  const at = multipart.bodyEnd;
  return { ...multipart, type: 'text', subtype: 'plain', headerStart: at, bodyStart: at, bodyEnd: at, parameters: [] };
}

/**
 * The fields of a header that are (HEADER.FIELDS) or are not (HEADER.FIELDS.NOT) among `names`, byte for byte, with
 * the empty line. `header` is what findSection names, latin1 text comes out. Names in any case.
 */
export function cutHeaderFields(
  header: Buffer,
  names: readonly string[],
  kind: 'HEADER.FIELDS' | 'HEADER.FIELDS.NOT',
): string {
  const wanted = new Set(names.map((name) => name.toLowerCase()));
  return cutFields(parseHeader(header), (name) => wanted.has(name) === (kind === 'HEADER.FIELDS'));
}
