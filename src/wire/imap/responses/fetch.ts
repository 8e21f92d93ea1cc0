// The items of a FETCH response. RFC 3501 §7.4.2
//
// Out     text to be joined with spaces between `* n FETCH (` and `)`; the session gathers many of them in one string

import { formatImapDateTime } from '../../../message/date.ts';
import { encodeSection } from '../body-section.ts';
import type { FetchBinary, FetchSection } from '../commands/fetch.ts';

export function encodeFlagsItem(flags: readonly string[]): string {
  return `FLAGS (${flags.join(' ')})`;
}

/** RFC 7162 §3.1.4 */
export function encodeModseqItem(modseq: number): string {
  return `MODSEQ (${modseq})`;
}

/** `INTERNALDATE " 1-Jan-2026 00:00:00 +0000"`: always in UTC. */
export function encodeInternalDateItem(internalDate: number): string {
  return `INTERNALDATE "${formatImapDateTime(internalDate)}"`;
}

/** When the message came into the mailbox, in UTC. RFC 8514 §4.2 */
export function encodeSaveDateItem(saved: number): string {
  return `SAVEDATE "${formatImapDateTime(saved)}"`;
}

/** `BODY[1.TEXT]<0> {5}` CRLF: the literal's bytes follow. */
export function encodeSectionHead(item: FetchSection, sizeBytes: number): string {
  return `${sectionName(item)} {${sizeBytes}}\r\n`;
}

/** A part that the message does not have. */
export function encodeAbsentSection(item: FetchSection): string {
  return `${sectionName(item)} NIL`;
}

function sectionName(item: FetchSection): string {
  return item.alias ?? encodeSection(item.section, item.partial);
}

/** `BINARY[1.2]<0>`. RFC 3516 §4.3 */
export function encodeBinaryHead({ part, partial }: FetchBinary): string {
  return `BINARY[${part.join('.')}]${partial === undefined ? '' : `<${partial.offset}>`}`;
}

export function encodeBinarySize(part: readonly number[], sizeBytes: number): string {
  return `BINARY.SIZE[${part.join('.')}] ${sizeBytes}`;
}
