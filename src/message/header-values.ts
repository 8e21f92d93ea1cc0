// What the header section of a message says, as it is stored beside the message: values to render, search and thread by.
//
// In      a header section
// Out     eleven values in a fixed order; stored as JSON, in a column of its own and inside the structure
// To, Cc and Bcc that come more than once are one list; of another field the first counts. Encoded words stay as they are.
// Limits  HEADER_ADDRESSES_MAX addresses a list and the end of a group, HEADER_REFERENCES_MAX message ids
// RFC 5322 §3.6 §4.5.3, RFC 3501 §7.4.2 ENVELOPE, RFC 5256 §3 (References)

import { HEADER_ADDRESSES_MAX } from '../base/limits.ts';
import { type HeaderAddress, parseAddressList } from './addresses.ts';
import { fieldValue, type Header, type HeaderField } from './header.ts';
import { parseReferences } from './message-id.ts';

/**
 * Text is unfolded and latin1, a character an octet. Null: there is no such field. An address field without an address
 * is an empty list. References are message ids without their brackets, the oldest first.
 */
export type HeaderValues = readonly [
  date: string | null,
  subject: string | null,
  from: readonly HeaderAddress[] | null,
  sender: readonly HeaderAddress[] | null,
  replyTo: readonly HeaderAddress[] | null,
  to: readonly HeaderAddress[] | null,
  cc: readonly HeaderAddress[] | null,
  bcc: readonly HeaderAddress[] | null,
  inReplyTo: string | null,
  messageId: string | null,
  references: readonly string[] | null,
];

/** What a message without any header field has. */
export const EMPTY_HEADER: HeaderValues = [null, null, null, null, null, null, null, null, null, null, null];

const FIELDS = [
  'date',
  'subject',
  'from',
  'sender',
  'reply-to',
  'to',
  'cc',
  'bcc',
  'in-reply-to',
  'message-id',
  'references',
] as const;
const slotOf: ReadonlyMap<string, number> = new Map(FIELDS.map((name, slot) => [name, slot]));
/** To, Cc, Bcc. */
const FIRST_LIST = 5;
const LAST_LIST = 7;

export function readHeaderValues(header: Header): HeaderValues {
  const texts: (string | null)[] = FIELDS.map(() => null);
  let repeated: HeaderField[] | undefined;
  for (const field of header.fields) {
    const slot = slotOf.get(field.name);
    if (slot === undefined) continue;
    if (texts[slot] === null) texts[slot] = fieldValue(header, field);
    else if (slot >= FIRST_LIST && slot <= LAST_LIST) (repeated ??= []).push(field);
  }
  const text = (slot: number): string | null => texts[slot]!;
  const addresses = (slot: number): HeaderAddress[] | null => {
    const value = text(slot);
    return value === null ? null : parseAddressList(value);
  };
  const references = text(10);
  const lists = [addresses(5), addresses(6), addresses(7)] as const;
  for (const field of repeated ?? []) {
    const list = lists[slotOf.get(field.name)! - FIRST_LIST]!;
    // Each field is read by itself: a quote or group that is not closed ends with it.
    if (list.length < HEADER_ADDRESSES_MAX)
      list.push(...parseAddressList(fieldValue(header, field), HEADER_ADDRESSES_MAX - list.length));
  }
  return [
    text(0),
    text(1),
    addresses(2),
    addresses(3),
    addresses(4),
    ...lists,
    text(8),
    text(9),
    references === null ? null : parseReferences(references),
  ];
}

/** The text of a column. */
export function encodeHeader(values: HeaderValues): string {
  return JSON.stringify(values);
}

/** Reads what encodeHeader wrote; anything else is a damaged store and throws a plain Error. */
export function decodeHeader(text: string): HeaderValues {
  const values: unknown = JSON.parse(text);
  if (!Array.isArray(values) || values.length !== FIELDS.length) throw new Error('stored header values are damaged');
  return values as unknown as HeaderValues;
}
