// One part of a message's MIME structure: what it is, and where exactly it stands in the bytes.
//
// RFC 2045, RFC 2046, RFC 3501 §7.4.2 BODYSTRUCTURE

import type { HeaderValues } from './header-values.ts';
import type { Disposition, Parameters } from './parameters.ts';

export interface Part {
  /** Lower case, as are `subtype` and `encoding`. */
  readonly type: string;
  readonly subtype: string;
  /** Offsets in the message's bytes: header with its empty line, then body, without the break before a delimiter. */
  readonly headerStart: number;
  readonly bodyStart: number;
  readonly bodyEnd: number;
  /** Line feeds in the body; only for text and message/rfc822, else 0. */
  readonly lines: number;
  readonly parameters: Parameters;
  readonly encoding: string;
  readonly id: string | undefined;
  readonly description: string | undefined;
  readonly md5: string | undefined;
  readonly disposition: Disposition | undefined;
  readonly languages: readonly string[];
  readonly location: string | undefined;
  /** What the header of the message inside a message/rfc822 says. */
  readonly header: HeaderValues | undefined;
  /** The parts of a multipart, perhaps none; the one message inside a message/rfc822; else none. */
  readonly parts: readonly Part[];
}

export function isMultipart(part: Part): boolean {
  return part.type === 'multipart';
}

/** A message/rfc822 whose message has been parsed. */
export function isMessage(part: Part): boolean {
  return part.type === 'message' && part.subtype === 'rfc822' && part.parts.length === 1;
}
