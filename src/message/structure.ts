// What is read of a message once, when it is accepted, and stored beside its bytes: the structure and its stored form.
//
// In      the bytes of a message; any bytes at all, it never throws
// Stored  what the header says: header-values.ts; the structure: one JSON array a part, trailing absent values cut off: about 50 bytes for a message of one text part
// RFC 5322 §3.6, RFC 3501 §7.4.2, RFC 5321 §6.3 (a loop is seen by the number of Received fields)

import { isAscii } from 'node:buffer';
import { countFields } from './header.ts';
import { encodeHeader, type HeaderValues, readHeaderValues } from './header-values.ts';
import { parseMessageId } from './message-id.ts';
import type { Part } from './part.ts';
import { parseStructure } from './structure-parser.ts';

/**
 * The version of all that parseMessage gives to be stored. It goes up with any change that gives other values for the
 * same bytes: then what was stored before is made again from the bytes. 1 is what format 1 had: no references; 2 ended a
 * header at the first line that is no field, and knew no bare line feeds.
 */
export const PARSER = 3;

export interface ParsedMessage {
  /** Offsets count from the first byte given to parseMessage, whatever stands there. */
  readonly structure: Part;
  /** The same for a column: see decodeStructure. */
  readonly structureText: string;
  /** What the header says, for a column: see decodeHeader. */
  readonly headerText: string;
  /** Without angle brackets; undefined when there is none to be read. */
  readonly messageId: string | undefined;
  readonly receivedCount: number;
  /** Bytes above 127 somewhere: a host without 8BITMIME cannot have it. */
  readonly isEightBit: boolean;
}

export function parseMessage(bytes: Buffer): ParsedMessage {
  const { structure, header } = parseStructure(bytes);
  const values = readHeaderValues(header);
  const messageId = values[9];
  return {
    structure,
    structureText: encodeStructure(structure),
    headerText: encodeHeader(values),
    messageId: messageId === null ? undefined : parseMessageId(messageId),
    receivedCount: countFields(header, 'received'),
    isEightBit: !isAscii(bytes),
  };
}

type Stored = (string | number | readonly string[] | Stored[] | HeaderValues)[];

/** The text of a column. decodeStructure gives the same tree back. */
export function encodeStructure(structure: Part): string {
  return JSON.stringify(store(structure));
}

function store(part: Part): Stored {
  const stored: Stored = [
    `${part.type}/${part.subtype}`,
    part.headerStart,
    part.bodyStart,
    part.bodyEnd,
    part.lines,
    part.parameters.length === 0 ? 0 : part.parameters,
    part.encoding === '7bit' ? 0 : part.encoding,
    part.parts.length === 0 ? 0 : part.parts.map(store),
    part.header ?? 0,
    part.id ?? 0,
    part.disposition === undefined ? 0 : [part.disposition.type, ...part.disposition.parameters],
    part.description ?? 0,
    part.md5 ?? 0,
    part.languages.length === 0 ? 0 : part.languages,
    part.location ?? 0,
  ];
  while (stored[stored.length - 1] === 0) stored.pop();
  return stored;
}

/** Reads what encodeStructure wrote; anything else is a damaged store and throws a plain Error. */
export function decodeStructure(text: string): Part {
  return load(JSON.parse(text));
}

function load(value: unknown): Part {
  if (!Array.isArray(value) || typeof value[0] !== 'string') throw new Error('stored message structure is damaged');
  const stored = value as Stored;
  const slash = value[0].indexOf('/');
  const disposition = strings(stored[10]);
  return {
    type: value[0].slice(0, slash),
    subtype: value[0].slice(slash + 1),
    headerStart: integer(stored[1]),
    bodyStart: integer(stored[2]),
    bodyEnd: integer(stored[3]),
    lines: integer(stored[4]),
    parameters: strings(stored[5]),
    encoding: optional(stored[6]) ?? '7bit',
    parts: Array.isArray(stored[7]) ? stored[7].map(load) : [],
    header: Array.isArray(stored[8]) ? (stored[8] as unknown as HeaderValues) : undefined,
    id: optional(stored[9]),
    disposition: disposition[0] === undefined ? undefined : { type: disposition[0], parameters: disposition.slice(1) },
    description: optional(stored[11]),
    md5: optional(stored[12]),
    languages: strings(stored[13]),
    location: optional(stored[14]),
  };
}

function integer(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

function optional(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function strings(value: unknown): readonly string[] {
  return Array.isArray(value) ? value : [];
}
