// What messages are sorted by: texts in the order of i;unicode-casemap, the sent date.
//
// In      header values (header-values.ts)
// Out     texts whose order by code units is the order of the collation: the octets of their folded form, as latin1
// Limits  VALUE_BYTES of a text are compared
// RFC 5256 §2.2 §3, RFC 5051 §2, RFC 5957 §3

import type { HeaderAddress } from './addresses.ts';
import { baseSubject } from './base-subject.ts';
import { parseMailDate } from './date.ts';
import { decodeRaw, decodeWords } from './decode.ts';
import { fold } from './unicode-casemap.ts';

/** More than any that differ later; all of 100,000 messages stay in tens of megabytes. */
const VALUE_BYTES = 256;

export function subjectSortValue(subject: string | null): string {
  return subject === null ? '' : octets(baseSubject(subject).base);
}

/** The part before the `@` of the first address; a group's name. */
export function mailboxSortValue(addresses: readonly HeaderAddress[] | null): string {
  return octets(fold(decodeRaw(addresses?.[0]?.[2] ?? '')));
}

/** The first address as people read it. RFC 5957 §3 */
export function displaySortValue(addresses: readonly HeaderAddress[] | null): string {
  const [name, , mailbox, host] = addresses?.[0] ?? [null, null, null, null];
  const shown = name === null ? '' : decodeWords(name);
  if (shown !== '') return octets(fold(shown));
  const address = mailbox === null ? '' : host === null || host === '' ? mailbox : `${mailbox}@${host}`;
  return octets(fold(decodeRaw(address)));
}

/** The instant of the Date field; the internal date where that cannot be read. */
export function sentDate(date: string | null, internalDate: number): number {
  return (date === null ? undefined : parseMailDate(date)?.at) ?? internalDate;
}

/** The order of code units differs from that of the octets only beyond ASCII. */
function octets(folded: string): string {
  const text = folded.slice(0, VALUE_BYTES);
  for (let at = 0; at < text.length; at++)
    if (text.charCodeAt(at) > 0x7f) return Buffer.from(text).toString('latin1').slice(0, VALUE_BYTES);
  return text;
}
